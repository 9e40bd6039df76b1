"""The publisher on a real broker."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from edge_asd.errors import InputError
from edge_asd.firmware import Mqtt, Tls
from edge_asd.publish import Event, Health, Info, Publisher, SourceHealth, State, payload_schemas
from edge_asd.publish.pacing import Patience
from edge_asd.publish.payloads import encode
from tests.edge_asd.publish.certificates import Certificates, encrypted, users
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import Broker, Listener, Message

MakePublisher = Callable[..., Publisher]
MakeBroker = Callable[..., "Broker"]
MakeEvent = Callable[..., Event]

WAIT_S = 15
VALIDATORS = {name: jsonschema.Draft202012Validator(schema) for name, schema in payload_schemas().items()}


def on(topic: str, payload: str | None = None) -> Callable[[Message], bool]:
    return lambda message: message.topic.endswith(topic) and payload in (None, message.payload)


def valid(message: Message) -> Any:
    document = json.loads(message.payload, parse_constant=pytest.fail)
    VALIDATORS[document["schema"]].validate(document)
    return document


def lines(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if words in record.getMessage()]


def last_error(publisher: Publisher) -> str:
    return publisher.statistics().broker.last_error or ""


def test_who_comes_later_finds_online_info_state_and_health_retained(
    broker: Broker, make_publisher: MakePublisher, make_state: Callable[..., State]
) -> None:
    with make_publisher(broker.port) as publisher:
        assert publisher.wait_connected(WAIT_S)
        publisher.state(make_state())
        source = SourceHealth(microphone="ok", frames_dropped=0, windows_scored=7)
        publisher.health(
            Health(ts=make_state().ts, uptime_s=3, cpu_temperature_c=48.5, rss_bytes=1, sources={"pump-3": source})
        )
        with broker.listener() as early:
            early.wait_for(on("health"))
        with broker.listener("edge-asd/#") as listener:
            listener.wait_for(lambda _: True, 4)
            found = {message.topic: message for message in listener.messages()}
    assert all(message.retained for message in found.values())
    assert found["edge-asd/pi-07/availability"].payload == "online"
    assert valid(found["edge-asd/pi-07/info"])["software"] == {"edge-asd": "1.2.3"}
    state = valid(found["edge-asd/pi-07/pump-3/state"])
    assert (state["verdict"], state["device"], state["source"]) == ("normal", "pi-07", "pump-3")
    health = valid(found["edge-asd/pi-07/health"])
    assert health["broker"]["connections"] == 1
    assert health["broker"]["protocol"] == "5"
    assert [found[f"edge-asd/pi-07/{topic}"].qos for topic in ("availability", "info", "health")] == [1, 1, 0]


def test_an_event_is_delivered_with_qos_1_and_not_retained(
    broker: Broker, make_publisher: MakePublisher, make_event: MakeEvent
) -> None:
    with broker.listener() as listener, make_publisher(broker.port) as publisher:
        assert publisher.wait_connected(WAIT_S)
        first, second = make_event(), make_event(type="end", reason="recovered")
        publisher.event(first)
        publisher.event(second)
        messages = listener.wait_for(on("pump-3/event"), 2)
        assert [(message.qos, message.retained) for message in messages] == [(1, False), (1, False)]
        documents = [valid(message) for message in messages]
        wait_until(lambda: publisher.statistics().spool.depth == 0)
    assert [document["id"] for document in documents] == [first.id, second.id]
    assert documents[1]["seq"] == documents[0]["seq"] + 1
    assert documents[0]["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert not documents[0]["is_historical"]
    with broker.listener() as late:
        late.wait_for(on("availability"))
        assert not late.messages("event")


def test_leaving_sends_what_waits_and_a_retained_offline(
    broker: Broker, make_publisher: MakePublisher, make_event: MakeEvent, make_state: Callable[..., State]
) -> None:
    with broker.listener() as listener:
        # Left before the connection stands: what was given before is sent all the same.
        with make_publisher(broker.port) as publisher:
            for _ in range(200):
                publisher.event(make_event())
            publisher.state(make_state(verdict="anomaly"))
        listener.wait_for(on("event"), 200)
        scores = [valid(message)["score"] for message in listener.messages("event")]
    assert scores == sorted(scores)
    assert publisher.statistics().spool.depth == 0
    assert not publisher.connected
    with broker.listener() as late:
        (availability,) = late.wait_for(on("availability"))
        assert (availability.payload, availability.retained) == ("offline", True)
        (state,) = late.wait_for(on("state"))
        assert valid(state)["verdict"] == "anomaly"


def test_a_withheld_state_goes_out_in_the_end(
    broker: Broker, make_publisher: MakePublisher, make_state: Callable[..., State]
) -> None:
    with broker.listener() as listener:
        with make_publisher(broker.port, state_interval_s=3600) as publisher:
            publisher.state(make_state(score=1.0))
            listener.wait_for(on("state"))
            for score in (2.0, 3.0, 4.0):
                publisher.state(make_state(score=score))
            publisher.state(make_state(verdict="anomaly", score=5.0))
            listener.wait_for(on("state"), 2)
            publisher.state(make_state(verdict="anomaly", score=6.0))
        listener.wait_for(on("availability", "offline"))
    assert [valid(message)["score"] for message in listener.messages("state")] == [1.0, 5.0, 6.0]


def test_a_state_that_is_due_goes_out_without_another_call(
    broker: Broker, make_publisher: MakePublisher, make_state: Callable[..., State]
) -> None:
    with broker.listener() as listener, make_publisher(broker.port, state_interval_s=0.3) as publisher:
        publisher.state(make_state(score=1.0))
        listener.wait_for(on("state"))
        publisher.state(make_state(score=2.0))
        listener.wait_for(lambda message: on("state")(message) and valid(message)["score"] == 2.0)


def test_a_state_that_comes_while_the_one_before_it_goes_out_waits_for_its_turn(
    make_publisher: MakePublisher, make_state: Callable[..., State], monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = make_publisher(1883, state_interval_s=10)
    now = 1000.0
    sent: list[float] = []

    def send() -> None:
        while notice := publisher._board.take(now):
            if notice.topic.endswith("/state"):
                sent.append(json.loads(notice.payload)["score"])

    def encode_at_the_turn(message: State) -> bytes:
        nonlocal now
        now = 1010.0
        send()
        return encode(message)

    monkeypatch.setattr("edge_asd.publish.client.time", SimpleNamespace(monotonic=lambda: now, time=time.time))
    publisher.state(make_state(score=1.0))
    send()
    now = 1009.9
    publisher.state(make_state(score=2.0))
    monkeypatch.setattr("edge_asd.publish.client.encode", encode_at_the_turn)
    publisher.state(make_state(score=3.0))
    send()
    assert sent == [1.0, 2.0]
    now = 1020.0
    send()
    assert sent == [1.0, 2.0, 3.0]


CHILD = """
import sys, time
from edge_asd.firmware import Mqtt
from edge_asd.publish import Info, Publisher
info = Info(ts="2026-01-05T10:11:12.345Z", software={}, sources=[], configuration={})
with Publisher("pi-07", Mqtt(host="127.0.0.1", port=int(sys.argv[1])), None, info):
    time.sleep(600)
"""


def test_the_last_will_speaks_for_a_killed_process(broker: Broker) -> None:
    with broker.listener() as listener:
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(broker.port)])
        try:
            listener.wait_for(on("availability", "online"))
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        listener.wait_for(on("availability", "offline"))
    with broker.listener() as late:
        assert late.wait_for(on("availability"))[0].payload == "offline"


def test_every_event_arrives_in_order_over_an_outage(
    make_broker: MakeBroker, make_publisher: MakePublisher, make_event: MakeEvent, tmp_path: Path
) -> None:
    broker = make_broker("persistence true", f"persistence_location {tmp_path}/")
    with broker.listener() as listener, make_publisher(broker.port) as publisher:
        assert publisher.wait_connected(WAIT_S)
        made: list[Event] = []
        done = threading.Event()

        def stream() -> None:
            while not done.wait(0.002):
                made.append(make_event())
                publisher.event(made[-1])

        streaming = threading.Thread(target=stream)
        streaming.start()
        listener.wait_for(on("event"), 30)
        broker.stop()
        wait_until(lambda: not publisher.connected and publisher.statistics().spool.depth > 60)
        broker.start()
        assert publisher.wait_connected(WAIT_S)
        wait_until(lambda: publisher.statistics().spool.depth < 20)
        done.set()
        streaming.join()
        wait_until(lambda: publisher.statistics().spool.depth == 0)
        # A subscriber drops what it has seen by id; nothing may be missing, and nothing be out of order.
        listener.wait_for(lambda message: made[-1].id in message.payload)
        documents = {valid(message)["id"]: valid(message) for message in reversed(listener.messages("event"))}
    assert list(reversed(documents)) == [event.id for event in made]
    numbers = [document["seq"] for document in reversed(documents.values())]
    assert numbers == list(range(numbers[0], numbers[0] + len(made)))
    historical = [document["is_historical"] for document in reversed(documents.values())]
    assert (historical[0], historical[-1]) == (False, False)
    assert sum(historical) > 50
    assert publisher.statistics().broker.connections == 2


def test_what_was_retained_is_put_back_after_the_broker_forgot_it(
    broker: Broker,
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    make_state: Callable[..., State],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with make_publisher(broker.port, state_interval_s=3600) as publisher:
        publisher.event(make_event())
        publisher.state(make_state(verdict="anomaly"))
        with broker.listener() as listener:
            listener.wait_for(on("state"))
        broker.stop()
        wait_until(lambda: not publisher.connected)
        broker.start()
        with broker.listener() as listener:
            listener.wait_for(on("availability", "online"))
            listener.wait_for(on("info"))
            (state,) = listener.wait_for(on("state"))
            assert valid(state)["verdict"] == "anomaly"
    assert not lines(caplog, "stopped before")


def test_it_starts_without_a_broker_and_finds_it_later(
    broker: Broker, make_publisher: MakePublisher, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stop()
    with make_publisher(broker.port) as publisher:
        publisher.event(make_event())
        wait_until(lambda: "connection refused" in last_error(publisher))
        assert not publisher.connected
        broker.start()
        assert publisher.wait_connected(WAIT_S)
        wait_until(lambda: publisher.statistics().spool.depth == 0)
    assert len(lines(caplog, "is the broker running")) == 1


def test_leaving_without_a_broker_tells_what_is_lost(
    broker: Broker, make_publisher: MakePublisher, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stop()
    with make_publisher(broker.port, stop_s=0.2) as publisher:
        publisher.event(make_event())
    assert lines(caplog, "stopped with 1 events")
    assert publisher.statistics().spool.depth == 1


def test_a_wrong_password_is_named_and_never_shown(
    make_broker: MakeBroker, make_publisher: MakePublisher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    broker = make_broker(users(tmp_path, pump="right"))
    with make_publisher(broker.port, password="wrong-guess", mqtt={"username": "pump"}) as publisher:
        wait_until(lambda: len(lines(caplog, "refused the connection")) > 2)
        assert "mqtt.password_file" in last_error(publisher)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1  # repeated ones are for the curious
    assert "wrong-guess" not in caplog.text
    assert "wrong-guess" not in repr(vars(publisher._courier))
    with make_publisher(broker.port, password="right", mqtt={"username": "pump"}) as publisher:
        assert publisher.wait_connected(WAIT_S)


def test_what_an_access_list_refuses_is_seen_kept_and_tried_again(
    make_broker: MakeBroker,
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    access = tmp_path / "access"
    rules = "user judge\ntopic readwrite #\ntopic read $SYS/#\nuser pump\ntopic write edge-asd/pi-07/+\n"
    access.write_text(f"{rules}topic write edge-asd/pi-07/fan/event\n")
    broker = make_broker(users(tmp_path, pump="p", judge="j"), f"acl_file {access}")
    login = {"username": "pump"}
    hurried = Patience(refused_s=0.2)
    with (
        broker.listener("#", "-u", "judge", "-P", "j") as listener,
        make_publisher(broker.port, password="p", mqtt=login, patience=hurried) as publisher,
    ):
        kept = [make_event(), make_event()]
        for event in kept:
            publisher.event(event)
        publisher.event(make_event(source="fan"))
        listener.wait_for(on("fan/event"))
        wait_until(lambda: publisher.statistics().broker.refused > 0)
        assert "a message on edge-asd/pi-07/pump-3/event: Not authorized" in last_error(publisher)
        wait_until(lambda: publisher.statistics().spool.depth == 2)
        assert not listener.messages("pump-3/event")
        access.write_text(f"{rules}topic write edge-asd/pi-07/+/event\n")
        broker.reload()
        messages = listener.wait_for(on("pump-3/event"), 2)
        assert [valid(message)["id"] for message in messages] == [event.id for event in kept]
        wait_until(lambda: publisher.statistics().spool.depth == 0)
    assert [record.levelname for record in caplog.records if "access list" in record.message] == ["WARNING"]


def test_two_devices_with_one_id_are_told_apart(
    broker: Broker, make_publisher: MakePublisher, caplog: pytest.LogCaptureFixture
) -> None:
    with make_publisher(broker.port) as first, make_publisher(broker.port) as second:
        wait_until(lambda: "another client" in last_error(first) and "another client" in last_error(second))
    assert lines(caplog, "'pi-07'; give each device an id of its own")


def test_a_message_against_its_schema_is_the_callers_fault(
    make_publisher: MakePublisher, make_event: MakeEvent
) -> None:
    publisher = make_publisher(1)
    with pytest.raises(ValueError, match="severity"):
        publisher.event(make_event(severity="dire"))
    with pytest.raises(InputError, match="source"):
        publisher.event(make_event(source="a/b"))
    assert publisher.statistics().spool.depth == 0


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def test_an_encrypted_connection_and_what_may_be_wrong_with_it(
    make_broker: MakeBroker, make_publisher: MakePublisher, certificates: Certificates
) -> None:
    broker = encrypted(make_broker, certificates, "require_certificate true")
    own = {"cert_file": certificates.path("device.crt"), "key_file": certificates.path("device.key")}
    right: dict[str, Any] = {"host": "localhost", "tls": Tls(ca_file=certificates.ca, **own)}
    with make_publisher(broker.port, mqtt=right) as publisher:
        assert publisher.wait_connected(WAIT_S)
    for wrong, words in (
        ({"host": "localhost", "tls": Tls(ca_file=certificates.path("device.crt"))}, "check mqtt.tls.ca_file"),
        ({"host": "127.0.0.1", "tls": Tls(ca_file=certificates.ca)}, "name the broker in mqtt.host"),
        ({"host": "localhost", "tls": Tls(ca_file=certificates.ca)}, "set mqtt.tls.cert_file"),
        ({"host": "localhost"}, "set mqtt.tls"),
    ):
        with make_publisher(broker.port, mqtt=wrong) as publisher:
            wait_until(lambda p=publisher: bool(last_error(p)))  # type: ignore[misc]
            assert words in last_error(publisher)


def test_encryption_towards_a_plain_port_is_named(
    broker: Broker, make_publisher: MakePublisher, certificates: Certificates
) -> None:
    with make_publisher(broker.port, mqtt={"tls": Tls(ca_file=certificates.ca)}) as publisher:
        wait_until(lambda: "encryption failed" in last_error(publisher))


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, "mqtt.tls.ca_file"),
        ({"ca_file": "{folder}/broker.ext"}, "mqtt.tls.ca_file"),
        ({"cert_file": "{folder}/device.crt", "key_file": "/nowhere.key"}, "mqtt.tls.key_file"),
        ({"ca_file": "{folder}/pipe"}, "mqtt.tls.ca_file"),
        ({"cert_file": "{folder}/pipe", "key_file": "{folder}/device.key"}, "mqtt.tls.cert_file"),
        ({"cert_file": "{folder}/device.crt", "key_file": "{folder}/pipe"}, "mqtt.tls.key_file"),
        ({"cert_file": "{folder}/device.crt", "key_file": "{folder}/broker.key"}, "mqtt.tls.cert_file"),
        ({"cert_file": "{folder}/device.crt", "key_file": "{folder}/locked.key"}, "mqtt.tls.cert_file"),
    ],
)
def test_certificates_that_cannot_be_used_are_refused_at_once(
    info: Info, certificates: Certificates, files: dict[str, str], where: str
) -> None:
    lock = ["-aes256", "-passout", "pass:secret", "-out", certificates.path("locked.key")]
    subprocess.run(["openssl", "ec", "-in", certificates.path("device.key"), *lock], check=True, capture_output=True)
    os.mkfifo(certificates.path("pipe"))
    given = {field: path.format(folder=certificates.folder) for field, path in files.items()}
    with pytest.raises(InputError, match=where):
        Publisher("pi-07", Mqtt(host="localhost", tls=Tls(**given)), None, info)


def test_the_client_library_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, edge_asd.publish; sys.exit('paho' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def seen(listener: Listener) -> list[str]:
    return [message.payload for message in listener.messages("availability")]


def test_availability_is_online_once_per_connection(broker: Broker, make_publisher: MakePublisher) -> None:
    with broker.listener() as listener:
        for _ in range(2):
            with make_publisher(broker.port) as publisher:
                assert publisher.wait_connected(WAIT_S)
        listener.wait_for(on("availability", "offline"), 2)
        assert seen(listener) == ["online", "offline"] * 2
