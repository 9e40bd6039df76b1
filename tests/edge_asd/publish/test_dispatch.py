from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

from edge_asd.publish import Event
from edge_asd.publish.board import Board, Notice
from edge_asd.publish.dispatch import Dispatcher
from edge_asd.publish.outbox import Outbox
from edge_asd.publish.reasons import Reason
from edge_asd.publish.session import Session
from edge_asd.publish.topics import Topics

MakeEvent = Callable[..., Event]

SUCCESS = Reason(0, "Success")
FORBIDDEN = Reason(135, "Not authorized")
NOW = float("-inf")


class Recorder:
    """Takes the place of a session: numbers what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> int:
        self.sent.append((topic, payload))
        return len(self.sent)

    def events(self) -> list[tuple[float, bool]]:
        """Score and whether historical, of each event."""
        documents = [json.loads(payload) for topic, payload in self.sent if topic.endswith("/event")]
        return [(document["score"], document["is_historical"]) for document in documents]


class Desk:
    """A dispatcher with all it needs."""

    def __init__(self, window: int = 20) -> None:
        self.board = Board()
        self.outbox = Outbox()
        self.dispatcher = Dispatcher(Topics("edge-asd", "pi-07"), self.board, self.outbox, refused_s=60.0)
        self.connect(window)

    def connect(self, window: int = 20) -> None:
        self.recorder = Recorder()
        self.dispatcher.begin(window)

    def send(self, now: float = 0.0) -> None:
        self.dispatcher.send(cast("Session", self.recorder), now)

    def scores(self) -> list[float]:
        return [score for score, _ in self.recorder.events()]


def test_no_more_than_the_window_is_under_way(make_event: MakeEvent) -> None:
    desk = Desk(window=3)
    desk.board.put(Notice("a", b"notice", 1, NOW))
    for _ in range(5):
        desk.outbox.put(make_event())
    desk.send()
    assert [topic for topic, _ in desk.recorder.sent] == ["a", *["edge-asd/pi-07/pump-3/event"] * 2]
    desk.send()
    assert len(desk.recorder.sent) == 3
    desk.dispatcher.settle(2, SUCCESS, 0.0)
    desk.send()
    assert desk.scores() == [10, 11, 12]


def test_notices_without_acknowledgement_take_no_room(make_event: MakeEvent) -> None:
    desk = Desk(window=1)
    for topic in "abc":
        desk.board.put(Notice(topic, b"notice", 0, NOW))
    desk.outbox.put(make_event())
    desk.send()
    assert len(desk.recorder.sent) == 4


def test_an_event_leaves_the_outbox_when_it_is_acknowledged_and_not_before(make_event: MakeEvent) -> None:
    desk = Desk()
    desk.outbox.put(make_event())
    desk.send()
    assert not desk.dispatcher.is_drained(0.0)
    assert desk.dispatcher.settle(99, SUCCESS, 0.0) is None  # not ours
    assert desk.outbox.summary().depth == 1
    assert desk.dispatcher.settle(1, SUCCESS, 0.0) is None
    assert desk.outbox.summary().depth == 0
    assert desk.dispatcher.is_drained(0.0)


def test_what_was_not_acknowledged_is_sent_again_as_history_on_the_next_connection(make_event: MakeEvent) -> None:
    desk = Desk()
    desk.outbox.put(make_event())
    desk.send()
    assert desk.recorder.events() == [(10, False)]
    desk.outbox.put(make_event())
    desk.connect()
    desk.outbox.put(make_event())
    desk.send()
    assert desk.recorder.events() == [(10, True), (11, True), (12, False)]


def test_a_refused_event_holds_its_topic_back_and_no_other(make_event: MakeEvent) -> None:
    desk = Desk()
    desk.outbox.put(make_event())
    desk.send()
    problem = desk.dispatcher.settle(1, FORBIDDEN, 0.0)
    assert problem is not None
    assert "edge-asd/pi-07/pump-3/event" in problem
    desk.outbox.put(make_event())
    desk.outbox.put(make_event(source="fan"))
    desk.send(59.0)
    assert desk.scores() == [10, 12]
    assert desk.outbox.summary().depth == 3
    desk.send(60.0)  # the fan's is under way and not sent twice
    assert desk.scores() == [10, 12, 10, 11]


def test_a_refused_notice_is_told_and_not_tried_again_until_it_changes() -> None:
    desk = Desk()
    desk.board.put(Notice("a", b"1", 1, NOW))
    desk.send()
    assert "a message on a" in (desk.dispatcher.settle(1, FORBIDDEN, 0.0) or "")
    desk.send(1000.0)
    assert len(desk.recorder.sent) == 1
    assert desk.dispatcher.is_drained(1000.0)


def test_the_oldest_acknowledgement_that_is_missing_is_what_counts(make_event: MakeEvent) -> None:
    desk = Desk()
    assert desk.dispatcher.waiting_s(100.0) == 0
    for now in (1.0, 2.0):
        desk.outbox.put(make_event())
        desk.send(now)
    assert desk.dispatcher.waiting_s(10.0) == 9.0
    desk.dispatcher.settle(1, SUCCESS, 10.0)
    assert desk.dispatcher.waiting_s(10.0) == 8.0
