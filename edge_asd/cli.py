"""The command line. Each command lives in a module of its own, imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

from edge_asd.errors import EdgeAsdError
from edge_asd.version import __version__


class Command(NamedTuple):
    """A command: where it lives and what it does."""

    module: str
    summary: str
    extra: str | None = None
    """Extra of the package that it needs beside the device's own dependencies."""


class CommandModule(Protocol):
    """What a command's module offers."""

    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return the exit status."""


# The export tool's commands are named, never imported: the device runs without them.
COMMANDS = {
    "export": Command("edge_asd_export.commands.export", "normal recordings → a bundle", "export"),
    "verify": Command("edge_asd.commands.verify", "check a bundle on this very machine"),
    "score": Command("edge_asd.commands.score", "judge recordings with a bundle"),
    "monitor": Command("edge_asd.commands.monitor", "listen, judge and publish: the daemon"),
    "devices": Command("edge_asd.commands.devices", "list the microphones of this machine"),
    "recipes": Command("edge_asd.commands.recipes", "list the shipped recipes, or print one in full"),
    "config": Command("edge_asd.commands.config", "check a configuration or a recipe"),
    "demo": Command("edge_asd_export.commands.demo", "the whole story on a simulated machine", "demo"),
}

_EPILOG = """\
first steps:
  edge-asd export recordings/normal -o pump.easd      learn what normal sounds like
  edge-asd score pump.easd recordings/*.wav           judge recordings
  edge-asd monitor firmware.yaml                      listen, and tell the broker

exit status: 0 done, 1 what was checked does not hold, 2 bad usage, configuration or input
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        return _run([word for word in words if word != "--debug"])
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough; the interpreter must not complain about it at exit.
        sys.stderr.close()
        return 0
    except (EdgeAsdError, OSError) as error:
        if debug:
            traceback.print_exc()
        print(f"edge-asd: {error}", file=sys.stderr)
        return error.exit_status if isinstance(error, EdgeAsdError) else 2


def _run(words: list[str]) -> int:
    name = next((word for word in words if not word.startswith("-")), None)
    parser = _parser()
    if name not in COMMANDS or words[0] != name:
        parser.parse_args(words)
        parser.print_help()
        return 2
    module = _import(name)
    command = argparse.ArgumentParser(
        prog=f"edge-asd {name}",
        description=f"{COMMANDS[name].summary[0].upper()}{COMMANDS[name].summary[1:]}.",
        epilog=f"example:\n{module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--debug", action="store_true", help="show where an error arose")
    module.add_arguments(command)
    return module.run(command.parse_args(words[1:]))


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="edge-asd",
        usage="edge-asd [-h] [--version] COMMAND ...",
        description=f"Hears when a machine starts to sound wrong.\n\ncommands:\n{commands}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edge-asd {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, nargs="?", help=argparse.SUPPRESS)
    return parser


def _import(name: str) -> CommandModule:
    command = COMMANDS[name]
    try:
        return cast("CommandModule", importlib.import_module(command.module))
    except ModuleNotFoundError as error:
        if command.extra is None:
            raise
        raise EdgeAsdError(
            f"edge-asd {name}: expected the packages of the extra '{command.extra}', found no module '{error.name}'; "
            f"pip install 'edge-asd[{command.extra}]'"
        ) from error
