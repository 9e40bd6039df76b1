"""The command as a person meets it: learnt, replayed, told by a real broker, and drawn."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from edge_asd.bundle import read_bundle
from edge_asd.cli import main
from edge_asd.errors import InputError
from edge_asd_export.commands import demo
from edge_asd_export.demo.folder import Address
from edge_asd_export.demo.scenario import Lengths
from tests.waiting import free_port

LEAST = Lengths(clips=8, clip_seconds=10.0, seconds=240.0)


def edge_asd(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_asd", *words], cwd=cwd, check=False, capture_output=True, text=True, timeout=300
    )


def assert_is_a_picture(path: Path) -> None:
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert np.unique(matplotlib.image.imread(path)[..., 0]).size > 100


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    here = tmp_path_factory.mktemp("here")
    return edge_asd("demo", "--quick", "--machine", "pumping", "--seed", "1", cwd=here), here / "demo-pumping"


def test_the_whole_story(told: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, folder = told
    assert done.returncode == 0, done.stderr
    topic = "edge-asd/demo-pumping/pumping/event"
    minutes = [float(line.split()[1]) for line in done.stdout.splitlines() if line.endswith(topic)]
    assert len(minutes) >= 2
    assert 2.0 < minutes[0] < 5.4 < minutes[-1]
    assert done.stdout.count('"type": "new"') == done.stdout.count('"type": "end"') == 1
    assert "\noutcome     the fault began at minute 2.0; 1 alarm at minute" in done.stdout
    assert_is_a_picture(folder / "demo.png")
    assert len(list((folder / "normal").glob("*.wav"))) == 16
    assert read_bundle(folder / "pumping.easd").manifest.training.recordings == 16
    # One line for each finished step, one on what the net costs, and nothing of the libraries'.
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "simulating normal sound",
        "reading recordings",
        "surprise",
        "fitting and cross-fitting",
        "simulating the fault",
        "judging it offline",
        "replaying to the daemon",
    ]


def test_what_it_says_to_try_next_works(told: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, folder = told
    calls = [line.split() for line in done.stdout.partition("try next:")[2].splitlines() if "edge-asd" in line]
    verify, score, export, monitor = ([*call[1 : call.index("#")]] if "#" in call else call[1:] for call in calls)
    assert edge_asd(*verify, cwd=folder.parent).returncode == 0
    judged = edge_asd(*score, "--format", "csv", cwd=folder.parent)
    assert judged.returncode == 0, judged.stderr
    (replayed,) = [line for line in judged.stdout.splitlines() if "replay.wav" in line]
    assert ",anomaly," in replayed
    assert edge_asd("config", "check", monitor[1], cwd=folder.parent).returncode == 0
    assert (folder.parent / export[1]).is_dir()


def test_a_given_broker_is_told(
    broker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "QUICK", LEAST)
    with broker.listener("edge-asd/#") as listener:
        status = main(
            ["demo", "--quick", "--broker", f"127.0.0.1:{broker.port}", "-o", str(tmp_path / "out"), "--quiet"]
        )
        captured = capsys.readouterr()
        assert (status, captured.err) == (0, "")
        listener.wait_for(lambda message: message.payload == "offline")
        events = [message.json() for message in listener.messages("/rotating/event")]
    assert (events[0]["type"], events[-1]["type"]) == ("new", "end")
    assert captured.out.count("edge-asd/demo-rotating/rotating/event") == len(events)
    assert_is_a_picture(tmp_path / "out" / "demo.png")


def test_a_fault_that_nobody_can_hear_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "QUICK", LEAST)
    # Twice as loud, yet still far below the noise.
    buried = ["--fault", "level", "--snr", "-20"]
    assert main(["demo", "--quick", *buried, "-o", str(tmp_path / "out"), "--quiet"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("edge-asd: expected an alarm during the fault, found none; ")
    assert_is_a_picture(tmp_path / "out" / "demo.png")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--machine", "fan"], "machine kind: expected one of rotating, pumping, sliding, clicking, found 'fan'"),
        (["--machine", "sliding", "--fault", "bearing"], "fault of a sliding machine: expected one of dry-rail,"),
        (["--snr", "99"], "--snr: expected -20 to 40 dB, found 99"),
        (["--snr", "nan"], "--snr: expected -20 to 40 dB"),
        (["--seed", "-1"], "seed: expected 0 to 4294967295, found -1"),
        (["--broker", "localhost"], "--broker: expected HOST:PORT, such as localhost:1883, found 'localhost'"),
        (["--broker", f"127.0.0.1:{free_port()}"], "expected a broker that listens there, found Connection refused"),
        (["-o", "/dev/null/demo"], "/dev/null/demo: expected a folder that can be written, found Not a directory"),
        (["-o", "/proc/demo"], "/proc/demo: expected a folder that can be written"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *words]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert said in line
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:1883", Address("localhost", 1883)),
        ("[::1]:1", Address("::1", 1)),
        ("10.0.0.7:65535", Address("10.0.0.7", 65535)),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert demo.broker_address(text) == address


@pytest.mark.parametrize("text", ["", ":", "host:", ":1883", "host:0", "host:65536", "host:-1", "host:١", "[]:1883"])
def test_half_an_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--broker: expected HOST:PORT"):
        demo.broker_address(text)


def test_sigterm_interrupts_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), demo._ended_by_sigterm_too():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
