"""The one family of errors that a user is meant to read.

Whatever is wrong with what a user gave (a recording, a bundle, a configuration, a broker's name) is raised as an
:class:`InputError`; the command line prints it as one line and exits with 2. Anything else is a defect in this package.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    r"""Return text with control characters written out, such as `\x1b`: a file's name may hold some.

    They would break a line, or reach the terminal as commands.
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class LineFormatter(logging.Formatter):
    """Writes each message of a log in one line, whatever the names in it hold; a traceback stays as it is."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line."""
        return one_line(super().formatMessage(record))


class EdgeAsdError(Exception):
    """Base of all errors of this package."""

    exit_status = 2


class InputError(EdgeAsdError):
    """Something given from outside is unusable.

    The message is one line: where it is, what was expected, what was found, and how to mend it.

    Parameters
    ----------
    where
        The file, setting or option at fault, as the user knows it.
    expected
        What would have been right.
    found
        What was there instead.
    remedy
        How to mend it; left out where it is plain.
    """

    def __init__(self, where: str, *, expected: str, found: str, remedy: str = "") -> None:
        self.where = where
        self.expected = expected
        self.found = found
        self.remedy = remedy
        tail = f"; {remedy}" if remedy else ""
        said = " ".join(f"{self.fault}{tail}".split())
        super().__init__(one_line(f"{where}: {said}"))

    @property
    def fault(self) -> str:
        """What is wrong, for whoever says in words of their own where, and what comes of it."""
        return f"expected {self.expected}, found {self.found}"


@contextmanager
def named_by(where: str) -> Iterator[None]:
    """Have an :class:`InputError` say as well which setting named what it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"{where}: {error.where}", expected=error.expected, found=error.found, remedy=error.remedy
        ) from error


class CheckFailedError(EdgeAsdError):
    """A check ran to its end and what it checked does not hold."""

    exit_status = 1


class CaptureError(EdgeAsdError):
    """A source cannot be heard now, but may be later: to be closed and opened again after a while.

    Parameters
    ----------
    message
        What is wrong, in one line.
    state
        `gone`: not there, or refused; `stalled`: there, yet nothing arrives.
    """

    def __init__(self, message: str, *, state: Literal["gone", "stalled"] = "gone") -> None:
        self.state = state
        super().__init__(message)
