"""Each step on the way to a real broker, made to fail by itself."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge_asd.firmware import Mqtt, Tls
from edge_asd.publish import Publisher
from edge_asd.publish.checkup import Step, _FailedError, _Talk, check_broker
from tests.edge_asd.publish.certificates import Certificates, encrypted, users

if TYPE_CHECKING:
    from tests.conftest import Broker

MakeBroker = Callable[..., "Broker"]

STEPS = ["name", "tcp", "tls", "mqtt", "publish", "subscribe"]


def steps(port: int, password: str | None = None, **mqtt: Any) -> list[Step]:
    settings = Mqtt(**{"host": "127.0.0.1", "port": port, **mqtt})
    return list(check_broker(settings, "pi-07", ["pump-3"], password))


def failing(found: list[Step], name: str) -> str:
    """The words of the step that fails: the last one, with this name; all others hold."""
    assert [step.name for step in found] == STEPS[: STEPS.index(name) + 1]
    assert [step.holds for step in found] == [True] * (len(found) - 1) + [False]
    return found[-1].words


@pytest.mark.parametrize("version", ["auto", "3.1.1"])
def test_all_is_well(broker: Broker, version: str) -> None:
    found = steps(broker.port, version=version)
    assert [step.name for step in found] == STEPS
    assert all(step.holds for step in found)
    assert found[3].words == f"connected as pi-07-check, MQTT {'5' if version == 'auto' else version}"
    assert found[5].words == "commands get through"


def test_a_daemon_that_runs_keeps_its_connection_and_nothing_is_left(
    broker: Broker, make_publisher: Callable[..., Publisher], caplog: pytest.LogCaptureFixture
) -> None:
    with make_publisher(broker.port) as publisher:
        assert publisher.wait_connected(15)
        assert all(step.holds for step in steps(broker.port))
        assert publisher.connected
        assert publisher.statistics().broker.connections == 1
        with broker.listener("edge-asd/pi-07/availability") as listener:
            assert listener.wait_for(lambda _: True)[0].payload == "online"
    assert "command" not in caplog.text


def test_a_name_that_is_none() -> None:
    assert "check mqtt.host" in failing(steps(1883, host="no-such-broker.invalid"), "name")


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert "is the broker running" in failing(steps(port), "tcp")


def hang_up(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            server.accept()[0].close()


def test_what_listens_is_no_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        assert "without an answer" in failing(steps(server.getsockname()[1]), "mqtt")
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("wrong", "step", "words"),
    [
        ({"ca_file": "device.crt"}, "tls", "check mqtt.tls.ca_file"),
        ({"host": "127.0.0.1"}, "tls", "name the broker in mqtt.host"),
        ({"cert_file": None, "key_file": None}, "tls", "set mqtt.tls.cert_file"),
        ({"tls": None}, "mqtt", "set mqtt.tls"),
    ],
)
def test_encryption_that_does_not_fit(
    make_broker: MakeBroker, tmp_path: Path, wrong: dict[str, Any], step: str, words: str
) -> None:
    certificates = Certificates(tmp_path)
    broker = encrypted(make_broker, certificates, "require_certificate true")
    right = {"ca_file": "ca.pem", "cert_file": "device.crt", "key_file": "device.key"}

    def settings(**changed: Any) -> dict[str, Any]:
        files = {key: changed.pop(key, value) for key, value in right.items()}
        tls = Tls(**{key: value and certificates.path(value) for key, value in files.items()})
        return {"host": "localhost", "tls": tls, **changed}

    assert all(each.holds for each in steps(broker.port, **settings()))
    assert words in failing(steps(broker.port, **settings(**wrong)), step)


def test_encryption_towards_a_plain_port(broker: Broker) -> None:
    assert "does this port speak TLS" in failing(steps(broker.port, tls=Tls()), "tls")


def test_a_wrong_password(make_broker: MakeBroker, tmp_path: Path) -> None:
    broker = make_broker(users(tmp_path, pump="right"))
    found = steps(broker.port, "wrong-guess", username="pump")
    assert "check mqtt.username and the content of mqtt.password_file" in failing(found, "mqtt")
    assert "wrong-guess" not in repr(found)
    assert all(step.holds for step in steps(broker.port, "right", username="pump"))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("retain_available false", "Retain not supported; have the broker keep retained messages"),
        ("max_qos 0", "QoS not supported; have the broker take messages of QoS 1"),
    ],
)
def test_a_broker_that_does_not_take_what_the_daemon_sends(make_broker: MakeBroker, option: str, words: str) -> None:
    broker = make_broker(option)
    assert words in failing(steps(broker.port), "mqtt")
    # Under 3.1.1 it hangs up without a word, and does so on the daemon too.
    assert "without an answer" in failing(steps(broker.port, version="3.1.1"), "mqtt")


def test_an_access_list_that_refuses(make_broker: MakeBroker, tmp_path: Path) -> None:
    access = tmp_path / "access"
    rules = "user pump\ntopic write edge-asd/pi-07/+\ntopic write edge-asd/pi-07/response/+\n"
    access.write_text(f"{rules}topic write edge-asd/pi-07/+/state\n")
    broker = make_broker(users(tmp_path, pump="p"), f"acl_file {access}")
    words = failing(steps(broker.port, "p", username="pump"), "publish")
    assert "a message on edge-asd/pi-07/pump-3/event: Not authorized; allow this user to publish there" in words
    access.write_text(f"{rules}topic write edge-asd/pi-07/pump-3/+\ntopic write edge-asd/pi-07/request/+\n")
    broker.reload()
    words = failing(steps(broker.port, "p", username="pump"), "subscribe")
    assert "allow this user to read edge-asd/pi-07/request/+" in words
    access.write_text(f"{rules}topic write edge-asd/pi-07/pump-3/+\ntopic read edge-asd/pi-07/request/+\n")
    broker.reload()
    found = steps(broker.port, "p", username="pump")
    assert all(step.holds for step in found)
    assert "this user may not send any" in found[-1].words


def test_rules_that_go_by_the_client_id(make_broker: MakeBroker, tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text("pattern write edge-asd/%c/#\npattern read edge-asd/%c/#\n")
    words = failing(steps(make_broker(f"acl_file {access}").port), "publish")
    assert "Not authorized; allow this user to publish there" in words
    assert "where rules go by the client id, they have to allow 'pi-07-check' too" in words


@pytest.mark.parametrize(
    ("forbidden", "step", "words"),
    [
        ("edge-asd/pi-07/pump-3/state", "publish", "a message on edge-asd/pi-07/pump-3/state"),
        ("homeassistant/status", "subscribe", "the subscription to homeassistant/status"),
    ],
)
def test_a_broker_that_hangs_up_at_what_is_forbidden(forbidden: str, step: str, words: str) -> None:
    def broker(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    if connection.recv(4096):
                        connection.sendall(bytes([0x20, 3, 0, 0, 0]))
                    while (packet := connection.recv(4096)) and forbidden.encode() not in packet:
                        if packet[0] >> 4 == 8:
                            connection.sendall(bytes([0x90, 4]) + packet[2:4] + bytes([0, 1]))
                        else:
                            connection.sendall(bytes([0x40, 2]) + packet[4 + packet[3] :][:2])
                    connection.sendall(bytes([0xE0, 1, 135]))

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=broker, args=(server,), daemon=True).start()
        found = failing(steps(server.getsockname()[1]), step)
        server.shutdown(socket.SHUT_RDWR)
    assert f"the broker ended the connection at {words}: Not authorized; allow this user to" in found


@pytest.mark.parametrize("has_5", [True, False], ids=["speaks 5", "3.1.1 alone"])
def test_a_user_who_may_write_and_not_read_under_3_1_1(
    make_broker: MakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_5: bool
) -> None:
    access = tmp_path / "access"
    access.write_text("user deaf\ntopic write #\nuser mute\ntopic write edge-asd/pi-07/+\ntopic read #\n")
    broker = make_broker(users(tmp_path, deaf="p", mute="p"), f"acl_file {access}")
    if not has_5:
        connect = _Talk._connect

        def connect_without_5(talk: _Talk, versions: list[Any]) -> str:
            if "5" in versions:
                raise _FailedError("the broker refused the connection: Unsupported protocol version")
            return connect(talk, versions)

        monkeypatch.setattr(_Talk, "_connect", connect_without_5)
    deaf = steps(broker.port, "p", username="deaf", version="3.1.1")
    mute = steps(broker.port, "p", username="mute", version="3.1.1")
    if has_5:
        assert "nothing comes through: allow this user to read edge-asd/pi-07/request/+" in failing(deaf, "subscribe")
        assert all(step.holds for step in mute)
        assert "this user may not send any" in mute[-1].words
    else:
        for found in (deaf, mute):
            assert all(step.holds for step in found)
            assert "under MQTT 3.1.1 it cannot be told" in found[-1].words
            assert "see that it may read edge-asd/pi-07/request/+" in found[-1].words


def run(config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_asd", "check-broker", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_says_what_fails_and_exits_so(broker: Broker, tmp_path: Path) -> None:
    config = tmp_path / "firmware.yaml"
    text = f"device: pi-07\nmqtt: {{host: 127.0.0.1, port: {broker.port}}}\n"
    text += "sources: [{name: pump-3, bundle: pump-3.easd, source: mic}]\n"
    config.write_text(text)
    done = run(config)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [[step, "holds"] for step in STEPS]
    broker.stop()
    done = run(config)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("tcp        FAILS  connection refused")
    assert done.stderr.count("\n") == 1
    assert f"broker at 127.0.0.1:{broker.port}: tcp: connection refused" in done.stderr
    config.write_text(text.replace(str(broker.port), "tls"))
    assert run(config).returncode == 2
