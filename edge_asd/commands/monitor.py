"""`edge-asd monitor`: the daemon."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import msgspec

from edge_asd.capture import parse_source
from edge_asd.configuration.firmware_file import load_firmware
from edge_asd.daemon.monitor import monitor
from edge_asd.errors import InputError, named_by
from edge_asd.files import expand_home
from edge_asd.firmware import Firmware

EXAMPLE = """\
  edge-asd monitor firmware.yaml
  edge-asd monitor firmware.yaml --source 'file:recordings/?speed=max' --once
  arecord -f S16_LE -r 16000 -t raw | edge-asd monitor firmware.yaml --source stdin

SIGTERM ends it cleanly; the broker then says `offline`. SIGHUP, or a change of the configuration, a bundle, a
certificate or the password, has it read them anew; where they cannot be used, it says so and goes on as before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", type=Path, help="firmware configuration (YAML)")
    parser.add_argument("--bundle", type=Path, help="bundle to judge with, instead of the configured one")
    parser.add_argument("--source", help="mic, mic:NAME, file:PATH[?speed=max] or stdin, instead of the configured one")
    parser.add_argument("--once", action="store_true", help="end when every source has ended")


def run(arguments: argparse.Namespace) -> int:
    """Listen until told to stop."""
    given = frozenset(name for name in ("bundle", "source") if getattr(arguments, name) is not None)
    return monitor(lambda: _configured(arguments), arguments.config, once=arguments.once, options=given)


def _configured(arguments: argparse.Namespace) -> Firmware:
    firmware = load_firmware(arguments.config, environ=os.environ)
    changes: dict[str, str] = {}
    if arguments.bundle is not None:
        changes["bundle"] = _absolute(arguments.bundle)
    if arguments.source is not None:
        with named_by("--source"):
            parse_source(arguments.source)
        changes["source"] = _from_here(arguments.source)
    if not changes:
        return firmware
    if len(firmware.sources) != 1:
        raise InputError(
            "--bundle, --source", expected="a configuration of one source", found=f"{len(firmware.sources)}"
        )
    return msgspec.structs.replace(firmware, sources=[msgspec.structs.replace(firmware.sources[0], **changes)])


def _from_here(source: str) -> str:
    kind, colon, path = source.partition(":")
    return f"file:{_absolute(Path(path))}" if kind == "file" and colon else source


def _absolute(path: Path) -> str:
    # What is given on the command line is relative to where one stands, not to the configuration. No shell expands the
    # `~` of `file:~/x` or `--bundle=~/x`.
    return str(expand_home(path).absolute())
