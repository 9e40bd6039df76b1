"""How often: state messages, attempts to connect, connections that do not last. Pure: the caller brings the time."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_RANDOM = random.SystemRandom()


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds."""

    reach_s: float = 30.0
    """For the broker's machine to be found and reached."""
    answer_s: float = 10.0
    """For the broker's answer to a connection, once its machine is reached."""
    acknowledgement_s: float = 60.0
    """For the acknowledgement of a message, before the connection is taken for dead."""
    refused_s: float = 60.0
    """Before events that the broker refused are tried again."""
    too_large_s: float = 3600.0
    """Before those are that were too large for it, which may have cost it the connection."""


class StateLimiter:
    """At most one message per interval, unless the verdict changes; the newest is never withheld for good.

    Parameters
    ----------
    interval_s
        Least seconds between two messages of one verdict.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._verdict: str | None = None
        self._due = float("-inf")

    def due(self, verdict: str, now: float) -> float:
        """Return when a message made at `now` (seconds, any origin) shall go out; a later one takes its place."""
        if verdict != self._verdict:
            self._verdict, self._due = verdict, now
        elif self._due <= now:
            self._due = max(now, self._due + self._interval_s)
        return self._due


class Backoff:
    """Waits between attempts to connect: doubling, up to a longest, with jitter.

    Each wait is drawn between half and the whole of its bound, so that a whole plant does not come back at once after
    its broker was restarted ("equal jitter" of M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog,
    2015).

    Parameters
    ----------
    longest_s, first_s
        Bounds of the longest and of the first wait, in seconds.
    draw
        Gives random numbers from 0 to 1.
    """

    def __init__(self, longest_s: float, first_s: float = 1.0, draw: Callable[[], float] = _RANDOM.random) -> None:
        self._longest_s = longest_s
        self._first_s = first_s
        self._draw = draw
        self._bound_s = first_s

    def next(self) -> float:
        """Return the next wait in seconds."""
        bound_s = min(self._bound_s, self._longest_s)
        self._bound_s = min(2 * self._bound_s, self._longest_s)
        return bound_s * (1 + self._draw()) / 2

    def reset(self) -> None:
        """Begin again with the first wait."""
        self._bound_s = self._first_s


class Flapping:
    """Counts connections that were lost soon after they were made.

    Two clients with one client id throw each other out about once a second; MQTT 3.1.1 gives no reason when it happens.
    """

    SHORT_S = 5.0
    """A connection that lived no longer was a short one."""
    WITHIN_S = 60.0
    """How far back short ones are counted."""
    MANY = 3
    """So many short ones in a row of time are no accident."""

    def __init__(self) -> None:
        self._short: deque[float] = deque(maxlen=self.MANY)

    def lost(self, lifetime_s: float, now: float) -> bool:
        """Take the loss of a connection that lived `lifetime_s`; say whether there were :attr:`MANY` short ones."""
        if lifetime_s > self.SHORT_S:
            self._short.clear()
            return False
        self._short.append(now)
        return len(self._short) == self.MANY and now - self._short[0] <= self.WITHIN_S
