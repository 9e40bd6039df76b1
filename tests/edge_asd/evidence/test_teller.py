"""Events are told in their order, and at their time, whatever becomes of the clips."""

from __future__ import annotations

import threading
import time

import pytest

from edge_asd.evidence import Saving, Teller, teller
from edge_asd.publish import BundleReference, Clip, Event
from edge_asd.ulid import new_ulid

CLIP = Clip(path="/clips/1.flac", sha256="ab" * 32)


def event(kind: str) -> Event:
    return Event(
        ts="2026-01-01T00:00:00.000Z",
        id=new_ulid(),
        type=kind,  # type: ignore[arg-type]
        source="pump-3",
        score=2.0,
        threshold=1.0,
        peak=2.0,
        window_s=1.0,
        severity="warning",
        since="2026-01-01T00:00:00.000Z",
        bundle=BundleReference(id="pump-3", sha256="cd" * 32),
    )


class Told:
    """Keeps what is told, and when."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Clip | None]] = []
        self.times: list[float] = []

    def __call__(self, event: Event) -> None:
        self.events.append((event.type, event.clip))
        self.times.append(time.monotonic())


def settled(clip: Clip | None) -> Saving:
    saving = Saving()
    saving.settle(clip)
    return saving


@pytest.mark.parametrize(("saving", "clip"), [(None, None), (settled(CLIP), CLIP), (settled(None), None)])
def test_what_need_not_wait_is_told_at_once(saving: Saving | None, clip: Clip | None) -> None:
    told = Told()
    Teller(told).event(event("end"), saving)
    assert told.events == [("end", clip)]


def test_an_end_waits_for_its_clip_and_what_follows_waits_behind_it() -> None:
    told, first, second = Told(), Saving(), Saving()
    teller = Teller(told)
    for kind, saving in (("end", first), ("new", None), ("update", None), ("end", second), ("new", None)):
        teller.event(event(kind), saving)
    assert not told.events
    second.settle(None)
    time.sleep(0.05)
    assert not told.events
    first.settle(CLIP)
    teller.settle()
    assert told.events == [("end", CLIP), ("new", None), ("update", None), ("end", None), ("new", None)]
    teller.event(event("end"))
    assert len(told.events) == 6


def test_nothing_is_late_by_more_than_an_end_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teller, "FINISH_S", 0.2)
    told, given = Told(), []
    waiting = Teller(told)
    for number in range(12):
        given.append(time.monotonic())
        waiting.event(event("new" if number % 2 else "end"), None if number % 2 else Saving())
        time.sleep(0.05)
    waiting.settle()
    assert [kind for kind, _ in told.events] == ["end", "new"] * 6
    assert all(0 <= then - now < 1 for now, then in zip(given, told.times, strict=True))


def test_one_that_cannot_be_told_costs_no_other() -> None:
    told, saving = Told(), Saving()

    def tell(event: Event) -> None:
        if event.type == "update":
            raise ValueError
        told(event)

    teller = Teller(tell)
    for kind in ("end", "update", "new"):
        teller.event(event(kind), saving if kind == "end" else None)
    saving.settle(CLIP)
    teller.settle()
    assert told.events == [("end", CLIP), ("new", None)]


def test_without_a_thread_an_end_is_told_without_its_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    told = Told()
    teller = Teller(told)
    for kind, saving in (("end", Saving()), ("new", None)):
        teller.event(event(kind), saving)
    assert told.events == [("end", None), ("new", None)]
