from __future__ import annotations

from edge_asd.publish.barriers import Barriers
from edge_asd.publish.reasons import UNKNOWN, Reason

TOO_LARGE = Reason(149, "Packet too large")
FORBIDDEN = Reason(135, "Not authorized")


def passes(barriers: Barriers, topic: str, size: int, now: float = 0.0) -> bool:
    return barriers.against(topic, size, now) is None


def test_nothing_is_kept_back_until_something_is_known() -> None:
    barriers = Barriers(again_s=100.0)
    assert passes(barriers, "a", 1 << 30)
    barriers.begin(2000)
    assert passes(barriers, "a", 2000)
    barrier = barriers.against("a", 2001, 0.0)
    assert barrier
    assert (barrier.until, barrier.reason.code) == (float("inf"), 149)
    barriers.begin(None)
    assert passes(barriers, "a", 2001)


def test_a_topic_is_closed_for_a_while_to_what_connections_end_at_in_a_row() -> None:
    barriers = Barriers(again_s=100.0)
    for now in range(Barriers.MANY):
        assert passes(barriers, "a", 500, now)
        barriers.lost_at("a", 7, 500, now, UNKNOWN)
        barriers.passed("a", 499)
        barriers.passed("b", 1000)
    assert passes(barriers, "a", 499, now)
    assert passes(barriers, "b", 1000, now)
    assert not passes(barriers, "a", 500, now + 99.9)
    assert passes(barriers, "a", 500, now + 100.0)


def test_as_large_a_packet_that_gets_through_or_another_one_begins_the_count_anew() -> None:
    barriers = Barriers(again_s=100.0)
    for _ in range(5):
        for _ in range(Barriers.MANY - 1):
            barriers.lost_at("a", 7, 500, 0.0, UNKNOWN)
        barriers.passed("a", 500)
    for order in (1, 2) * 5:
        barriers.lost_at("a", order, 500, 0.0, UNKNOWN)
    assert passes(barriers, "a", 500)


def test_a_broker_that_has_said_so_is_believed() -> None:
    barriers = Barriers(again_s=100.0)
    barriers.lost_at("a", 7, 500, 0.0, TOO_LARGE)
    assert not passes(barriers, "b", 500)
    assert passes(barriers, "b", 499)
    barriers.lost_at("c", None, 20, 0.0, FORBIDDEN)
    assert not passes(barriers, "c", 1)
    barriers.begin(300)
    assert not passes(barriers, "b", 301)
