"""Events over what a plant does to a device: killed processes, brokers that stop, disks without room."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge_asd.publish import Event, Publisher
from edge_asd.publish.outbox import START, Outbox
from edge_asd.publish.spool import SpoolFile
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import Broker, Listener, Message

MakePublisher = Callable[..., Publisher]
MakeEvent = Callable[..., Event]

WAIT_S = 15
# A hundred take two minutes.
ROUNDS = int(os.environ.get("EDGE_ASD_TEST_KILLS", "6"))
# Publishes events one after the other, and prints the id of each once the disk has it.
STREAM = """
import sys, time
from pathlib import Path
from edge_asd.firmware import Mqtt
from edge_asd.publish import BundleReference, Event, Info, Publisher
from edge_asd.publish.outbox import Outbox
from edge_asd.publish.pacing import Backoff
from edge_asd.publish.spool import SpoolFile
from edge_asd.ulid import new_ulid

WHEN = "2026-01-05T10:11:12.345Z"
outbox = Outbox(lambda: SpoolFile(Path(sys.argv[2]), 8 << 20, 3600.0))
info = Info(ts=WHEN, software={}, sources=[], configuration={})
mqtt = Mqtt(host="127.0.0.1", port=int(sys.argv[1]))
with Publisher("pi-07", mqtt, None, info, outbox=outbox, backoff=Backoff(0.2, first_s=0.05)) as publisher:
    while True:
        event = Event(
            ts=WHEN, id=new_ulid(), type="new", source="pump-3", score=1.0, threshold=1.0, peak=1.0, window_s=10,
            severity="alarm", since=WHEN, bundle=BundleReference(id="pump-3", sha256="ab" * 32),
        )
        publisher.event(event)
        while outbox.summary().in_memory:
            time.sleep(0.0005)
        print(event.id, flush=True)
"""


def streamed(port: int, path: Path, after_events: int) -> list[str]:
    """Run STREAM until it has printed so many ids, kill it at some moment after, and return what it printed."""
    child = subprocess.Popen([sys.executable, "-c", STREAM, str(port), str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    ids = [child.stdout.readline().strip() for _ in range(after_events)]
    threading.Event().wait(random.uniform(0, 0.02))
    os.kill(child.pid, signal.SIGKILL)
    ids += child.stdout.read().splitlines()
    child.wait()
    # The last line may have been cut off in the middle.
    return [each for each in ids if len(each) == 26]


def first_of_each_id(messages: list[Message]) -> list[Any]:
    documents: dict[str, Any] = {}
    for message in messages:
        documents.setdefault(message.json()["id"], message.json())
    return list(documents.values())


def test_no_event_is_lost_to_kill_9(
    broker: Broker, make_publisher: MakePublisher, make_event: MakeEvent, tmp_path: Path
) -> None:
    path = tmp_path / "pi-07.spool"
    kept: list[str] = []
    with broker.listener("edge-asd/pi-07/+/event") as listener:
        for index in range(ROUNDS):
            # With a broker and without one.
            kept += streamed(1 if index % 2 else broker.port, path, random.randrange(1, 40))
        outbox = Outbox(lambda: SpoolFile(path, 8 << 20, 3600.0))
        last = make_event()
        with make_publisher(broker.port, outbox=outbox) as publisher:
            publisher.event(last)
            listener.wait_for(lambda message: last.id in message.payload, timeout_s=60)
            wait_until(lambda: publisher.statistics().spool.depth == 0)
        arrived = first_of_each_id(listener.messages())
    ids = [document["id"] for document in arrived]
    assert len(kept) >= ROUNDS
    assert [each for each in ids if each in set(kept)] == kept
    # Beyond those there is at most the one that each process was about to print.
    assert len(ids) <= len(kept) + ROUNDS + 1
    assert [document["seq"] for document in arrived] == sorted(document["seq"] for document in arrived)
    assert arrived[-1]["id"] == last.id
    with closing(SpoolFile(path, 8 << 20, 3600.0)) as file:
        assert file.stock().depth == 0


def test_what_a_stopped_process_could_not_send_is_sent_by_the_next_as_history(
    broker: Broker,
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def outbox() -> Outbox:
        return Outbox(lambda: SpoolFile(tmp_path / "spool", 8 << 20, 3600.0))

    made = [make_event(type="end") for _ in range(100)]
    with make_publisher(1, outbox=outbox(), stop_s=0.1) as publisher:
        for event in made:
            publisher.event(event)
    assert "stopped with 100 events that the broker has not acknowledged; they are kept" in caplog.text
    with broker.listener() as listener, make_publisher(broker.port, outbox=outbox()) as publisher:
        assert publisher.wait_connected(WAIT_S)
        made.append(make_event())
        publisher.event(made[-1])
        messages = listener.wait_for(lambda message: message.topic.endswith("event"), 101)
    documents = [message.json() for message in messages]
    assert [document["id"] for document in documents] == [event.id for event in made]
    assert [document["is_historical"] for document in documents] == [True] * 100 + [False]


def test_alarms_arrive_while_the_disk_is_full(
    broker: Broker, make_publisher: MakePublisher, make_event: MakeEvent, tmp_path: Path
) -> None:
    path = tmp_path / "spool"
    with broker.listener("edge-asd/pi-07/+/event") as listener:
        room = resource.getrlimit(resource.RLIMIT_FSIZE)
        outbox = Outbox(lambda: SpoolFile(path, 8 << 20, 3600.0), retry_s=0.1)
        with make_publisher(broker.port, outbox=outbox) as publisher:
            made = [make_event()]
            publisher.event(made[0])
            wait_until(lambda: publisher.statistics().spool.in_memory == 0)
            try:
                # No file can grow any more: the kernel refuses, as a full disk does.
                resource.setrlimit(resource.RLIMIT_FSIZE, (8192, room[1]))
                for _ in range(50):
                    made.append(make_event())
                    publisher.event(made[-1])
                wait_until(lambda: bool(publisher.statistics().spool.error))
                listener.wait_for(lambda message: made[-1].id in message.payload)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, room)
            wait_until(lambda: publisher.statistics().spool.error is None and publisher.statistics().spool.depth == 0)
        assert [document["id"] for document in first_of_each_id(listener.messages())] == [event.id for event in made]
    with closing(SpoolFile(path, 8 << 20, 3600.0)) as file:
        assert file.after(START, 100) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("mounting a disk takes root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_fills_up_costs_no_alarm_and_is_used_again_when_there_is_room(
    broker: Broker, make_publisher: MakePublisher, make_event: MakeEvent, tiny_disk: Path
) -> None:
    def outbox() -> Outbox:
        return Outbox(lambda: SpoolFile(tiny_disk / "spool", 8 << 20, 3600.0), retry_s=0.1)

    made: list[Event] = []
    with make_publisher(1, outbox=outbox(), stop_s=0.1) as publisher:
        while publisher.statistics().spool.error is None:
            made.append(make_event())
            publisher.event(made[-1])
            assert len(made) < 4000
        assert "full" in (publisher.statistics().spool.error or "")
        assert publisher.statistics().spool.depth == len(made)
        subprocess.run(["mount", "-o", "remount,size=8m", tiny_disk], check=True)
        wait_until(lambda: publisher.statistics().spool.in_memory == 0)
        wait_until(lambda: publisher.statistics().spool.error is None)
    with (
        broker.listener("edge-asd/pi-07/+/event") as listener,
        make_publisher(broker.port, outbox=outbox()) as publisher,
    ):
        listener.wait_for(lambda message: made[-1].id in message.payload, timeout_s=60)
        wait_until(lambda: publisher.statistics().spool.depth == 0)
        assert [document["id"] for document in first_of_each_id(listener.messages())] == [event.id for event in made]


def test_a_stream_over_a_stopped_broker_arrives_whole_and_in_order_through_the_disk(
    make_broker: Callable[..., Broker], make_publisher: MakePublisher, make_event: MakeEvent, tmp_path: Path
) -> None:
    broker = make_broker("persistence true", f"persistence_location {tmp_path}/", "max_queued_messages 0")
    outbox = Outbox(lambda: SpoolFile(tmp_path / "spool", 8 << 20, 3600.0))
    made: list[Event] = []

    def stream(count: int) -> None:
        for _ in range(count):
            made.append(make_event())
            publisher.event(made[-1])

    listener: Listener
    with broker.listener("edge-asd/pi-07/+/event") as listener, make_publisher(broker.port, outbox=outbox) as publisher:
        assert publisher.wait_connected(WAIT_S)
        stream(100)
        listener.wait_for(lambda _: True, 100)
        broker.stop()
        wait_until(lambda: not publisher.connected)
        stream(1000)
        wait_until(lambda: publisher.statistics().spool.in_memory == 0)
        broker.start()
        assert publisher.wait_connected(WAIT_S)
        stream(100)
        wait_until(lambda: publisher.statistics().spool.depth == 0)
        listener.wait_for(lambda message: made[-1].id in message.payload)
        arrived = first_of_each_id(listener.messages())
    assert [document["id"] for document in arrived] == [event.id for event in made]
    assert [document["is_historical"] for document in arrived] == [False] * 100 + [True] * 1000 + [False] * 100
