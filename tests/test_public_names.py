"""What the packages and the command line offer by name is there, is explained, and works as the examples show it."""

from __future__ import annotations

import argparse
import ast
import importlib
import itertools
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

import edge_asd
from edge_asd.cli import COMMANDS, CommandModule, main

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "edge_asd").rglob("*.py"), *(ROOT / "export").rglob("*.py")])
PACKAGES = ["edge_asd", *(found.name for found in pkgutil.walk_packages(edge_asd.__path__, "edge_asd.") if found.ispkg)]


def undocumented(text: str) -> list[str]:
    """Return the public classes, functions and methods, and the module, that say nothing about themselves."""
    tree = ast.parse(text)
    return [*([] if ast.get_docstring(tree) else ["the module"]), *_undocumented_in(tree, "")]


def _undocumented_in(node: ast.AST, where: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not child.name.startswith("_"):
            if not ast.get_docstring(child):
                yield where + child.name
            if isinstance(child, ast.ClassDef):
                yield from _undocumented_in(child, f"{where}{child.name}.")


def explained_names(text: str) -> set[str]:
    """Return the names that a module defines and explains; a constant is explained by the text that follows it."""
    body = ast.parse(text).body
    found = {
        node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)
    }
    for statement, following in itertools.pairwise(body):
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            found |= {target.id for target in _targets(statement) if isinstance(target, ast.Name)}
    return found


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign) else []


def sources_of(package: ModuleType) -> list[Path]:
    return [path for folder in package.__path__ for path in Path(folder).rglob("*.py")]


def command_module(name: str) -> CommandModule:
    try:
        return cast("CommandModule", importlib.import_module(COMMANDS[name].module))
    except ModuleNotFoundError as error:
        if COMMANDS[name].extra is None or str(error.name).startswith("edge_asd"):
            raise
        pytest.skip(f"the extra '{COMMANDS[name].extra}' is not installed: no module {error.name}")


def parser_of(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(name)
    command_module(name).add_arguments(parser)
    return parser


def calls_in(text: str) -> list[list[str]]:
    """Return the words of each call of `edge-asd` that a text shows, up to where the shell or a remark begins."""
    found = re.findall(r"(?:^ *|\| )edge-asd (\w[^\n|>]*)", text, re.MULTILINE)
    return [shlex.split(re.split(r"\s{2,}", words)[0]) for words in found]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_whatever_is_public_explains_itself(path: Path) -> None:
    assert undocumented(path.read_text(encoding="utf-8")) == []


def test_what_does_not_explain_itself_is_seen() -> None:
    text = "class A:\n    'It.'\n    def f(self): ...\n    def _g(self): ...\ndef h(): ...\n"
    assert undocumented(text) == ["the module", "A.f", "h"]


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_offers_is_there_and_explained(name: str) -> None:
    package = importlib.import_module(name)
    offered = getattr(package, "__all__", [])
    assert [word for word in offered if not hasattr(package, word)] == []
    explained = set().union(*(explained_names(path.read_text(encoding="utf-8")) for path in sources_of(package)))
    assert set(offered) - explained - {"__version__"} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_s_help_shows_how_it_is_called(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command_module(name)
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: edge-asd {name}")
    assert f"\nexample:\n  edge-asd {name}" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained(name: str) -> None:
    assert [action.dest for action in parser_of(name)._actions if not action.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_are_understood(name: str) -> None:
    calls = calls_in(command_module(name).EXAMPLE)
    assert calls
    for command, *words in calls:
        assert command == name
        parser_of(name).parse_args(words)


def test_the_calls_in_the_readme_are_understood() -> None:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    calls = calls_in("".join(blocks))
    assert {"export", "verify", "score", "monitor"} <= {command for command, *_ in calls}
    for command, *words in calls:
        parser_of(command).parse_args(words)
