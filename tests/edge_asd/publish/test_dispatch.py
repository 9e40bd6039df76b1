from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

import pytest

from edge_asd.publish import Event
from edge_asd.publish.barriers import Barriers
from edge_asd.publish.board import Board, Notice
from edge_asd.publish.dispatch import Dispatcher
from edge_asd.publish.outbox import Outbox
from edge_asd.publish.reasons import UNKNOWN, Reason
from edge_asd.publish.requests import Reply
from edge_asd.publish.session import Session
from edge_asd.publish.topics import Topics

MakeEvent = Callable[..., Event]

SUCCESS = Reason(0, "Success")
FORBIDDEN = Reason(135, "Not authorized")
TOO_LARGE = Reason(149, "Packet too large")
NOW = float("-inf")


class Recorder:
    """Takes the place of a session: numbers what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool, correlation: bytes | None = None) -> int:
        self.sent.append((topic, payload))
        return len(self.sent)

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.sent]

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

    def connect(self, window: int = 20, largest: int | None = None) -> None:
        self.recorder = Recorder()
        self.settled = 0
        self.dispatcher.begin(window, largest)

    def send(self, now: float = 0.0) -> list[str]:
        return self.dispatcher.send(cast("Session", self.recorder), now)

    def send_all(self, most: float = float("inf"), now: float = 0.0) -> list[str]:
        """Send and have acknowledged one message after the other, up to one of more than so many bytes of payload."""
        told = []
        while True:
            told += self.send(now)
            if len(self.recorder.sent) == self.settled or len(self.recorder.sent[self.settled][1]) > most:
                return told
            self.settled += 1
            self.dispatcher.settle(self.settled, SUCCESS, now)

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


def test_an_event_refused_for_what_it_holds_keeps_no_other_back(make_event: MakeEvent) -> None:
    desk = Desk()
    for _ in range(2):
        desk.outbox.put(make_event())
    desk.send()
    assert "Payload format invalid" in (desk.dispatcher.settle(1, Reason(153, "Payload format invalid"), 0.0) or "")
    desk.dispatcher.settle(2, SUCCESS, 0.0)
    desk.outbox.put(make_event())
    desk.send(1.0)
    desk.dispatcher.settle(3, SUCCESS, 1.0)
    assert desk.scores() == [10, 11, 12]
    desk.send(60.0)
    assert desk.scores() == [10, 11, 12, 10]
    desk.dispatcher.settle(4, SUCCESS, 60.0)
    assert desk.outbox.summary().depth == 0


def test_a_refused_notice_is_told_and_not_tried_again_until_it_changes() -> None:
    desk = Desk()
    desk.board.put(Notice("a", b"1", 1, NOW))
    desk.send()
    assert "a message on a" in (desk.dispatcher.settle(1, FORBIDDEN, 0.0) or "")
    desk.send(1000.0)
    assert len(desk.recorder.sent) == 1
    assert desk.dispatcher.is_drained(1000.0)


LONG = "x" * 2000


def test_an_event_refused_for_its_size_is_set_aside_alone_and_tried_again_later(make_event: MakeEvent) -> None:
    desk = Desk()
    large = make_event(reason=LONG)
    desk.outbox.put(large)
    desk.send()
    desk.outbox.put(make_event())
    problem = desk.dispatcher.settle(1, TOO_LARGE, 0.0) or ""
    assert f"event {large.id} (new)" in problem
    assert "edge-asd/pi-07/pump-3/event" in problem
    assert "raise the broker's limit" in problem
    desk.send(1.0)
    assert desk.scores() == [10, 11]
    desk.dispatcher.settle(2, FORBIDDEN, 1.0)
    desk.send(61.0)
    assert desk.scores() == [10, 11, 11]  # what was forbidden is tried again sooner
    desk.dispatcher.settle(3, SUCCESS, 61.0)
    assert desk.dispatcher.is_drained(61.0)
    desk.send(3600.0)
    assert desk.scores() == [10, 11, 11, 10]
    assert desk.outbox.summary().depth == 1
    desk.connect()
    desk.send(3601.0)
    assert desk.scores() == [10]


def test_a_discovery_message_refused_for_its_size_is_told() -> None:
    desk = Desk()
    desk.board.put(Notice("a", b"1", 1, NOW, optional=True))
    desk.send()
    assert "a message of 9 bytes on a" in (desk.dispatcher.settle(1, TOO_LARGE, 0.0) or "")


def test_what_exceeds_the_size_that_the_broker_tells_is_not_sent_and_told_once(make_event: MakeEvent) -> None:
    desk = Desk()
    desk.connect(largest=1000)
    desk.dispatcher.reply(Reply("reply", LONG.encode()))
    desk.dispatcher.reply(Reply("reply", b""))
    desk.board.put(Notice("a", LONG.encode(), 1, NOW, optional=True))
    desk.board.put(Notice("b", b"x", 1, NOW))
    for reason in (LONG, None, None):
        desk.outbox.put(make_event(reason=reason))
    told = desk.send()
    answer, message, event = told
    assert (answer.split(" of ")[0], message.split(" of ")[0]) == ("an answer", "a message")
    assert event.startswith("event ")
    assert desk.recorder.topics()[:2] == ["reply", "b"]
    assert desk.scores() == [11, 12]
    assert desk.send(1000.0) == []
    desk.connect(largest=100_000)
    assert desk.send() == []
    assert desk.scores() == [10, 11, 12]


def test_after_a_loss_all_go_one_at_a_time_until_what_was_under_way_has_arrived(make_event: MakeEvent) -> None:
    desk = Desk()
    desk.board.put(Notice("a", b"x", 0, NOW))
    for _ in range(3):
        desk.outbox.put(make_event())
    desk.send()
    desk.outbox.put(make_event())
    desk.outbox.put(make_event())
    assert desk.dispatcher.end(UNKNOWN, 0.0) is None  # any of three
    desk.connect()
    for mid in (1, 2, 3, 4):
        desk.send()
        assert len(desk.recorder.sent) == mid
        assert not desk.dispatcher.is_drained(0.0)
        desk.dispatcher.settle(mid, SUCCESS, 0.0)
    assert desk.recorder.topics()[0] == "a"  # with an acknowledgement, for once
    desk.send()
    assert desk.scores() == [10, 11, 12, 13, 14]


def lose(desk: Desk, most: float, now: float = 0.0, reason: Reason = UNKNOWN) -> tuple[list[str], str | None]:
    """A connection to a broker that hangs up at more than so many bytes."""
    desk.connect()
    return desk.send_all(most, now), desk.dispatcher.end(reason, now)


def test_an_event_at_which_connections_end_again_and_again_is_set_aside(make_event: MakeEvent) -> None:
    desk = Desk()
    desk.board.put(Notice("a", b"x", 1, NOW))
    for reason in (None, LONG, None, LONG + LONG, None):
        desk.outbox.put(make_event(reason=reason))
    assert desk.send_all(most=1500) == []
    assert desk.dispatcher.end(UNKNOWN, 0.0) is None
    for _ in range(Barriers.MANY):
        told, problem = lose(desk, most=1500)
        assert told == []
        assert "lost at a message of" in (problem or "")
    told, problem = lose(desk, most=1500)
    assert problem is None
    assert desk.scores() == [12, 14]
    assert [line.count("set aside") for line in told] == [1, 1]
    assert desk.outbox.summary().depth == 2
    assert desk.dispatcher.is_drained(0.0)
    # The broker may have learned meanwhile.
    desk.connect()
    assert len(desk.send_all(now=3599.0)) == 2
    assert desk.send_all(now=3600.0) == []
    assert desk.scores() == [11, 13]
    assert desk.outbox.summary().depth == 0


def test_a_broker_that_says_so_as_it_hangs_up_is_believed_at_once(make_event: MakeEvent) -> None:
    desk = Desk()
    desk.board.put(Notice("a", b"x", 1, NOW))
    desk.outbox.put(make_event(reason=LONG))
    desk.send_all(most=1500)
    assert desk.dispatcher.end(TOO_LARGE, 0.0) is None  # it might have been another message
    assert lose(desk, 1500, reason=TOO_LARGE) != ([], None)
    told, problem = lose(desk, 1500)
    assert (len(told), problem) == (1, None)


def end_at(desk: Desk, topic: str, reason: Reason) -> tuple[list[str], str | None]:
    """A connection to a broker that ends it at a message on a topic, and has acknowledged what came before."""
    desk.connect()
    told = []
    while True:
        told += desk.send()
        if topic in desk.recorder.topics() or len(desk.recorder.sent) == desk.settled:
            return told, desk.dispatcher.end(reason, 0.0) if topic in desk.recorder.topics() else None
        for mid in range(desk.settled + 1, len(desk.recorder.sent) + 1):
            desk.dispatcher.settle(mid, SUCCESS, 0.0)
        desk.settled = len(desk.recorder.sent)


@pytest.mark.parametrize(("reason", "losses"), [(FORBIDDEN, 1), (UNKNOWN, Barriers.MANY)])
@pytest.mark.parametrize("topic", ["home", "edge-asd/pi-07/fan-1/event"])
def test_a_topic_at_which_the_broker_ends_the_connection_keeps_no_other_back(
    make_event: MakeEvent, topic: str, reason: Reason, losses: int
) -> None:
    desk = Desk()
    desk.board.put(Notice("info", LONG.encode(), 1, NOW))
    desk.board.put(Notice("home", b"small", 1, NOW, optional=True))
    for source in ("fan-1", "fan-1", "pump-3"):
        desk.outbox.put(make_event(source=source))
    end_at(desk, topic, reason)
    for _ in range(losses):
        told, problem = end_at(desk, topic, reason)
        assert told == []
        assert f" on {topic}: {reason.name}" in (problem or "")
        assert "allow this user to publish there" in (problem or "")
    told, problem = end_at(desk, topic, reason)
    assert problem is None
    assert len(told) == (1 if reason == FORBIDDEN or topic == "home" else 2)
    assert {line.partition(" on ")[2].split()[0] for line in told} == {topic}
    assert desk.scores() == ([10, 11, 12] if topic == "home" else [12])


@pytest.mark.parametrize("outage", ["nothing arrives", "another reason"])
def test_an_outage_sets_nothing_aside(make_event: MakeEvent, outage: str) -> None:
    desk = Desk()
    desk.board.put(Notice("a", b"x", 1, NOW))
    desk.outbox.put(make_event(reason=LONG))
    reason = Reason(139, "Server shutting down") if outage == "another reason" else UNKNOWN
    for now in range(10):
        desk.connect()
        desk.send(float(now))
        if outage != "nothing arrives":
            desk.dispatcher.settle(1, SUCCESS, float(now))
            desk.send(float(now))
        desk.dispatcher.end(reason, float(now))
    desk.connect()
    assert desk.send_all(now=10.0) == []
    assert desk.scores() == [10]
    assert desk.outbox.summary().depth == 0


def test_the_oldest_acknowledgement_that_is_missing_is_what_counts(make_event: MakeEvent) -> None:
    desk = Desk()
    assert desk.dispatcher.waiting_s(100.0) == 0
    for now in (1.0, 2.0):
        desk.outbox.put(make_event())
        desk.send(now)
    assert desk.dispatcher.waiting_s(10.0) == 9.0
    desk.dispatcher.settle(1, SUCCESS, 10.0)
    assert desk.dispatcher.waiting_s(10.0) == 8.0


def test_a_topic_is_taken_down_again_until_that_has_arrived() -> None:
    desk = Desk()
    desk.board.put(Notice("pump/state", b"the last state", 1, NOW, "normal"))
    desk.board.put(Notice("pump/state", b"", 1, NOW))
    desk.send()
    assert desk.recorder.sent == [("pump/state", b"the last state"), ("pump/state", b"")]
    # The state has arrived; what takes it down has not when the connection ends.
    desk.dispatcher.settle(1, SUCCESS, 0.0)
    for expected in ([("pump/state", b"")], []):
        desk.dispatcher.end(UNKNOWN, 1.0)
        desk.board.renew()
        desk.connect()
        desk.send_all(now=2.0)
        assert desk.recorder.sent == expected
