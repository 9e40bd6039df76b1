"""The newest message of every retained topic, and which of them are still to be sent."""

from __future__ import annotations

import threading
from typing import NamedTuple


class Notice(NamedTuple):
    """A retained message."""

    topic: str
    payload: bytes
    qos: int
    due: float
    """When it may go out, in seconds of the monotonic clock."""


class Board:
    """Notices by topic, in the order in which the topics came up; a newer one replaces an older.

    Any thread may call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notices: dict[str, Notice] = {}
        self._waiting: set[str] = set()

    def put(self, notice: Notice) -> None:
        """Put up a notice, to be sent when it is due."""
        with self._lock:
            self._notices[notice.topic] = notice
            self._waiting.add(notice.topic)

    def renew(self) -> None:
        """Have every notice sent again, at once: the broker may have forgotten them all."""
        with self._lock:
            self._notices = {topic: notice._replace(due=float("-inf")) for topic, notice in self._notices.items()}
            self._waiting = set(self._notices)

    def hurry(self) -> None:
        """Make every waiting notice due."""
        with self._lock:
            for topic in self._waiting:
                self._notices[topic] = self._notices[topic]._replace(due=float("-inf"))

    def take(self, now: float) -> Notice | None:
        """Return one waiting notice that is due, which then waits no more; None when there is none."""
        with self._lock:
            due = (topic for topic in self._notices if topic in self._waiting and self._notices[topic].due <= now)
            topic = next(due, None)
            if topic is None:
                return None
            self._waiting.discard(topic)
            return self._notices[topic]

    def next_due(self) -> float:
        """Return when the next waiting notice is due; infinity when none waits."""
        with self._lock:
            return min((self._notices[topic].due for topic in self._waiting), default=float("inf"))
