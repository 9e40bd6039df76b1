from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_asd.publish import Event
from edge_asd.publish.outbox import MemoryOutbox, Outbox

MakeEvent = Callable[..., Event]


def scores(outbox: Outbox, order: int = 0, count: int = 100) -> list[float]:
    return [entry.event.score for entry in outbox.after(order, count)]


def test_events_stay_in_order_until_they_are_acknowledged(make_event: MakeEvent) -> None:
    outbox = MemoryOutbox()
    for _ in range(4):
        outbox.put(make_event())
    assert scores(outbox) == [10, 11, 12, 13]
    assert scores(outbox, 2) == [12, 13]
    assert scores(outbox, 0, 2) == [10, 11]
    outbox.acknowledge(2)
    outbox.acknowledge(2)
    assert scores(outbox) == [10, 12, 13]
    assert outbox.newest() == 4


def test_the_summary_tells_how_many_wait_and_since_when(make_event: MakeEvent) -> None:
    outbox = MemoryOutbox()
    assert (outbox.summary().depth, outbox.summary().oldest, outbox.newest()) == (0, None, 0)
    outbox.put(make_event(ts="2026-01-05T10:11:12.345Z"))
    outbox.put(make_event())
    assert (outbox.summary().depth, outbox.summary().oldest) == (2, "2026-01-05T10:11:12.345Z")


def test_when_it_is_full_the_oldest_of_the_least_important_goes_and_is_counted(
    make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = MemoryOutbox(capacity=4)
    outbox.put(make_event())  # 10
    outbox.put(make_event(type="update"))  # 11
    outbox.put(make_event(severity="warning"))  # 12
    outbox.put(make_event(type="update"))  # 13
    kept = []
    for _ in range(5):
        outbox.put(make_event())  # 14 to 18
        kept.append(scores(outbox))
    assert kept == [[10, 12, 13, 14], [10, 12, 14, 15], [10, 14, 15, 16], [14, 15, 16, 17], [15, 16, 17, 18]]
    assert outbox.summary().dropped == 5
    assert "4 events dropped" in caplog.text
