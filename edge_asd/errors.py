"""The one family of errors that a user is meant to read.

Whatever is wrong with what a user gave (a recording, a bundle, a configuration, a broker's name) is raised as an
:class:`InputError`; the command line prints it as one line and exits with 2. Anything else is a defect in this package.
"""

from typing import Literal


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
        super().__init__(" ".join(f"{where}: expected {expected}, found {found}{tail}".split()))


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
