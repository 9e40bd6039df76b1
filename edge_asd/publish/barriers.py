"""What a broker does not take, and may not say so but hang up. Pure: the caller brings the time."""

from __future__ import annotations

import math
from typing import NamedTuple

from edge_asd.publish.reasons import NOT_AUTHORIZED, PACKET_TOO_LARGE, Reason

_EVERYWHERE = ""
_TOO_LARGE = Reason(PACKET_TOO_LARGE, "Packet too large")


class Barrier(NamedTuple):
    """What is not let through on a topic."""

    most: float
    """Most bytes of a packet that is."""
    until: float
    """Until when that is believed, in seconds of the monotonic clock; infinity for as long as the connection stands."""
    reason: Reason
    """Why."""


class Barriers:
    """Packets that cost the connection: larger than the broker takes, or on a topic that this user may not write.

    MQTT 5 has words for both; under 3.1.1, and of its own free will, a broker just hangs up, and would do so for ever,
    so that nothing behind the packet ever arrived. So a topic is closed to packets as large once :attr:`MANY`
    connections in a row have ended while one of them alone was under way and others had got through. An outage looks
    like that by chance alone; and what was found out is forgotten after a while, so that nothing is lost by it.

    Parameters
    ----------
    again_s
        Seconds after which it is forgotten.
    """

    MANY = 5
    """So many connections lost at one packet are no accident."""

    def __init__(self, again_s: float) -> None:
        self._again_s = again_s
        self._told: Barrier | None = None
        self._found: dict[str, Barrier] = {}
        self._suspect: tuple[str, int | None] | None = None
        self._size = math.inf
        self._losses = 0

    def begin(self, largest: int | None) -> None:
        """Take how many bytes the broker takes by its own words on a new connection; None where it tells nothing."""
        self._told = None if largest is None else Barrier(largest, math.inf, _TOO_LARGE)

    def against(self, topic: str, size: int, now: float) -> Barrier | None:
        """Return what keeps a packet of so many bytes from its topic; None where nothing is known to."""
        known = (self._told, self._found.get(_EVERYWHERE), self._found.get(topic))
        return next((each for each in known if each and size > each.most and now < each.until), None)

    def passed(self, topic: str, size: int) -> None:
        """Take that a packet of so many bytes got through."""
        if self._suspect is not None and topic == self._suspect[0] and size >= self._size:
            self._acquit()

    def lost_at(self, topic: str, order: int | None, size: int, now: float, reason: Reason) -> None:
        """Take that a connection ended at a packet.

        Parameters
        ----------
        topic
            Its topic.
        order
            What else it is known by, whenever it is sent.
        size
            Its bytes.
        now
            Monotonic time in seconds.
        reason
            What the broker said.
        """
        if (topic, order) != self._suspect:
            self._acquit()
        self._suspect, self._size = (topic, order), min(size, self._size)
        self._losses += 1
        if reason.code == PACKET_TOO_LARGE:
            self._close(_EVERYWHERE, self._size - 1, now, reason)
        elif reason.code == NOT_AUTHORIZED:
            self._close(topic, 0, now, reason)
        elif self._losses >= self.MANY:
            self._close(topic, self._size - 1, now, reason)

    def _close(self, topic: str, most: float, now: float, reason: Reason) -> None:
        self._found = {each: barrier for each, barrier in self._found.items() if now < barrier.until}
        self._found[topic] = Barrier(most, now + self._again_s, reason)
        self._acquit()

    def _acquit(self) -> None:
        self._suspect, self._size, self._losses = None, math.inf, 0
