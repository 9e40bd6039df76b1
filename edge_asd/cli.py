"""The command line. Each command lives in a module of its own, imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple, NoReturn, Protocol, cast

from edge_asd.errors import EdgeAsdError, LineFormatter
from edge_asd.streams import complain, give_up, open_what_is_closed
from edge_asd.version import __version__


class Command(NamedTuple):
    """A command: where it lives and what it does."""

    module: str
    summary: str
    extra: str | None = None
    """Extra of the package that it needs beside the device's own dependencies."""
    is_daemon: bool = False
    """Whether it is told by SIGHUP to read its configuration anew."""


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
    "calibrate": Command("edge_asd.commands.calibrate", "set a bundle's threshold anew, on site"),
    "monitor": Command("edge_asd.commands.monitor", "listen, judge and publish: the daemon", is_daemon=True),
    "devices": Command("edge_asd.commands.devices", "list the microphones of this machine"),
    "weights": Command("edge_asd_export.commands.weights", "pretrained weights of published nets", "export"),
    "recipes": Command("edge_asd.commands.recipes", "list the shipped recipes, or print one in full"),
    "check-broker": Command("edge_asd.commands.check_broker", "which step on the way to the broker fails, and why"),
    "evaluate": Command("edge_asd_export.commands.evaluate", "recipes on a data set, in the field's way", "export"),
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Refuse wrong usage in one line, as everything else is refused."""
        raise EdgeAsdError(f"{message}; see '{self.prog} --help'")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    open_what_is_closed()
    _let_every_word_through()
    _warn_as_errors_are_told()
    try:
        try:
            return _run([word for word in words if word != "--debug"])
        finally:
            _flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough of it.
        return 0
    except (EdgeAsdError, OSError, MemoryError) as error:
        if debug:
            complain(traceback.format_exc().rstrip())
        complain(f"edge-asd: {_said(error)}")
        return error.exit_status if isinstance(error, EdgeAsdError) else 2


def _said(error: Exception) -> str:
    if not isinstance(error, MemoryError):
        return str(error)
    wanted = f" ({error})" if str(error) else ""
    return f"expected memory enough, found too little{wanted}; end other programs, or give fewer recordings at a time"


def _let_every_word_through() -> None:
    # A recording's name may be no text at all, and a terminal may lack a sign of ours: neither is an error.
    if isinstance(sys.stdout, io.TextIOWrapper):
        utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")


def _warn_as_errors_are_told() -> None:
    # The daemon says by its configuration how its log is written; all other commands only ever warn.
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LineFormatter("edge-asd: %(message)s"))


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        give_up(sys.stdout)
        raise


def _run(words: list[str]) -> int:
    name = next((word for word in words if not word.startswith("-")), None)
    parser = _parser()
    if name not in COMMANDS or words[0] != name:
        parser.parse_args(words)
        parser.print_help()
        return 2
    if COMMANDS[name].is_daemon:
        # It takes a while until it can obey, and it is about to read everything anyway.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    module = _import(name)
    command = _Parser(
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
    parser = _Parser(
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
            f"{name}: expected the packages of the extra '{command.extra}', found no module '{error.name}'; "
            f"pip install 'edge-asd[{command.extra}]'"
        ) from error
