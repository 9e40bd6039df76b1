"""The daemon as a process of its own, on a real broker."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile

from edge_asd.bundle import read_bundle
from edge_asd.publish import payload_schemas
from tests.handmade import RATE, hum, write_handmade
from tests.waiting import wait_until

DEVICE = "edge-asd/bench-1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle and recordings: normal, then wrong, then normal again."""
    folder = tmp_path_factory.mktemp("site")
    write_handmade(folder / "hum.easd")
    (folder / "recordings").mkdir()
    for index, wrong in enumerate([False, False, True, True, True, False, False, False, False]):
        soundfile.write(folder / "recordings" / f"{index}.wav", hum(3, 100 + index, wrong=wrong), RATE)
    soundfile.write(folder / "long.wav", hum(60, 7), RATE)
    soundfile.write(folder / "short.wav", hum(1, 7), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(60 * RATE), RATE)
    return folder


@pytest.fixture
def daemon(site: Path, broker: Any) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *options: str) -> subprocess.Popen[str]:
        config = site / f"firmware-{len(started)}-{broker.port}.yaml"
        config.write_text(
            f"device: bench-1\nmqtt: {{host: 127.0.0.1, port: {broker.port}}}\n"
            f"sources: [{{name: hum, bundle: hum.easd, source: '{source}'}}]\n"
        )
        command = [sys.executable, "-m", "edge_asd", "monitor", str(config), *options]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def payloads(listener: Any, topic: str) -> list[Any]:
    found: list[Any] = listener.messages(f"{DEVICE}/{topic}")
    return found


def test_an_anomaly_begins_and_ends_on_the_broker(broker: Any, daemon: Any, site: Path) -> None:
    with broker.listener() as listener:
        process = daemon("file:recordings?speed=max", "--once")
        assert process.wait(30) == 0, process.stderr.read()
        wait_until(lambda: [m.payload for m in payloads(listener, "availability")][-1:] == ["offline"])
        assert [m.payload for m in payloads(listener, "availability")] == ["online", "offline"]
        source = payloads(listener, "info")[0].json()["sources"][0]
        assert source["bundle"]["id"] == "hum"
        assert source["hop_s"] == read_bundle(site / "hum.easd").recipe.horizon.hop_seconds
        events = [message.json() for message in payloads(listener, "hum/event")]
        assert [event["type"] for event in events if event["type"] != "update"] == ["new", "end"]
        assert len({event["id"] for event in events}) == 1
        assert events[0]["score"] >= events[0]["threshold"]
        assert events[-1]["reason"] == "recovered"
        verdicts = [message.json()["verdict"] for message in payloads(listener, "hum/state")]
        assert {"normal", "anomaly"} <= set(verdicts)
        assert verdicts[-1] == "unknown"


def test_sigterm_leaves_offline_retained(broker: Any, daemon: Any) -> None:
    process = daemon("file:long.wav")
    with broker.listener() as listener:
        wait_until(lambda: any(m.json()["verdict"] == "normal" for m in payloads(listener, "hum/state")))
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    with broker.listener() as listener:
        wait_until(lambda: bool(payloads(listener, "availability")))
        (message,) = payloads(listener, "availability")
        assert (message.payload, message.retained) == ("offline", True)
        assert payloads(listener, "hum/state")[0].json()["verdict"] == "unknown"
        assert not payloads(listener, "hum/event")


def test_killed_it_is_offline_by_its_last_will(broker: Any, daemon: Any) -> None:
    process = daemon("file:long.wav")
    with broker.listener() as listener:
        wait_until(lambda: any(m.payload == "online" for m in payloads(listener, "availability")))
        process.kill()
        wait_until(lambda: payloads(listener, "availability")[-1].payload == "offline")


def test_what_only_its_start_needed_is_given_back(broker: Any, daemon: Any) -> None:
    process = daemon("file:long.wav")
    with broker.listener() as listener:
        wait_until(lambda: any(m.json()["verdict"] == "normal" for m in payloads(listener, "hum/state")))

    def mebibytes(name: str) -> float:
        (line,) = re.findall(rf"{name}:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        return int(line) / 1024

    wait_until(lambda: mebibytes("VmHWM") - mebibytes("VmRSS") > 8)
    assert mebibytes("VmRSS") < 70


def test_standard_input_is_heard(broker: Any, site: Path) -> None:
    config = site / "stdin.yaml"
    config.write_text(
        f"device: bench-1\nmqtt: {{host: 127.0.0.1, port: {broker.port}}}\n"
        f"sources: [{{name: hum, bundle: hum.easd, source: 'stdin?rate={RATE}&format=s16le'}}]\n"
    )
    raw = (np.concatenate([hum(5, 1), hum(5, 2, wrong=True)]) * 32767).astype("<i2").tobytes()
    with broker.listener() as listener:
        command = [sys.executable, "-m", "edge_asd", "monitor", str(config), "--once"]
        assert subprocess.run(command, input=raw, timeout=30, check=False).returncode == 0
        wait_until(lambda: len(payloads(listener, "hum/event")) >= 2)
        assert payloads(listener, "hum/event")[0].json()["type"] == "new"
        assert payloads(listener, "hum/event")[-1].json()["reason"] == "the recording has ended"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("file:short.wav?speed=max", "expected at least 2 s of sound"),
        ("file:silent.wav?speed=max", "expected 2 s of a live signal, found one that is interrupted and silent"),
        ("file:nothing.wav", "no such file"),
        ("file:hum.easd?speed=max", "expected a recording"),
        ("mike", "source"),
    ],
)
def test_a_source_that_cannot_be_used_is_named(daemon: Any, source: str, said: str) -> None:
    process = daemon(source, "--once")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said in errors
    assert "Traceback" not in errors


def test_a_bundle_that_fails_its_self_test_is_refused(site: Path, broker: Any, daemon: Any) -> None:
    content = bytearray((site / "hum.easd").read_bytes())
    content[len(content) // 2] ^= 1
    (site / "broken.easd").write_bytes(content)
    process = daemon("file:long.wav", "--bundle", str(site / "broken.easd"))
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.count("\n")) == (2, 1)
    assert "truncated or altered" in errors


def ask(listener: Any, broker: Any, command: str, **request: Any) -> Any:
    """Send a command and return its answer."""
    topic, transaction = f"{DEVICE}/request/{command}", time.monotonic_ns()
    content = json.dumps({**request, "transaction": transaction})
    where = ["-h", "127.0.0.1", "-p", str(broker.port), "-q", "1"]
    subprocess.run(["mosquitto_pub", *where, "-t", topic, "-m", content], check=True)

    def fits(message: Any) -> bool:
        return "/response/" in message.topic and message.json()["transaction"] == transaction

    (message,) = listener.wait_for(fits, timeout_s=60)
    document = message.json()
    jsonschema.validate(document, payload_schemas()["edge-asd/response/1"])
    return document


def test_the_daemon_obeys_commands(broker: Any, daemon: Any) -> None:
    with broker.listener(f"{DEVICE}/#") as listener:
        daemon("file:long.wav")
        wait_until(lambda: any(m.json()["verdict"] == "normal" for m in payloads(listener, "hum/state")))
        status = ask(listener, broker, "status")["data"]
        assert status["states"]["hum"]["verdict"] == "normal"
        assert status["health"]["sources"]["hum"]["windows_scored"] > 0
        assert ask(listener, broker, "threshold")["data"] == {"thresholds": {"hum": 4.0}}
        assert "no source 'fan'; there are hum" in ask(listener, broker, "threshold", value=1, source="fan")["error"]
        assert "no anomaly in progress" in ask(listener, broker, "acknowledge")["error"]
        ask(listener, broker, "threshold", value=-100)
        new, *_ = listener.wait_for(lambda message: message.topic.endswith("hum/event"))
        event = new.json()
        assert (event["type"], event["threshold"]) == ("new", -100)
        assert ask(listener, broker, "acknowledge", value=event["id"])["data"] == {"acknowledged": {"hum": event["id"]}}
        assert ask(listener, broker, "disarm")["data"] == {"armed": {"hum": False}}
        (end,) = listener.wait_for(lambda message: '"type":"end"' in message.payload)
        assert (end.json()["id"], end.json()["reason"]) == (event["id"], "disarmed")
        listener.wait_for(lambda message: message.topic.endswith("state") and not message.json()["armed"])
        assert ask(listener, broker, "arm", source="hum")["data"] == {"armed": {"hum": True}}
        (sha256,) = ask(listener, broker, "reload")["data"]["bundles"].values()
        assert sha256 == event["bundle"]["sha256"]
        assert "expected at least 6 seconds" in ask(listener, broker, "calibrate", value=5)["error"]
        found = ask(listener, broker, "calibrate", value=8)["data"]["thresholds"]["hum"]
        assert ask(listener, broker, "threshold")["data"] == {"thresholds": {"hum": found}}
