"""`edge-asd config check`: says what a configuration means, or the first thing that is wrong with it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edge_asd.daemon.check import check_configuration

EXAMPLE = "  edge-asd config check firmware.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=["check"], help="what to do")
    parser.add_argument("file", type=Path, help="firmware configuration or recipe")


def run(arguments: argparse.Namespace) -> int:
    """Print what the file means."""
    print(check_configuration(arguments.file, environ=os.environ))
    return 0
