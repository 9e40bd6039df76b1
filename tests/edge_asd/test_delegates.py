"""Delegates as the interpreter really loads them: a library in C that computes additions, or refuses to."""

from __future__ import annotations

import importlib.resources
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_asd import golden
from edge_asd.bundle import Bundle
from edge_asd.configuration import parse
from edge_asd.errors import CheckFailedError, InputError
from edge_asd.firmware import Delegate
from edge_asd.interpreter import DelegateLibrary, Engine, Network
from edge_asd.pipeline import Pipeline
from tests.handmade import RATE, hum
from tests.interpolating import write_interpolating

PROBE = importlib.resources.files("edge_asd").joinpath("probe.tflite").read_bytes()
SOURCE = Path(__file__).with_name("adding_delegate.c")
TWO = np.array([[2.0]], np.float32)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    path = tmp_path_factory.mktemp("delegate") / "libadding.so"
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", path, SOURCE], check=True)
    return str(path)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_interpolating(tmp_path_factory.mktemp("bundle") / "net.easd")


def engine(path: str, options: dict[str, str] | None = None, *, fallback: bool = True) -> Engine:
    return Engine(1, DelegateLibrary(path, options or {}, fallback))


def test_the_delegate_computes(library: str) -> None:
    chosen = engine(library, {"gain": "3"})
    assert Network(PROBE, engine=chosen)(TWO) == 12.0
    assert chosen.delegated
    assert chosen.failure is None
    assert Network(PROBE)(TWO) == 4.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"refuse": "create"}, "Failed to load delegate from LIBRARY no such hardware here"),
        ({"refuse": "prepare"}, "this net is not for me"),
    ],
)
def test_what_refuses_at_first_is_given_up(
    library: str, options: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = engine(library, options)
    assert Network(PROBE, engine=chosen, where="pump.easd")(TWO) == 4.0
    assert not chosen.delegated
    assert chosen.failure is not None
    assert said.replace("LIBRARY", library) in chosen.failure
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "pump.easd: delegate" in caplog.text
    assert "the processor computes" in caplog.text


@pytest.mark.parametrize("path", ["/nowhere/libedgetpu.so.1", "libedge-asd-has-no-such-library.so", "libc.so.6"])
def test_what_is_no_delegate_is_given_up(path: str) -> None:
    chosen = engine(path)
    assert Network(PROBE, engine=chosen)(TWO) == 4.0
    assert chosen.failure


def test_a_pipe_in_the_place_of_a_delegate_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "libedgetpu.so.1")
    chosen = engine(str(tmp_path / "libedgetpu.so.1"))
    assert Network(PROBE, engine=chosen)(TWO) == 4.0
    assert chosen.failure is not None
    assert "is no regular file" in chosen.failure


def test_what_fails_while_it_runs_is_given_up_and_loses_nothing(library: str) -> None:
    chosen = engine(library, {"gain": "3", "refuse": "invoke:3"})
    network = Network(PROBE, engine=chosen)
    assert [float(network(TWO)[0, 0]) for _ in range(5)] == [12.0, 12.0, 4.0, 4.0, 4.0]
    assert chosen.failure is not None
    assert "the hardware has gone" in chosen.failure


def test_it_is_given_up_for_every_net_and_said_once(library: str, caplog: pytest.LogCaptureFixture) -> None:
    chosen = engine(library, {"refuse": "prepare"})
    for _ in range(3):
        Network(PROBE, engine=chosen)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("options", [{"refuse": "create"}, {"refuse": "prepare"}, {"refuse": "invoke:1"}])
def test_without_a_fallback_it_is_an_error(library: str, options: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"net: delegate .*libadding\.so: expected a delegate that computes") as caught:
        Network(PROBE, engine=engine(library, options, fallback=False), where="net")(TWO)
    assert "\n" not in str(caught.value)


def test_one_that_moves_the_scores_is_given_up(library: str, bundle: Bundle) -> None:
    whole, moved = engine(library), engine(library, {"gain": "1.01"})
    golden.require(bundle, engine=whole)
    assert whole.delegated
    golden.require(bundle, engine=moved)
    assert not moved.delegated
    assert moved.failure is not None
    assert moved.failure.startswith("it moves stage rows/surprise by ")
    with pytest.raises(InputError, match="it moves stage rows/surprise"):
        golden.require(bundle, engine=engine(library, {"gain": "1.01"}, fallback=False))


def test_a_bundle_that_does_not_hold_without_it_either_is_refused(library: str, bundle: Bundle) -> None:
    bent = bundle._replace(arrays={**bundle.arrays, "golden/score": np.array([99.0])})
    with pytest.raises(CheckFailedError, match="stage score"):
        golden.require(bent, engine=engine(library))


def test_scores_stay_the_same_when_it_fails_in_the_middle(library: str, bundle: Bundle) -> None:
    sound = hum(6, 3)
    expected = [score.value for score in Pipeline(bundle).process(sound)]
    chosen = engine(library, {"refuse": "invoke:100"})
    assert [score.value for score in Pipeline(bundle, engine=chosen).process(sound)] == pytest.approx(
        expected, rel=1e-6
    )
    assert not chosen.delegated


@pytest.mark.parametrize("threads", [0, -1, 17])
def test_threads_are_bounded(threads: int) -> None:
    with pytest.raises(InputError, match="threads: expected 1–16"):
        Engine(threads)


def test_settings() -> None:
    found = parse("{library: libedgetpu.so.1, options: {device: usb, power: 2}}", Delegate, where="delegate")
    assert (found.library, found.options, found.fallback) == ("libedgetpu.so.1", {"device": "usb", "power": 2}, "cpu")
    for text in ("{library: ''}", "{library: a.so, fallback: gpu}", "{library: a.so, options: {a: [1]}}", "{}"):
        with pytest.raises(InputError, match="delegate"):
            parse(text, Delegate, where="delegate")


@pytest.mark.parametrize(("option", "active"), [("{}", True), ("{gain: 2}", False), ("{refuse: prepare}", False)])
def test_the_daemon_says_what_computes(
    library: str, bundle: Bundle, tmp_path: Path, broker: Any, option: str, active: bool
) -> None:
    shutil.copy(bundle.where, tmp_path / "net.easd")
    shutil.copy(library, tmp_path / "libadding.so")
    soundfile.write(tmp_path / "hum.wav", hum(6, 5), RATE)
    config = tmp_path / "firmware.yaml"
    config.write_text(
        f"device: bench-2\nmqtt: {{host: 127.0.0.1, port: {broker.port}}}\n"
        f"delegate: {{library: ./libadding.so, options: {option}}}\n"
        "sources: [{name: hum, bundle: net.easd, source: 'file:hum.wav?speed=max'}]\n"
    )
    with broker.listener() as listener:
        command = [sys.executable, "-m", "edge_asd", "monitor", str(config), "--once"]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        (message,) = listener.wait_for(lambda message: message.topic.endswith("/health"))[:1]
    health = message.json()["sources"]["hum"]["delegate"]
    assert health["library"] == str(tmp_path / "libadding.so")
    assert health["active"] is active
    assert (health["failure"] is None) is active
    assert ("the processor computes" in done.stderr) is not active


def test_a_name_alone_is_left_to_the_loader(tmp_path: Path, bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    chosen = engine("libedge-asd-has-no-such-library.so")
    golden.require(bundle, engine=chosen)
    assert chosen.failure is not None
    assert "libedge-asd-has-no-such-library.so" in chosen.failure
