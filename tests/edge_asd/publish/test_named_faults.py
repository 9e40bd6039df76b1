"""What keeps a device from its broker is named: in one line of the log, however often it happens, and in the health."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest

from edge_asd.firmware import Tls
from edge_asd.publish import Event, Health, Publisher, payload_schemas
from edge_asd.publish.pacing import Patience
from tests.edge_asd.publish.certificates import Certificates, encrypted, users

if TYPE_CHECKING:
    from tests.conftest import Broker

MakeBroker = Callable[..., "Broker"]
MakePublisher = Callable[..., Publisher]

WAIT_S = 30
ATTEMPTS = 4
HEALTH = Health(ts="2026-01-05T10:11:12.345Z", uptime_s=1, cpu_temperature_c=None, rss_bytes=None, sources={})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def assert_named(publisher: Publisher, caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Wait until it has gone wrong some times; it stands in one line, and in the health as it is published."""
    pause = threading.Event()
    for _ in range(50 * WAIT_S):
        if sum(words in record.getMessage() for record in caplog.records) >= ATTEMPTS:
            break
        pause.wait(0.02)
    records = [record for record in caplog.records if words in record.getMessage()]
    assert len(records) >= ATTEMPTS, caplog.text
    assert [record.levelno for record in records].count(logging.WARNING) == 1
    assert "\n" not in records[0].getMessage()
    publisher.health(HEALTH)
    health = publisher.status().health
    jsonschema.validate(msgspec.to_builtins(health), payload_schemas()["edge-asd/health/1"])
    assert words in (health.broker.last_error or "")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ca_file": "device.crt"}, "certificate is not trusted: "),
        ({"host": "127.0.0.1"}, "name the broker in mqtt.host as its certificate does"),
        ({"cert_file": None, "key_file": None}, "it wants a client certificate; set mqtt.tls.cert_file and key_file"),
    ],
    ids=["wrong CA", "wrong host name", "no client certificate"],
)
def test_encryption(
    make_broker: MakeBroker,
    make_publisher: MakePublisher,
    tmp_path: Path,
    stack: ExitStack,
    caplog: pytest.LogCaptureFixture,
    wrong: dict[str, Any],
    words: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    certificates = Certificates(tmp_path)
    broker = encrypted(make_broker, certificates, "require_certificate true")
    files = {"ca_file": "ca.pem", "cert_file": "device.crt", "key_file": "device.key", **wrong}
    host = files.pop("host", "localhost")
    tls = Tls(**{key: value and certificates.path(value) for key, value in files.items()})
    publisher = stack.enter_context(make_publisher(broker.port, mqtt={"host": host, "tls": tls}, stop_s=0.2))
    assert_named(publisher, caplog, words)


def test_a_wrong_password(
    make_broker: MakeBroker,
    make_publisher: MakePublisher,
    tmp_path: Path,
    stack: ExitStack,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    broker = make_broker(users(tmp_path, pump="right"))
    made = make_publisher(broker.port, password="wrong-guess", mqtt={"username": "pump"}, stop_s=0.2)
    assert_named(stack.enter_context(made), caplog, "check mqtt.username and the content of mqtt.password_file")
    assert "wrong-guess" not in caplog.text


def test_an_access_list(
    make_broker: MakeBroker,
    make_publisher: MakePublisher,
    make_event: Callable[..., Event],
    tmp_path: Path,
    stack: ExitStack,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    access = tmp_path / "access"
    access.write_text("user pump\ntopic write edge-asd/pi-07/+\n")
    broker = make_broker(users(tmp_path, pump="p"), f"acl_file {access}")
    login = {"mqtt": {"username": "pump"}, "password": "p", "patience": Patience(refused_s=0.1), "stop_s": 0.2}
    publisher = stack.enter_context(make_publisher(broker.port, **login))
    publisher.event(make_event())
    assert_named(publisher, caplog, "refused a message on edge-asd/pi-07/pump-3/event: Not authorized")


def test_another_device_of_the_same_id(
    broker: Broker, make_publisher: MakePublisher, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mine, _ = (stack.enter_context(make_publisher(broker.port, stop_s=0.2)) for _ in range(2))
    pause = threading.Event()
    # mosquitto 2.0 throws the older one out without a word; that it goes on and on gives the cause away.
    words = "most likely another client has this id: 'pi-07'; give each device an id of its own"
    for _ in range(50 * WAIT_S):
        if sum(words in record.getMessage() for record in caplog.records) >= 2 * ATTEMPTS:
            break
        pause.wait(0.02)
    records = [record for record in caplog.records if words in record.getMessage()]
    # One line from each of the two.
    assert [record.levelno for record in records].count(logging.WARNING) == 2
    mine.health(HEALTH)
    assert words in (mine.status().health.broker.last_error or "")
