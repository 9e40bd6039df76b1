"""What is sent next over a connection that stands, what is under way, and what the broker answered."""

from __future__ import annotations

import logging
from collections import deque
from typing import NamedTuple

from msgspec.structs import replace

from edge_asd.publish.board import Board
from edge_asd.publish.outbox import START, Outbox
from edge_asd.publish.payloads import encode
from edge_asd.publish.reasons import Reason, rejected
from edge_asd.publish.requests import Reply
from edge_asd.publish.session import Session
from edge_asd.publish.spool import Entry
from edge_asd.publish.topics import Topics

_log = logging.getLogger(__name__)

_MOST_REPLIES = 64


class _Sent(NamedTuple):
    """A message under way."""

    topic: str
    at: float
    """Monotonic time when it was handed over."""
    order: int | None
    """Its order in the outbox; None for a notice or an answer."""
    optional: bool = False
    """Whether nothing is wrong when the broker refuses it."""


class Dispatcher:
    """Sends answers, notices and events over one session at a time, never more at once than the broker's window.

    Answers go first, then notices, then events in their order. An answer is lost with its connection; an event leaves
    the outbox when the broker has acknowledged it. Once the broker has refused one, the others of its topic wait with
    it, so that the order holds, and all are tried again after a while.

    Parameters
    ----------
    topics
        The device's topics.
    board, outbox
        Where notices and events wait.
    refused_s
        Seconds before refused events are tried again.
    """

    def __init__(self, topics: Topics, board: Board, outbox: Outbox, refused_s: float) -> None:
        self._topics = topics
        self._board = board
        self._outbox = outbox
        self._refused_s = refused_s
        self._window = 1
        self._history = 0
        self._under_way: dict[int, _Sent] = {}
        self._replies: deque[Reply] = deque(maxlen=_MOST_REPLIES)
        self._cursor = START
        self._epoch = 0
        self._held: set[str] = set()
        self._retry_at = float("inf")

    def begin(self, window: int) -> None:
        """Begin afresh on a new session: every notice, every event that waits, at most `window` at once."""
        self._window = max(1, window)
        self._history = self._outbox.newest()
        self._under_way.clear()
        self._replies.clear()
        self._start_over()
        self._board.renew()

    def reply(self, reply: Reply) -> None:
        """Have an answer sent."""
        self._replies.append(reply)

    def send(self, session: Session, now: float) -> None:
        """Send as much as the window allows."""
        self._send_replies(session, now)
        self._send_notices(session, now)
        if now >= self._retry_at or self._epoch != self._outbox.epoch:
            self._start_over()
        self._send_events(session, now)

    def settle(self, mid: int, reason: Reason, now: float) -> str | None:
        """Take the broker's answer to a message; return what is wrong, in words, if it was refused."""
        sent = self._under_way.pop(mid, None)
        if sent is None:
            return None
        if reason.is_failure and sent.optional:
            _log.info("%s", rejected(reason, sent.topic))
            return None
        if reason.is_failure:
            self._hold(sent, now)
            return rejected(reason, sent.topic)
        if sent.order is not None:
            self._outbox.acknowledge(sent.order)
        return None

    def waiting_s(self, now: float) -> float:
        """Return for how long the oldest message under way has been waiting for its acknowledgement, in seconds."""
        oldest = next(iter(self._under_way.values()), None)
        return now - oldest.at if oldest else 0.0

    def is_drained(self, now: float) -> bool:
        """Say whether everything that can be sent has been sent and answered."""
        return (
            not self._under_way
            and not self._replies
            and self._board.next_due() > now
            and not self._outbox.after(self._cursor, 1)
        )

    def _send_replies(self, session: Session, now: float) -> None:
        while self._replies and len(self._under_way) < self._window:
            reply = self._replies.popleft()
            mid = session.publish(reply.topic, reply.payload, 1, retain=False, correlation=reply.correlation)
            self._under_way[mid] = _Sent(reply.topic, now, None)

    def _send_notices(self, session: Session, now: float) -> None:
        while len(self._under_way) < self._window and (notice := self._board.take(now)):
            mid = session.publish(notice.topic, notice.payload, notice.qos, retain=True)
            if notice.qos:
                self._under_way[mid] = _Sent(notice.topic, now, None, notice.optional)

    def _send_events(self, session: Session, now: float) -> None:
        while (room := self._window - len(self._under_way)) > 0:
            entries = self._outbox.after(self._cursor, room)
            if not entries:
                return
            for entry in entries:
                self._send_event(session, entry, now)

    def _send_event(self, session: Session, entry: Entry, now: float) -> None:
        self._cursor = entry.order
        topic = self._topics.event(entry.event.source)
        under_way = any(sent.order == entry.order for sent in self._under_way.values())
        if topic in self._held or under_way:
            return
        event = replace(entry.event, is_historical=entry.order <= self._history)
        mid = session.publish(topic, encode(event), 1, retain=False)
        self._under_way[mid] = _Sent(topic, now, entry.order)

    def _hold(self, sent: _Sent, now: float) -> None:
        if sent.order is not None:
            self._held.add(sent.topic)
            self._retry_at = min(self._retry_at, now + self._refused_s)

    def _start_over(self) -> None:
        self._epoch = self._outbox.epoch
        self._cursor = START
        self._held.clear()
        self._retry_at = float("inf")
