"""The standard streams of a process: where one is closed or full all goes on, and the exit status still tells."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


def open_what_is_closed() -> None:
    """Have what is written to a standard stream that was closed when the process began go nowhere.

    Else the next file or connection would take its number, and what libraries print go into it; and Python would print
    on standard output what is meant for standard error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # Standard input stays none: to read nothing from what is closed would be taken for the end of the sound.
    sys.stdout = sys.stdout or _nowhere(1)
    sys.stderr = sys.stderr or _nowhere(2)


def _nowhere(number: int) -> TextIO:
    return os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def complain(text: str) -> None:
    """Write text to standard error, and end the line."""
    with unheard():
        sys.stderr.write(f"{text}\n")


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Go on where what is written to standard error cannot be: nothing more is said there then."""
    try:
        yield
    except OSError:
        give_up(sys.stderr)


def give_up(stream: TextIO) -> None:
    """Have nothing more arrive where a stream leads to.

    At exit the interpreter would flush as well, and complain in its own words where that fails.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
