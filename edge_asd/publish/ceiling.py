"""How large a message may be for a broker, which may tell, or only hang up. Pure: the caller brings the time."""

from __future__ import annotations

import math
from collections.abc import Hashable


class Ceiling:
    """Most bytes of a packet that the broker takes.

    MQTT 5 has a word for it when the connection is made; under 3.1.1 a broker just hangs up at what is larger, and
    would do so for ever. So a packet counts as too large once :attr:`MANY` connections in a row have ended while it
    alone was under way and others had got through, and none as large got through since the first of them. An outage
    looks like that by chance alone; and what was found out is forgotten after a while, so that nothing is lost by it.

    Parameters
    ----------
    again_s
        Seconds after which it is forgotten.
    """

    MANY = 3
    """So many connections lost at one packet are no accident."""

    def __init__(self, again_s: float) -> None:
        self._again_s = again_s
        self._told = math.inf
        self._found = math.inf
        self._found_at = -math.inf
        self._suspect: Hashable = None
        self._size = math.inf
        self._losses = 0

    def begin(self, told: int | None) -> None:
        """Take what the broker tells on a new connection; None where it tells nothing."""
        self._told = math.inf if told is None else told

    def most(self, now: float) -> float:
        """Return how many bytes a packet may have; infinity where nothing is known."""
        if now - self._found_at >= self._again_s:
            self._found = math.inf
        return min(self._told, self._found)

    def again_at(self) -> float:
        """Return from when on there may be more; infinity where this connection will not see it."""
        return self._found_at + self._again_s if self._found < self._told else math.inf

    def passed(self, size: int) -> None:
        """Take that a packet of so many bytes got through."""
        if size >= self._size:
            self._acquit()

    def lost_at(self, packet: Hashable, size: int, now: float, *, certain: bool = False) -> None:
        """Take that a connection ended at a packet.

        Parameters
        ----------
        packet
            What it is known by, whenever it is sent.
        size
            Its bytes.
        now
            Monotonic time in seconds.
        certain
            Whether the broker has said that it was too large.
        """
        if packet != self._suspect:
            self._acquit()
        self._suspect, self._size = packet, min(size, self._size)
        self._losses += 1
        if certain or self._losses >= self.MANY:
            self._found, self._found_at = self._size - 1, now
            self._acquit()

    def _acquit(self) -> None:
        self._suspect, self._size, self._losses = None, math.inf, 0
