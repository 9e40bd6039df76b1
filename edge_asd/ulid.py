"""Identifiers that sort by the time they were made: ULIDs.

A ULID is 48 bits of Unix time in milliseconds and 80 random bits, written as 26 characters of Crockford's base 32, so
that comparing two as text compares their times. Source: the ULID specification, https://github.com/ulid/spec.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""
LENGTH = 26
"""Characters of a ULID."""
PATTERN = rf"^[0-7][{ALPHABET}]{{{LENGTH - 1}}}$"
"""What a ULID looks like; the first character is at most 7, for 26 characters hold 130 bits and a ULID has 128."""

_RANDOM_BITS = 80
_TIME_BITS = 48


def encode(number: int) -> str:
    """Return a 128-bit `number` as 26 characters of Crockford's base 32, most significant first."""
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))


class UlidFactory:
    """Makes ULIDs, each greater than the one before, whatever the clock does; any thread may call it.

    Within one millisecond, and while the clock is behind where it has been (a board without a battery clock is set
    back by its time server), the time is kept and the random part grows by one, as the specification says.

    Parameters
    ----------
    clock
        Unix time in seconds.
    entropy
        Takes a number of bits, gives that many random ones as an integer.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, entropy: Callable[[int], int] = secrets.randbits
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._last = -1

    def __call__(self) -> str:
        """Return the next ULID."""
        milliseconds = min(max(int(self._clock() * 1000), 0), (1 << _TIME_BITS) - 1)
        with self._lock:
            drawn = milliseconds << _RANDOM_BITS | self._entropy(_RANDOM_BITS)
            self._last = drawn if milliseconds > self._last >> _RANDOM_BITS else self._last + 1
            return encode(self._last)


new_ulid = UlidFactory()
"""The process's own factory, on the wall clock and the system's random source."""
