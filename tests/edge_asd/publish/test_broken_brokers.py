"""The publisher against brokers that are old, mute or gone wrong, and against errors of its own."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge_asd.publish import Event, Publisher, State, mqtt, reasons
from edge_asd.publish.courier import Courier
from edge_asd.publish.pacing import Backoff, Patience
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import Broker

MakePublisher = Callable[..., Publisher]
MakeEvent = Callable[..., Event]
Handler = Callable[[socket.socket], None]

WAIT_S = 15
CONNECT = 0x10
CONNACK_5 = bytes([0x20, 3, 0, 0, 0])
CONNACK_REFUSING_VERSION = bytes([0x20, 2, 0, 1])


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], int]]:
    """Serve each connection on a free port with a handler, in a thread of its own; return the port."""
    with ExitStack() as stack:

        def start(handler: Handler) -> int:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            stack.callback(server.shutdown, socket.SHUT_RDWR)
            threading.Thread(target=accept, args=(server, handler), daemon=True).start()
            return int(server.getsockname()[1])

        yield start


def accept(server: socket.socket, handler: Handler) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=handle, args=(connection, handler), daemon=True).start()


def handle(connection: socket.socket, handler: Handler) -> None:
    with connection, suppress(OSError):
        handler(connection)


def version_of(connect: bytes) -> int:
    """MQTT level of a CONNECT packet shorter than 128 bytes, or with a two-byte length."""
    assert connect[0] == CONNECT
    start = 2 if connect[1] < 128 else 3
    assert connect[start : start + 6] == b"\x00\x04MQTT"
    return connect[start + 6]


def old_broker(real: int, refusal: bytes | None, versions: list[int]) -> Handler:
    """What knows nothing of MQTT 5, says so with `refusal` or falls silent, and passes the rest to a real broker."""

    def handler(connection: socket.socket) -> None:
        connect = connection.recv(4096)
        versions.append(version_of(connect))
        if versions[-1] == 5:
            connection.sendall(refusal or b"")
            if refusal is None:
                connection.recv(4096)
            return
        pass_on(connection, connect, real)

    return handler


def pass_on(connection: socket.socket, connect: bytes, real: int) -> None:
    with socket.create_connection(("127.0.0.1", real)) as behind:
        behind.sendall(connect)
        threading.Thread(target=pump, args=(behind, connection), daemon=True).start()
        pump(connection, behind)


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("refusal", [CONNACK_REFUSING_VERSION, b"", None], ids=["says so", "hangs up", "is silent"])
def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(
    broker: Broker,
    serve: Callable[[Handler], int],
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    refusal: bytes | None,
) -> None:
    versions: list[int] = []
    port = serve(old_broker(broker.port, refusal, versions))
    with broker.listener() as listener, make_publisher(port, patience=Patience(answer_s=0.3)) as publisher:
        assert publisher.wait_connected(WAIT_S)
        assert publisher.statistics().broker.protocol == "3.1.1"
        publisher.event(make_event())
        wait_until(lambda: publisher.statistics().spool.depth == 0)
        broker.stop()
        wait_until(lambda: not publisher.connected)
        broker.start()
        assert publisher.wait_connected(WAIT_S)
    # A broker that said so is believed for good; one that hung up might only have been starting.
    assert versions[:2] == [5, 4]
    assert (versions.count(5) == 1) == bool(refusal)
    assert [message.topic for message in listener.messages("event")] == ["edge-asd/pi-07/pump-3/event"]


def test_a_broker_that_was_only_starting_is_spoken_to_in_5(
    broker: Broker, serve: Callable[[Handler], int], make_publisher: MakePublisher
) -> None:
    versions: list[int] = []

    def handler(connection: socket.socket) -> None:
        connect = connection.recv(4096)
        versions.append(version_of(connect))
        # As the proxy before a broker in a container does.
        if len(versions) > 1:
            pass_on(connection, connect, broker.port)

    with broker.listener() as listener, make_publisher(serve(handler)) as publisher:
        assert publisher.wait_connected(WAIT_S)
        assert publisher.statistics().broker.protocol == "5"
        listener.wait_for(lambda message: message.payload == "online")
    assert versions == [5, 4, 5]
    assert [message.payload for message in listener.messages("availability")] == ["online", "offline"]


def test_a_version_that_is_set_is_spoken_from_the_start(
    broker: Broker, serve: Callable[[Handler], int], make_publisher: MakePublisher
) -> None:
    versions: list[int] = []
    with make_publisher(serve(old_broker(broker.port, None, versions)), version="3.1.1") as publisher:
        assert publisher.wait_connected(WAIT_S)
    assert versions == [4]


def test_a_version_that_is_set_is_kept_to_where_the_broker_does_not_speak_it(
    broker: Broker, serve: Callable[[Handler], int], make_publisher: MakePublisher
) -> None:
    versions: list[int] = []
    refusal = bytes([0x20, 3, 0, reasons.UNSUPPORTED_PROTOCOL, 0])
    port = serve(old_broker(broker.port, refusal, versions))
    with make_publisher(port, version="5", stop_s=0.2) as publisher:
        wait_until(lambda: len(versions) >= 3)
        assert "Unsupported protocol version; set mqtt.version to auto" in (
            publisher.statistics().broker.last_error or ""
        )
    assert set(versions) == {5}


def text_property(name: int, text: str) -> bytes:
    return bytes([name]) + len(text.encode()).to_bytes(2, "big") + text.encode()


@pytest.mark.parametrize(
    ("code", "properties", "words"),
    [
        (0, b"\x24\x00", "refused the connection: QoS not supported; have the broker take messages of QoS 1"),
        (0, b"\x25\x00", "refused the connection: Retain not supported; have the broker keep retained messages"),
        (
            157,
            text_property(0x1F, "moved to\nhall 3") + text_property(0x1C, "b.example"),
            r"refused the connection: Server moved (moved to\nhall 3, b.example); set mqtt.host to the broker",
        ),
    ],
    ids=["no QoS 1", "nothing retained", "another server"],
)
def test_what_a_broker_says_as_it_answers_is_told(
    serve: Callable[[Handler], int], make_publisher: MakePublisher, code: int, properties: bytes, words: str
) -> None:
    sent: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(bytes([0x20, 3 + len(properties), 0, code, len(properties)]) + properties)
        sent.append(connection.recv(4096))

    with make_publisher(serve(handler), stop_s=0.2) as publisher:
        wait_until(lambda: words in (publisher.statistics().broker.last_error or ""))
        assert not publisher.connected
    assert not any(sent)


def test_what_a_broker_says_as_it_hangs_up_is_told(
    serve: Callable[[Handler], int], make_publisher: MakePublisher
) -> None:
    said = text_property(0x1F, "maintenance until noon")

    def handler(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK_5 + bytes([0xE0, 2 + len(said), 0x98, len(said)]) + said)

    with make_publisher(serve(handler), stop_s=0.2) as publisher:
        words = "the connection was lost: Administrative action (maintenance until noon)"
        wait_until(lambda: words in (publisher.statistics().broker.last_error or ""))


def picky(events: list[bytes]) -> Handler:
    """Acknowledge one message after the other, and end the connection at a subscription, which is forbidden."""

    def handler(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while kind := stream.read(1):
                length, shift = 0, 0
                while (byte := stream.read(1)[0]) & 128:
                    length, shift = length | (byte & 127) << shift, shift + 7
                packet = stream.read(length | byte << shift)
                if kind[0] == CONNECT:
                    connection.sendall(CONNACK_5)
                elif kind[0] >> 4 == 8:
                    connection.sendall(bytes([0xE0, 1, reasons.NOT_AUTHORIZED]))
                    return
                elif kind[0] >> 4 == 3:
                    end = 2 + int.from_bytes(packet[:2], "big")
                    if packet[:end].endswith(b"/event"):
                        events.append(packet)
                    connection.sendall(bytes([0x40, 2]) + packet[end : end + 2])

    return handler


def test_a_broker_that_ends_the_connection_at_a_subscription_still_gets_the_events(
    serve: Callable[[Handler], int], make_publisher: MakePublisher, make_event: MakeEvent
) -> None:
    events: list[bytes] = []
    with make_publisher(serve(picky(events)), stop_s=0.5) as publisher:
        for _ in range(3):
            publisher.event(make_event())
        wait_until(lambda: publisher.statistics().spool.depth == 0)
        assert len(events) == 3
        words = "Not authorized; 'edge-asd check-broker' finds out where this user may not publish or read"
        wait_until(lambda: words in (publisher.statistics().broker.last_error or ""))


def mute(seen: list[int]) -> Handler:
    """Accept every MQTT 5 connection and acknowledge nothing."""

    def handler(connection: socket.socket) -> None:
        connection.recv(4096)
        seen.append(1)
        connection.sendall(CONNACK_5)
        while connection.recv(65536):
            pass

    return handler


def test_a_broker_that_acknowledges_nothing_is_left_and_tried_again(
    serve: Callable[[Handler], int],
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[int] = []
    options = {"patience": Patience(acknowledgement_s=0.2), "stop_s": 0.3}
    with make_publisher(serve(mute(seen)), **options) as publisher:
        for _ in range(100):
            publisher.event(make_event())
        wait_until(lambda: len(seen) >= 3)
        assert "does not acknowledge" in (publisher.statistics().broker.last_error or "")
    assert publisher.statistics().spool.depth == 100
    warnings = [record.message for record in caplog.records if "not acknowledge;" in record.message]
    assert len(warnings) == 1  # what goes on being wrong is not told again each time


def test_waiting_for_acknowledgements_costs_no_time_of_the_processor(
    serve: Callable[[Handler], int], make_publisher: MakePublisher, make_state: Callable[..., State]
) -> None:
    with make_publisher(serve(mute([])), stop_s=0.2) as publisher:
        assert publisher.wait_connected(WAIT_S)
        for index in range(2 * mqtt.WINDOW):
            publisher.state(make_state(source=f"pump-{index}"))
        before = time.process_time()
        time.sleep(1.0)
        assert time.process_time() - before < 0.3


def test_leaving_a_broker_that_acknowledges_nothing_leaves_the_word_to_the_last_will(
    serve: Callable[[Handler], int], make_publisher: MakePublisher, caplog: pytest.LogCaptureFixture
) -> None:
    received = bytearray()

    def handler(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK_5)
        while data := connection.recv(65536):
            received.extend(data)
        received.extend(b"the end")

    with make_publisher(serve(handler), stop_s=0.2) as publisher:
        assert publisher.wait_connected(WAIT_S)
    assert "stopped before" in caplog.text
    wait_until(lambda: received.endswith(b"the end"))
    # A DISCONNECT packet (0xE0) would have told the broker to keep the will to itself.
    assert received.endswith(b"offlinethe end")


def test_no_more_than_the_broker_wants_is_under_way_at_once(
    serve: Callable[[Handler], int], make_publisher: MakePublisher, make_event: MakeEvent
) -> None:
    receive_maximum_4 = bytes([0x20, 6, 0, 0, 3, 0x21, 0, 4])
    received = bytearray()

    def handler(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(receive_maximum_4)
        while data := connection.recv(65536):
            received.extend(data)

    with make_publisher(serve(handler), stop_s=0.3) as publisher:
        for _ in range(50):
            publisher.event(make_event())
        # Availability, info and discovery are under way as well, and leave room for one event.
        wait_until(lambda: b"/event" in received)
    assert received.count(b"edge-asd/pi-07/pump-3/event") == 1


def test_a_broker_that_does_not_answer_is_left(serve: Callable[[Handler], int], make_publisher: MakePublisher) -> None:
    def handler(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with make_publisher(serve(handler), patience=Patience(answer_s=0.2), stop_s=0.2) as publisher:
        wait_until(lambda: "does not answer" in (publisher.statistics().broker.last_error or ""))


def test_what_is_no_broker_is_named(serve: Callable[[Handler], int], make_publisher: MakePublisher) -> None:
    port = serve(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with make_publisher(port, stop_s=0.2) as publisher:
        wait_until(lambda: bool(publisher.statistics().broker.last_error))
        assert not publisher.connected


def test_connections_that_do_not_last_are_called_flapping(
    broker: Broker, serve: Callable[[Handler], int], make_publisher: MakePublisher
) -> None:
    def handler(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(CONNACK_5)

    with make_publisher(serve(handler), stop_s=0.2) as publisher:
        wait_until(lambda: "as soon as they are made" in (publisher.statistics().broker.last_error or ""))


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Keep Python's garbage collector from tidying up."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    "answer", [None, b"", CONNACK_REFUSING_VERSION, CONNACK_5], ids=["nobody", "hangs up", "refuses", "accepts"]
)
@pytest.mark.usefixtures("no_collector")
def test_connections_that_are_over_leave_no_files_open(
    serve: Callable[[Handler], int], make_publisher: MakePublisher, answer: bytes | None
) -> None:
    attempts = []

    def handler(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer or b"")

    class Hurried(Backoff):
        def next(self) -> float:
            attempts.append(1)
            return 0.01

    port = 1 if answer is None else serve(handler)
    with make_publisher(port, backoff=Hurried(0.01), stop_s=0.1):
        wait_until(lambda: len(attempts) >= 5)
        before = open_files()
        wait_until(lambda: len(attempts) >= 45)
        # A client that is left behind has two, and a connection.
        assert open_files() < before + 30


def test_a_publisher_that_has_left_leaves_no_open_file(
    broker: Broker, make_publisher: MakePublisher, request: pytest.FixtureRequest
) -> None:
    def come_and_go() -> int:
        with make_publisher(broker.port) as publisher:
            assert publisher.wait_connected(10)
        return open_files()

    # Not when the garbage collector comes by: each reload of a certificate is another publisher.
    gc.disable()
    request.addfinalizer(gc.enable)
    before = come_and_go()
    assert [come_and_go() for _ in range(3)] == [before] * 3


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def failing_once(function: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    failures = [error]

    def wrapper(*args: Any, **keywords: Any) -> Any:
        if failures:
            raise failures.pop()
        return function(*args, **keywords)

    return wrapper


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_comes_back_when_the_client_librarys_thread_dies(
    broker: Broker, make_publisher: MakePublisher, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    # paho catches an OSError while it connects, and nothing else.
    connect = failing_once(socket.create_connection, ValueError("a defect"))
    monkeypatch.setattr("paho.mqtt.client.socket.create_connection", connect)
    with make_publisher(broker.port) as publisher:
        publisher.event(make_event())
        assert publisher.wait_connected(WAIT_S)
        assert "thread has died" in (publisher.statistics().broker.last_error or "")
        wait_until(lambda: publisher.statistics().spool.depth == 0)


def test_an_error_in_a_callback_is_logged_and_the_event_still_arrives(
    broker: Broker,
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with make_publisher(broker.port, patience=Patience(acknowledgement_s=0.3)) as publisher:
        publisher.event(make_event())
        wait_until(lambda: publisher.statistics().spool.depth == 0)
        monkeypatch.setattr(mqtt, "reason", failing_once(mqtt.reason, RuntimeError("a defect")))
        publisher.event(make_event())
        wait_until(lambda: publisher.statistics().spool.depth == 0)
    assert "error in _on_publish" in caplog.text


def test_an_error_in_the_couriers_thread_is_logged_and_the_event_still_arrives(
    broker: Broker,
    make_publisher: MakePublisher,
    make_event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Courier, "_on_connected", failing_once(Courier._on_connected, RuntimeError("a defect")))
    with make_publisher(broker.port) as publisher:
        publisher.event(make_event())
        wait_until(lambda: publisher.statistics().spool.depth == 0)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "error in the MQTT thread; the connection is made afresh"
    ]


def test_whoever_publishes_never_waits_for_the_broker(
    serve: Callable[[Handler], int], make_publisher: MakePublisher, make_event: MakeEvent
) -> None:
    # Nobody reads on the other side: a client that wrote in the caller's thread would stand still for ever.
    hold = threading.Event()

    def handler(_: socket.socket) -> None:
        hold.wait(WAIT_S)

    port = serve(handler)
    with make_publisher(port, stop_s=0.1) as publisher:

        def publish() -> None:
            for _ in range(500):
                publisher.event(make_event())

        threads = [threading.Thread(target=publish) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()
        assert publisher.statistics().spool.depth == 2000
    hold.set()
