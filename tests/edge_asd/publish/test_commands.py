"""Commands over a real broker, to controls that remember what they were told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import jsonschema
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_asd.errors import InputError
from edge_asd.publish import Publisher, payload_schemas
from edge_asd.publish import commands as commands_module
from edge_asd.publish.commands import Commands
from edge_asd.publish.payloads import Clip
from edge_asd.publish.requests import (
    LARGEST_BYTES,
    AcknowledgedData,
    ArmedData,
    CalibratedData,
    CommandRefusedError,
    Incoming,
    ReloadedData,
    SnapshotData,
    StatusData,
    ThresholdData,
)

if TYPE_CHECKING:
    from tests.conftest import Broker, Listener

MakePublisher = Callable[..., Publisher]

WAIT_S = 15
EVENT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
SHA256 = "ab" * 32


class Device:
    """Controls that remember their calls; each answer bears what was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.hold: threading.Event | None = None

    def status(self) -> StatusData:
        raise RuntimeError("a defect")

    def thresholds(self, source: str | None) -> ThresholdData:
        return ThresholdData(thresholds={source or "pump-3": 3.0})

    def set_threshold(self, source: str | None, value: float | None) -> ThresholdData:
        self.calls.append(("set_threshold", source, value))
        return ThresholdData(thresholds={source or "pump-3": 3.0 if value is None else value})

    def arm(self, source: str | None, *, armed: bool) -> ArmedData:
        self.calls.append(("arm", source, armed))
        return ArmedData(armed={source or "pump-3": armed})

    def acknowledge(self, source: str | None, event: str | None) -> AcknowledgedData:
        self.calls.append(("acknowledge", source, event))
        if event is None and source is None:
            raise CommandRefusedError("there is no anomaly in progress")
        return AcknowledgedData(acknowledged={source or "pump-3": event or EVENT})

    def calibrate(self, source: str | None, seconds: float | None) -> CalibratedData:
        self.calls.append(("calibrate", source, seconds))
        if self.hold:
            self.hold.wait(WAIT_S)
        return CalibratedData(thresholds={source or "pump-3": 2.5})

    def snapshot(self, source: str | None) -> SnapshotData:
        return SnapshotData(clips={source or "pump-3": Clip(path="/clips/1.flac", sha256=SHA256)})

    def reload(self) -> ReloadedData:
        raise InputError("firmware.yaml", expected="a mapping", found="a list")


@pytest.fixture
def device() -> Device:
    return Device()


@contextmanager
def obeying(make_publisher: MakePublisher, broker: Broker, device: Device, **options: Any) -> Iterator[Publisher]:
    with make_publisher(broker.port, **options) as publisher:
        publisher.obey(device)
        await_online(broker)
        yield publisher


def await_online(broker: Broker) -> None:
    """Wait until the device says `online`, which it does after it has subscribed."""
    with broker.listener("edge-asd/pi-07/availability") as listener:
        listener.wait_for(lambda message: message.payload == "online")


def client(port: int, version: str = "5") -> paho.Client:
    protocol = MQTTProtocolVersion.MQTTv5 if version == "5" else MQTTProtocolVersion.MQTTv311
    made = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    made.connect("127.0.0.1", port)
    made.loop_start()
    return made


def send(port: int, command: str, payload: Any, *, retain: bool = False, **properties: Any) -> None:
    """Send a request: what is not bytes goes as JSON; `properties` are those of MQTT 5."""
    sender = client(port)
    given = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in properties.items():
        setattr(given, name, value)
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    sender.publish(f"edge-asd/pi-07/request/{command}", content, 1, retain, given).wait_for_publish(WAIT_S)
    sender.disconnect()
    sender.loop_stop()


def answer(listener: Listener, command: str, transaction: Any) -> Any:
    """Wait for the answer to a transaction, hold it against its schema, and return it."""

    def fits(message: Any) -> bool:
        return bool(
            message.topic == f"edge-asd/pi-07/response/{command}" and message.json()["transaction"] == transaction
        )

    (message,) = listener.wait_for(fits)
    assert (message.qos, message.retained) == (1, False)
    document = message.json()
    jsonschema.validate(document, payload_schemas()["edge-asd/response/1"])
    assert document["schema"] == "edge-asd/response/1"
    assert document["command"] == command
    assert (document["status"] == "ok") == (document["error"] is None) == (document["data"] is not None)
    return document


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_each_command_is_carried_out_and_answered(
    broker: Broker, make_publisher: MakePublisher, device: Device, version: str
) -> None:
    requests: list[tuple[str, Any, Any]] = [
        ("threshold", {}, {"thresholds": {"pump-3": 3.0}}),
        ("threshold", {"value": 4}, {"thresholds": {"pump-3": 4.0}}),
        ("threshold", {"value": 4.5, "source": "fan"}, {"thresholds": {"fan": 4.5}}),
        ("threshold", {"value": "default"}, {"thresholds": {"pump-3": 3.0}}),
        ("arm", {}, {"armed": {"pump-3": True}}),
        ("disarm", {"value": "fan"}, {"armed": {"fan": False}}),
        ("disarm", {"source": "fan"}, {"armed": {"fan": False}}),
        ("acknowledge", {"value": EVENT}, {"acknowledged": {"pump-3": EVENT}}),
        ("acknowledge", {"value": "fan"}, {"acknowledged": {"fan": EVENT}}),
        ("calibrate", {"value": 60, "source": "fan"}, {"thresholds": {"fan": 2.5}}),
        ("snapshot", {}, {"clips": {"pump-3": {"path": "/clips/1.flac", "sha256": SHA256, "picture": None}}}),
    ]
    with (
        broker.listener("edge-asd/pi-07/response/#") as listener,
        obeying(make_publisher, broker, device, version=version),
    ):
        for number, (command, request, data) in enumerate(requests):
            send(broker.port, command, {**request, "transaction": number})
            assert answer(listener, command, number)["data"] == data
    assert device.calls == [
        ("set_threshold", None, 4.0),
        ("set_threshold", "fan", 4.5),
        ("set_threshold", None, None),
        ("arm", None, True),
        ("arm", "fan", False),
        ("arm", "fan", False),
        ("acknowledge", None, EVENT),
        ("acknowledge", "fan", None),
        ("calibrate", "fan", 60.0),
    ]


@pytest.mark.parametrize(
    ("command", "payload", "transaction", "words"),
    [
        ("status", {"transaction": 1}, 1, "an error in this program"),
        ("reload", {"transaction": "a"}, "a", "firmware.yaml: expected a mapping, found a list"),
        ("acknowledge", {"transaction": 1.5}, 1.5, "no anomaly in progress"),
        ("explode", {"transaction": 2}, 2, "there are status, threshold, arm, disarm, acknowledge, calibrate, snap"),
        ("threshold", {"value": "high", "transaction": 3}, 3, "expected a threshold, 'default', or nothing"),
        ("threshold", {"value": True, "transaction": 3}, 3, 'found true'),
        ("threshold", b'{"value": 1%s, "transaction": 3}' % (b"0" * 400), 3, "expected a threshold"),
        ("threshold", b'{"value": NaN}', None, "expected JSON"),
        ("threshold", {"valeu": 3, "transaction": 4}, 4, "unknown field `valeu`"),
        ("threshold", {"value": 3, "transaction": [4]}, None, "transaction"),
        ("calibrate", {"value": -1, "transaction": 5}, 5, "expected at most 86400 seconds, above 0, found -1"),
        ("arm", {"value": ["fan"], "transaction": 6}, 6, "expected the name of a source or nothing"),
        ("arm", {"value": "pump-3", "source": "fan", "transaction": 6}, 6, "expected the name of a source"),
        ("status", {"value": 1, "transaction": 7}, 7, "expected neither a value nor a source"),
        ("status", b"[" * 4000, None, "expected"),
        ("status", b"\xff\xfe", None, "expected JSON"),
        ("status", b'["status"]', None, "found"),
        ("status", b"x" * (LARGEST_BYTES + 1), None, "expected at most 4096 bytes, found 4097"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_refused_with_the_reason(
    broker: Broker,
    make_publisher: MakePublisher,
    device: Device,
    command: str,
    payload: Any,
    transaction: Any,
    words: str,
) -> None:
    with (
        broker.listener("edge-asd/pi-07/response/#") as listener,
        obeying(make_publisher, broker, device) as publisher,
    ):
        send(broker.port, command, payload)
        document = answer(listener, command, transaction)
        assert document["status"] == "error"
        assert words in document["error"]
        # And the next is carried out as if nothing had been.
        send(broker.port, "arm", b"")
        assert answer(listener, "arm", None)["data"] == {"armed": {"pump-3": True}}
        assert publisher.connected


def test_the_answer_goes_where_mqtt_5_asks_with_what_correlates_it(
    broker: Broker, make_publisher: MakePublisher, device: Device
) -> None:
    answered = threading.Event()
    messages: list[paho.MQTTMessage] = []

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        messages.append(message)
        answered.set()

    with obeying(make_publisher, broker, device):
        asker = client(broker.port)
        asker.on_message = on_message
        subscribed = threading.Event()
        asker.on_subscribe = lambda *_: subscribed.set()
        asker.subscribe("desk/7/answers", 1)
        assert subscribed.wait(WAIT_S)
        send(
            broker.port,
            "threshold",
            {"transaction": 1},
            ResponseTopic="desk/7/answers",
            CorrelationData=b"\x00\x17\xff",
        )
        assert answered.wait(WAIT_S)
        asker.disconnect()
        asker.loop_stop()
    (message,) = messages
    assert getattr(message.properties, "CorrelationData", None) == b"\x00\x17\xff"
    assert json.loads(message.payload)["data"] == {"thresholds": {"pump-3": 3.0}}


def test_an_answer_is_no_command_to_another_device(
    broker: Broker, make_publisher: MakePublisher, device: Device
) -> None:
    with broker.listener() as listener, obeying(make_publisher, broker, device):
        send(broker.port, "arm", {"transaction": 1}, ResponseTopic="edge-asd/pi-08/request/disarm")
        answer(listener, "arm", 1)
        send(broker.port, "arm", {"transaction": 2})
        answer(listener, "arm", 2)
        assert not listener.messages("request/disarm")


@pytest.mark.parametrize(
    "topic",
    ["/".join(["a"] * 250), "edge-asd/pi-07/availability", "edge-asd/pi-07/pump-3/event", "$SYS/broker/uptime"],
)
def test_a_topic_that_cannot_be_answered_to_costs_neither_the_connection_nor_the_ordinary_answer(
    broker: Broker, make_publisher: MakePublisher, device: Device, topic: str
) -> None:
    with broker.listener("edge-asd/#") as listener, obeying(make_publisher, broker, device) as publisher:
        send(broker.port, "arm", {"transaction": 1}, ResponseTopic=topic)
        answer(listener, "arm", 1)
        send(broker.port, "arm", {"transaction": 2})
        answer(listener, "arm", 2)
        assert not [message for message in listener.messages(topic) if "transaction" in message.payload]
        assert publisher.statistics().broker.connections == 1
        assert publisher.statistics().broker.last_error is None


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_retained_command_is_ignored(
    broker: Broker, make_publisher: MakePublisher, device: Device, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    send(broker.port, "disarm", {"transaction": 1}, retain=True)
    with (
        broker.listener("edge-asd/pi-07/response/#") as listener,
        obeying(make_publisher, broker, device, version=version),
    ):
        if version == "5":
            # While a device is connected, only MQTT 5 tells it that a message is to be retained.
            send(broker.port, "disarm", {"transaction": 2}, retain=True)
        send(broker.port, "arm", {"transaction": 3})
        answer(listener, "arm", 3)
        assert len(listener.messages()) == 1
    assert device.calls == [("arm", None, True)]
    assert "command disarm ignored: it is retained" in caplog.text


@pytest.mark.parametrize(("allowed", "forbidden"), [(False, ["arm", "status"]), (["status", "arm"], ["disarm"])])
def test_commands_can_be_forbidden(
    broker: Broker, make_publisher: MakePublisher, device: Device, allowed: Any, forbidden: list[str]
) -> None:
    with (
        broker.listener("edge-asd/pi-07/response/#") as listener,
        obeying(make_publisher, broker, device, mqtt={"commands": allowed}),
    ):
        for command in forbidden:
            send(broker.port, command, {"transaction": 1})
            assert "forbidden by mqtt.commands" in answer(listener, command, 1)["error"]
        if allowed:
            send(broker.port, "arm", {"transaction": 1})
            answer(listener, "arm", 1)
    assert device.calls == ([("arm", None, True)] if allowed else [])


def test_before_there_is_anything_to_command_it_is_refused(broker: Broker, make_publisher: MakePublisher) -> None:
    with broker.listener("edge-asd/pi-07/response/#") as listener, make_publisher(broker.port):
        await_online(broker)
        send(broker.port, "arm", {"transaction": 1})
        assert "starting" in answer(listener, "arm", 1)["error"]


def test_a_flood_is_refused_and_the_rest_carried_out_in_order(
    broker: Broker, make_publisher: MakePublisher, device: Device
) -> None:
    device.hold = threading.Event()
    with (
        broker.listener("edge-asd/pi-07/response/#") as listener,
        obeying(make_publisher, broker, device) as publisher,
    ):
        sender = client(broker.port)
        for number in range(40):
            sender.publish(
                "edge-asd/pi-07/request/calibrate", json.dumps({"value": 1 + number, "transaction": number}), 1
            )
        listener.wait_for(lambda message: "other commands wait" in message.payload, 23)
        assert publisher.connected
        # What takes long keeps nothing else waiting.
        send(broker.port, "arm", {"transaction": "quick"})
        assert answer(listener, "arm", "quick")["status"] == "ok"
        device.hold.set()
        listener.wait_for(lambda _: True, 41)
        sender.disconnect()
        sender.loop_stop()
    done = [call[2] for call in device.calls if call[0] == "calibrate"]
    # Sixteen wait; one more finds room where the first is under way by then.
    assert done[:16] == [1.0 + index for index in range(16)]
    assert done[16:] == sorted(done[16:])
    assert len(done) in {16, 17}


def test_a_message_beyond_any_request_is_kept_by_a_broker_of_mqtt_5(
    broker: Broker, make_publisher: MakePublisher, device: Device
) -> None:
    with (
        broker.listener("edge-asd/pi-07/response/#") as listener,
        obeying(make_publisher, broker, device) as publisher,
    ):
        send(broker.port, "arm", b" " * 5_000_000)
        send(broker.port, "arm", {"transaction": 1})
        answer(listener, "arm", 1)
        assert publisher.statistics().broker.connections == 1
        assert len(listener.messages()) == 1


def test_stopped_while_as_many_wait_as_may_no_thread_is_left(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_module, "_STOP_S", 0.1)
    device.hold = threading.Event()
    before = set(threading.enumerate())
    answers: list[dict[str, Any] | str] = []
    commands = Commands(True, lambda _incoming, _transaction, given: answers.append(given))
    commands.obey(device)
    for _ in range(30):
        commands.take(Incoming("calibrate", b""))
    commands.stop()
    device.hold.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
    assert len(answers) == 30
    assert "the device is stopping" in answers
