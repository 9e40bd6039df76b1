"""Events that wait until the broker has acknowledged them."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from edge_asd.publish.payloads import Event, Spool

_log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """An event in an outbox."""

    order: int
    """Rises from entry to entry, from 1."""
    event: Event
    """The event, identified by its `id`, `type` and `seq`."""


class Outbox(Protocol):
    """What a keeper of events must do: keep their order, and forget them on :meth:`acknowledge`.

    Any thread may call.
    """

    def put(self, event: Event) -> None:
        """Add an event; never waits, drops and counts another where there is no room."""

    def after(self, order: int, count: int) -> list[Entry]:
        """Return the oldest entries, at most `count`, whose order is greater than `order`."""

    def acknowledge(self, order: int) -> None:
        """Forget an entry that has arrived; one that is no longer there is no error."""

    def newest(self) -> int:
        """Return the order of the entry last put, 0 before the first."""

    def summary(self) -> Spool:
        """Return how many wait, since when, and how many were dropped."""


class MemoryOutbox:
    """An outbox in memory, for as long as the process lives.

    When it is full, the least important goes first, and of those the oldest: an update before any other, a warning
    before an alarm. What is on its way to the broker at that moment may be counted as dropped and arrive all the same.

    Parameters
    ----------
    capacity
        Most events kept; an event takes about 2 kB.
    """

    def __init__(self, capacity: int = 5000) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: dict[int, Event] = {}
        self._newest = 0
        self._dropped = 0

    def put(self, event: Event) -> None:
        """Add an event; where there is no room, drop the least important one (it may be this one) and count it."""
        with self._lock:
            self._newest += 1
            self._entries[self._newest] = event
            if len(self._entries) > self._capacity:
                self._drop()

    def after(self, order: int, count: int) -> list[Entry]:
        """Return the oldest entries, at most `count`, whose order is greater than `order`."""
        with self._lock:
            later = (Entry(*item) for item in self._entries.items() if item[0] > order)
            return list(itertools.islice(later, count))

    def acknowledge(self, order: int) -> None:
        """Forget an entry that has arrived."""
        with self._lock:
            self._entries.pop(order, None)

    def newest(self) -> int:
        """Return the order of the entry last put, 0 before the first."""
        return self._newest

    def summary(self) -> Spool:
        """Return how many wait, since when, and how many were dropped."""
        with self._lock:
            oldest = next(iter(self._entries.values()), None)
            return Spool(depth=len(self._entries), oldest=oldest.ts if oldest else None, dropped=self._dropped)

    def _drop(self) -> None:
        order = min(self._ranked())[1]
        del self._entries[order]
        self._dropped += 1
        if self._dropped & (self._dropped - 1) == 0:
            _log.warning("outbox is full: %d events dropped so far", self._dropped)

    def _ranked(self) -> Iterator[tuple[int, int]]:
        return ((_importance(event), order) for order, event in self._entries.items())


def _importance(event: Event) -> int:
    return 0 if event.type == "update" else 1 if event.severity == "warning" else 2
