"""What README and docs tell to write into a file loads, and what they tell to type is understood."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from edge_asd.configuration import parse
from edge_asd.configuration.yaml_text import parse_mapping
from edge_asd.firmware import Firmware
from edge_asd.recipe.graph import Recipe
from tests.test_public_names import calls_in, parser_of

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
BRANCH = """
name: around
branches:
  sound: {front_end: {kind: rms}}
parts:
  sound: {branches: [sound], detector: {kind: mahalanobis}}
"""
DAEMON = """
device: around
mqtt: {host: broker.local}
sources:
  - {name: one, bundle: one.easd, source: mic}
"""


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]


def load_part(line: str, where: str) -> None:
    """Load a single setting of a branch, or else of the daemon, among nothing but what must be there."""
    (key,) = parse_mapping(line, where)
    value = line.partition(":")[2].partition("#")[0].strip()
    if key in {"model", "front_end"}:
        parse(BRANCH, Recipe, where=where, overrides=[f"branches.sound.{key}={value}"])
    else:
        parse(DAEMON, Firmware, where=where, overrides=[f"{key}={value}"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_to_be_written_loads(name: str) -> None:
    for block in blocks(name, "yaml"):
        if block.startswith(("device:", "sources:")):
            parse(block if "mqtt:" in block else DAEMON.split("sources:", maxsplit=1)[0] + block, Firmware, where=name)
        elif "\nbranches:" in block:
            parse(block, Recipe, where=name)
        else:
            for line in block.splitlines():
                load_part(line, name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_to_be_typed_is_understood(name: str) -> None:
    for command, *words in calls_in("".join(blocks(name, "sh"))):
        parser_of(command).parse_args(words)
