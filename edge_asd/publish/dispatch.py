"""What is sent next over a connection that stands, what is under way, and what the broker answered."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from edge_asd.publish.barriers import Barriers
from edge_asd.publish.board import Board
from edge_asd.publish.mqtt import packet_bytes
from edge_asd.publish.outbox import START, Outbox
from edge_asd.publish.payloads import encode
from edge_asd.publish.reasons import PACKET_TOO_LARGE, Reason, hung_up, rejected, set_aside
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
    what: str
    """What it is, as far as it has a name."""
    size: int
    """Bytes of its packet."""
    optional: bool = False
    """Whether nothing is wrong when the broker refuses it."""
    takes_down: bool = False
    """Whether it takes down what is retained on its topic."""


class Dispatcher:
    """Sends answers, notices and events over one session at a time, never more at once than the broker's window.

    Answers go first, then notices, then events in their order. An answer is lost with its connection; an event leaves
    the outbox when the broker has acknowledged it. Once the broker has refused one, the others of its topic wait with
    it, so that the order holds, and all are tried again after a while; one that is refused for what it holds waits
    alone.

    What is too large for the broker is set aside alone: an event stays in the outbox and is tried again on the next
    connection where the broker tells its limit, else after a longer while; those behind it go on. A topic at which the
    broker ends the connection is held whole for that while. A broker that hangs up may not say at what: after a
    connection was lost, all go one at a time until what was under way has arrived, so that it shows which one it was.

    Parameters
    ----------
    topics
        The device's topics.
    board, outbox
        Where notices and events wait.
    refused_s
        Seconds before refused events are tried again.
    too_large_s
        Seconds before those are that were too large, or ended a connection.
    """

    def __init__(
        self, topics: Topics, board: Board, outbox: Outbox, refused_s: float, too_large_s: float = 3600.0
    ) -> None:
        self._topics = topics
        self._board = board
        self._outbox = outbox
        self._refused_s = refused_s
        self._too_large_s = too_large_s
        self._barriers = Barriers(too_large_s)
        self._window = 1
        self._history = 0
        self._under_way: dict[int, _Sent] = {}
        self._replies: deque[Reply] = deque(maxlen=_MOST_REPLIES)
        self._cursor = START
        self._epoch = 0
        self._held: set[str] = set()
        self._aside: dict[int, float] = {}
        self._retry_at = float("inf")
        self._wary = False
        self._doubted = START
        self._arrived = False

    def begin(self, window: int, largest: int | None = None) -> None:
        """Begin afresh on a new session: every notice, every event that waits.

        Parameters
        ----------
        window
            Most messages at once.
        largest
            Most bytes of a packet; unknown where None.
        """
        self._window = max(1, window)
        self._barriers.begin(largest)
        self._history = self._outbox.newest()
        self._under_way.clear()
        self._replies.clear()
        self._aside.clear()
        self._arrived = False
        self._start_over()
        self._board.renew()

    def end(self, reason: Reason, now: float) -> str | None:
        """Take that the session ended, but by no will of ours; return why, in words, if it may be due to a message."""
        sent = list(self._under_way.values())
        alone = sent[0] if self._wary and self._arrived and len(sent) == 1 else None
        self._wary = True
        self._doubted = max((each.order for each in sent if each.order is not None), default=START)
        if alone is None or not reason.may_be_a_message:
            return None
        self._barriers.lost_at(alone.topic, alone.order, alone.size, now, reason)
        return hung_up(alone.size, alone.topic, reason)

    def reply(self, reply: Reply) -> None:
        """Have an answer sent."""
        self._replies.append(reply)

    def send(self, session: Session, now: float) -> list[str]:
        """Send as much as the window allows; return what is wrong, in words, with each message that is set aside."""
        problems = [*self._send_replies(session, now), *self._send_notices(session, now)]
        self._trust_again(now)
        if now >= self._retry_at or self._epoch != self._outbox.epoch:
            self._start_over()
        return [*problems, *self._send_events(session, now)]

    def settle(self, mid: int, reason: Reason, now: float) -> str | None:
        """Take the broker's answer to a message; return what is wrong, in words, if it was refused."""
        sent = self._under_way.pop(mid, None)
        if sent is None:
            return None
        if reason.code == PACKET_TOO_LARGE:
            self._set_aside(sent.order, now + self._too_large_s)
            return set_aside(sent.what, sent.size, sent.topic, reason)
        self._arrived = True
        self._barriers.passed(sent.topic, sent.size)
        if reason.is_failure and sent.optional:
            _log.info("%s", rejected(reason, sent.topic))
            return None
        if reason.is_failure:
            if reason.is_of_one_message:
                self._set_aside(sent.order, now + self._refused_s)
            elif sent.order is not None:
                self._hold(sent.topic, now + self._refused_s)
            return rejected(reason, sent.topic)
        if sent.order is not None:
            self._outbox.acknowledge(sent.order)
        elif sent.takes_down:
            self._board.taken_down(sent.topic)
        return None

    def next_due(self) -> float:
        """Return when the next notice can be sent; infinity while that is up to an acknowledgement."""
        return self._board.next_due() if self._room() > 0 else float("inf")

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

    def _room(self) -> int:
        return (1 if self._wary else self._window) - len(self._under_way)

    def _trust_again(self, now: float) -> None:
        # Notices go before events, and the cursor is behind those that were under way.
        idle = not self._under_way and not self._replies and self._board.next_due() > now
        if self._wary and idle and self._cursor >= self._doubted:
            self._wary = False

    def _send_replies(self, session: Session, now: float) -> Iterator[str]:
        while self._replies and self._room() > 0:
            reply = self._replies.popleft()
            size = packet_bytes(reply.topic, reply.payload, 1, reply.correlation)
            if barrier := self._barriers.against(reply.topic, size, now):
                yield set_aside("an answer", size, reply.topic, barrier.reason)
                continue
            mid = session.publish(reply.topic, reply.payload, 1, retain=False, correlation=reply.correlation)
            self._under_way[mid] = _Sent(reply.topic, now, None, "an answer", size)

    def _send_notices(self, session: Session, now: float) -> Iterator[str]:
        while self._room() > 0 and (notice := self._board.take(now)):
            # What is not acknowledged could not be told from what it goes with.
            qos = 1 if self._wary else notice.qos
            size = packet_bytes(notice.topic, notice.payload, qos)
            if barrier := self._barriers.against(notice.topic, size, now):
                yield set_aside("a message", size, notice.topic, barrier.reason)
                continue
            mid = session.publish(notice.topic, notice.payload, qos, retain=True)
            if qos:
                takes_down = not notice.payload
                self._under_way[mid] = _Sent(notice.topic, now, None, "a message", size, notice.optional, takes_down)

    def _send_events(self, session: Session, now: float) -> Iterator[str]:
        while (room := self._room()) > 0:
            entries = self._outbox.after(self._cursor, room)
            if not entries:
                return
            for entry in entries:
                problem = self._send_event(session, entry, now)
                if problem:
                    yield problem

    def _send_event(self, session: Session, entry: Entry, now: float) -> str | None:
        self._cursor = entry.order
        topic = self._topics.event(entry.event.source)
        under_way = any(sent.order == entry.order for sent in self._under_way.values())
        if topic in self._held or under_way:
            return None
        if now < self._aside.get(entry.order, now):
            self._retry_at = min(self._retry_at, self._aside[entry.order])
            return None
        event = replace(entry.event, is_historical=entry.order <= self._history)
        payload = encode(event)
        what, size = f"event {event.id} ({event.type})", packet_bytes(topic, payload, 1)
        if barrier := self._barriers.against(topic, size, now):
            if barrier.most:
                self._set_aside(entry.order, barrier.until)
            else:
                self._hold(topic, barrier.until)
            return set_aside(what, size, topic, barrier.reason)
        mid = session.publish(topic, payload, 1, retain=False)
        self._under_way[mid] = _Sent(topic, now, entry.order, what, size)
        return None

    def _hold(self, topic: str, until: float) -> None:
        self._held.add(topic)
        self._retry_at = min(self._retry_at, until)

    def _set_aside(self, order: int | None, until: float) -> None:
        if order is not None:
            self._aside[order] = until
            self._retry_at = min(self._retry_at, until)

    def _start_over(self) -> None:
        self._epoch = self._outbox.epoch
        self._cursor = START
        self._held.clear()
        self._retry_at = float("inf")
