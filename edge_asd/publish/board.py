"""The newest message of every retained topic, and which of them are still to be sent."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

_MOST_WAITING = 8


class Notice(NamedTuple):
    """A retained message."""

    topic: str
    payload: bytes
    qos: int
    due: float
    """When it may go out, in seconds of the monotonic clock."""
    kind: str = ""
    """What it says in one word; while a connection stands, a change of it is not passed over."""
    optional: bool = False
    """Whether nothing is wrong when the broker refuses it."""


class Board:
    """Notices by topic, in the order in which the topics came up; a newer one replaces an older of its kind.

    Any thread may call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: dict[str, Notice] = {}
        self._waiting: dict[str, deque[Notice]] = {}

    def put(self, notice: Notice, due: Callable[[], float] | None = None) -> None:
        """Put up a notice, to be sent when it is due; where `due` is given, it says when.

        It is asked at a moment when nothing is taken: what it takes the place of may else go out in between.
        """
        with self._lock:
            if due is not None:
                notice = notice._replace(due=due())
            self._newest[notice.topic] = notice
            waiting = self._waiting.setdefault(notice.topic, deque(maxlen=_MOST_WAITING))
            while waiting and (waiting[-1].kind == notice.kind or waiting[-1].due > notice.due):
                # What was due and has not gone out yet is not put off by what replaces it.
                notice = notice._replace(due=min(notice.due, waiting.pop().due))
            waiting.append(notice)

    def newest(self, topic: str) -> bytes | None:
        """Return what was last put up on a topic, sent or not; None where nothing was."""
        with self._lock:
            notice = self._newest.get(topic)
        return None if notice is None else notice.payload

    def renew(self) -> None:
        """Have the newest of every topic sent again, at once: the broker may have forgotten them all."""
        with self._lock:
            for topic, notice in self._newest.items():
                self._waiting[topic] = deque([_hurried(notice)], maxlen=_MOST_WAITING)

    def taken_down(self, topic: str) -> None:
        """Take that an empty notice has arrived on a topic: unless there is a newer one by now, none is sent again."""
        with self._lock:
            newest = self._newest.get(topic)
            if newest is not None and not newest.payload:
                del self._newest[topic]

    def hurry(self) -> None:
        """Make every waiting notice due."""
        with self._lock:
            for topic, waiting in self._waiting.items():
                self._waiting[topic] = deque(map(_hurried, waiting), maxlen=_MOST_WAITING)

    def take(self, now: float) -> Notice | None:
        """Return one waiting notice that is due, which then waits no more; None when there is none."""
        with self._lock:
            due = (waiting for waiting in self._waiting.values() if waiting and waiting[0].due <= now)
            waiting = next(due, None)
            return waiting.popleft() if waiting else None

    def next_due(self) -> float:
        """Return when the next waiting notice is due; infinity when none waits."""
        with self._lock:
            return min((waiting[0].due for waiting in self._waiting.values() if waiting), default=float("inf"))


def _hurried(notice: Notice) -> Notice:
    return notice._replace(due=float("-inf"))
