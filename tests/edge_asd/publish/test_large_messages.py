"""Messages that are too large for the broker: named and set aside, and all others arrive once and in order."""

from __future__ import annotations

import logging
import queue
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge_asd.firmware import Mqtt
from edge_asd.publish import Event, Health, Info, Publisher, SourceHealth, mqtt
from edge_asd.publish.barriers import Barriers
from edge_asd.publish.mqtt import Login, Version
from edge_asd.publish.session import Connected, Report, Session
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import Broker, Listener

MakeBroker = Callable[..., "Broker"]
MakePublisher = Callable[..., Publisher]
MakeEvent = Callable[..., Event]

WAIT_S = 15
LONG = "x" * 3000
CONNACK_5 = bytes([0x20, 3, 0, 0, 0])


def figures(publisher: Publisher) -> Any:
    return publisher.statistics().broker


def warnings(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    return [record.getMessage() for record in records if words in record.getMessage()]


def arrived(listener: Listener) -> list[str]:
    return [message.json()["id"] for message in listener.messages("event")]


# mosquitto acknowledges what it drops for its `message_size_limit` under 3.1.1, which has no word for it.
@pytest.mark.parametrize(
    ("limit", "version"),
    [("message_size_limit 2000", "5"), ("max_packet_size 2000", "5"), ("max_packet_size 2000", "3.1.1")],
)
def test_an_event_that_is_too_large_is_named_and_those_behind_it_arrive_once_and_in_order(
    make_broker: MakeBroker,
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    limit: str,
    version: Version,
) -> None:
    broker = make_broker(limit)
    with broker.listener("edge-asd/#") as listener, make_publisher(broker.port, version=version) as publisher:
        assert publisher.wait_connected(WAIT_S)
        made = [make_event(reason=LONG if index in {2, 5} else None) for index in range(8)]
        for event in made:
            publisher.event(event)
        kept = [event.id for index, event in enumerate(made) if index not in {2, 5}]
        listener.wait_for(lambda message: kept[-1] in message.payload)
        wait_until(lambda: publisher.statistics().spool.depth == 2 and figures(publisher).refused >= 2)
        publisher.event(later := make_event())
        listener.wait_for(lambda message: later.id in message.payload)
        # What arrived just before a connection was lost may be sent again.
        assert list(dict.fromkeys(arrived(listener))) == [*kept, later.id]
        assert version == "3.1.1" or (len(arrived(listener)), figures(publisher).connections) == (7, 1)
        # Of the discovery message and of the events it is found out by itself.
        assert figures(publisher).connections <= 2 + 2 * Barriers.MANY + 1
        for index in (2, 5):
            assert len(warnings(caplog, f"event {made[index].id} (new) of ")) == 1
        told = figures(publisher).last_error or ""
        assert "set aside" in told
        assert told.endswith("raise the broker's limit on the size of a packet")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_notices_that_are_too_large_keep_no_event_back(
    make_broker: MakeBroker,
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    info: Info,
    caplog: pytest.LogCaptureFixture,
    version: Version,
) -> None:
    broker = make_broker("max_packet_size 1200")
    health = Health(ts=info.ts, uptime_s=1, cpu_temperature_c=None, rss_bytes=None, sources={})
    large = SourceHealth(microphone="ok", frames_dropped=0, windows_scored=0)
    with broker.listener("edge-asd/#") as listener, make_publisher(broker.port, version=version) as publisher:
        # Without an acknowledgement, else.
        publisher.health(replace(health, sources={f"pump-{index}": large for index in range(9)}))
        publisher.event(event := make_event())
        listener.wait_for(lambda message: event.id in message.payload)
        wait_until(lambda: publisher.statistics().spool.depth == 0)
        for topic in ("edge-asd/pi-07/health", "homeassistant/device/pi-07/config"):
            words = "is larger than the broker takes" if version == "5" else "is set aside, for connections end at it"
            assert len(warnings(caplog, f"on {topic} {words}")) == 1
        publisher.health(health)
        listener.wait_for(lambda message: message.topic.endswith("health"))
        assert {message.topic.rpartition("/")[2] for message in listener.messages()} >= {"info", "availability"}


def test_a_refusal_that_the_client_library_does_not_know_is_found_out(
    make_broker: MakeBroker, make_publisher: MakePublisher, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {code: {name: list(packets) for name, packets in names.items()} for code, names in ReasonCode.names.items()}
    table[149]["Packet too large"] = [PacketTypes.CONNACK, PacketTypes.DISCONNECT]
    monkeypatch.setattr(ReasonCode, "names", table)
    monkeypatch.setattr(mqtt, "learn_refusals", lambda: None)
    broker = make_broker("message_size_limit 2000")
    with broker.listener("edge-asd/#") as listener, make_publisher(broker.port) as publisher:
        made = [make_event(reason=LONG if index == 1 else None) for index in range(4)]
        for event in made:
            publisher.event(event)
        listener.wait_for(lambda message: made[-1].id in message.payload)
        wait_until(lambda: publisher.statistics().spool.depth == 1)
        assert list(dict.fromkeys(arrived(listener))) == [made[index].id for index in (0, 2, 3)]


def test_every_refusal_is_known_as_one_of_a_message() -> None:
    mqtt.learn_refusals()
    for code in (149, 128, 151, 130):
        read = ReasonCode(PacketTypes.PUBACK)
        read.unpack(bytes([code]))
        assert mqtt.reason(read).code == code
    assert str(ReasonCode(PacketTypes.DISCONNECT, identifier=149)) == "Packet too large"


def test_bytes_of_a_packet_are_those_that_are_sent() -> None:
    received = bytearray()
    reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as server:
        login = Login("pi-07", Mqtt(host="127.0.0.1", port=server.getsockname()[1]), "will", "")
        session = Session(login, "5", reports.put)
        session.open()
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(CONNACK_5)
            while not isinstance(reports.get(timeout=WAIT_S), Connected):
                pass
            expected = 0
            for size in (0, 100, 120, 16_360, 16_380, 70_000):
                for qos, correlation in ((0, None), (1, None), (1, b"x" * 10), (1, b"x" * 200)):
                    session.publish("a/ü", b"x" * size, qos, retain=True, correlation=correlation)
                    expected += mqtt.packet_bytes("a/ü", b"x" * size, qos, correlation)
            connection.settimeout(WAIT_S)
            while len(received) < expected:
                received += connection.recv(65536)
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        session.close(with_will=True)
    assert len(received) == expected
