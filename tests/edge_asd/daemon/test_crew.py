"""Who listens for a plan, and what becomes of a listener that has failed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_asd.capture import Block, Files, Microphone, SourceAddress
from edge_asd.daemon import listener
from edge_asd.daemon.crew import AGAIN_S, Crew
from edge_asd.daemon.judgement import Audience
from edge_asd.daemon.plan import Plan, Post
from edge_asd.errors import InputError
from edge_asd.evidence import store
from edge_asd.firmware import Evidence, Firmware, Mqtt, Source
from edge_asd.interpreter import Engine
from edge_asd.publish import Event, State
from tests.handmade import hum, write_handmade


class Told:
    """Keeps the events that it is told of."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def state(self, state: State) -> None:
        pass

    def event(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def failing_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that cannot be used when they are first opened, and are heard for a while from then on."""
    attempts: list[SourceAddress] = []

    @contextlib.contextmanager
    def open_capture(address: SourceAddress, **_options: Any) -> Iterator[list[Block]]:
        attempts.append(address)
        if len(attempts) == 1:
            raise InputError("mic:USB", expected="one microphone", found="two")
        yield [Block(hum(5, 1), 0)]

    monkeypatch.setattr(listener, "open_capture", open_capture)


def crew_of(
    address: SourceAddress, folder: Path, audience: Audience | None = None, evidence: Evidence | None = None
) -> Crew:
    source = Source(name="hum", bundle="hum.easd", source="mic:USB")
    post = Post(source, address, write_handmade(folder / "hum.easd"), Engine(), frozenset())
    firmware = Firmware(device="bench-1", mqtt=Mqtt(host="127.0.0.1"), sources=[source])
    crew = Crew(audience or Told(), evidence or Evidence(enabled=False))
    crew.change(crew.prepare(Plan(firmware, folder / "firmware.yaml", None, "", {"hum": post})))
    crew.listeners["hum"].join(10)
    return crew


def test_a_microphone_whose_listener_has_failed_is_listened_to_again(tmp_path: Path, failing_once: None) -> None:
    crew = crew_of(Microphone("USB"), tmp_path)
    assert "expected one microphone, found two" in crew.failed()["hum"]
    crew.listeners["hum"].judgement.arm(armed=False)
    crew.replace_failed(100.0)
    crew.replace_failed(100.0 + AGAIN_S - 1)
    assert crew.failed()
    crew.replace_failed(100.0 + AGAIN_S)
    crew.listeners["hum"].join(10)
    assert not crew.failed()
    assert crew.health()["hum"].windows_scored > 0
    assert not crew.listeners["hum"].judgement.armed
    crew.leave()


def test_a_recording_that_could_not_be_heard_is_not_begun_again(tmp_path: Path, failing_once: None) -> None:
    crew = crew_of(Files(tmp_path), tmp_path)
    crew.replace_failed(100.0)
    crew.replace_failed(100.0 + 2 * AGAIN_S)
    assert crew.failed()
    crew.leave()


def test_who_leaves_has_told_how_the_anomalies_ended_though_the_disk_hangs(
    tmp_path: Path, failing_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(store, "write_atomically", lambda *_: goes_on.wait(30))
    told = Told()
    crew = crew_of(Files(tmp_path), tmp_path, told, Evidence(path=str(tmp_path / "clips"), keep_free_bytes=0))
    listener = crew.listeners["hum"]
    assert listener.recorder is not None
    # It listens no more; what commands end is told of all the same.
    listener.recorder.hear(hum(1, 1))
    listener.judgement.report("ok", "heard", 0.0)
    listener.judgement.decide(100.0, 1.0)
    listener.judgement.arm(armed=False)
    assert [event.type for event in told.events] == ["new"]
    crew.leave()
    assert [event.type for event in told.events] == ["new", "end"]
    goes_on.set()
