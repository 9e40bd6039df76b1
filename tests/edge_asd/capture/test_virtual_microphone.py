"""A microphone heard for real, through PortAudio and ALSA."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.faults.unplugging import LIMIT_S, soak
from tests.handmade import write_handmade
from tests.virtual_microphone import TOOL, microphone

pytestmark = pytest.mark.skipif(not TOOL, reason="EDGE_ASD_TEST_VIRTUAL_MIC names no virtual microphone")

# In a process of its own: ALSA reads its configuration once. It hears a recording, then loses and finds its microphone.
LISTENER = """
import json, subprocess, sys, time
import numpy as np
from edge_asd.capture import Block, open_capture, parse_source
from edge_asd.errors import CaptureError

tool, played, heard = sys.argv[1:]
report = {"gone": [], "states": [], "back": []}
address = parse_source("mic:virtualmic")

with open_capture(address, sample_rate=48000) as capture:
    blocks, player = [], None
    for item in capture:
        assert isinstance(item, Block), item
        blocks.append(item)
        if player is None:
            player = subprocess.Popen([tool, "play", played])
        if player.poll() is not None and item.start > over:
            break
        if player.poll() is None:
            over = item.start + 48000
np.save(heard, np.concatenate([block.samples for block in blocks]))

def listen(until_s):
    with open_capture(address, sample_rate=16000) as capture:
        end = time.monotonic() + until_s
        for item in capture:
            if time.monotonic() > end:
                return

for _ in range(2):
    try:
        with open_capture(address, sample_rate=16000) as capture:
            for number, item in enumerate(capture):
                if number == 3:
                    subprocess.run([tool, "unplug"], check=True)
                    away = time.monotonic()
    except CaptureError as error:
        report["gone"].append(time.monotonic() - away)
        report["states"].append(error.state)
    try:
        listen(0)
    except CaptureError as error:
        report["states"].append(error.state)
    subprocess.run([tool, "plug"], check=True)
    back = time.monotonic()
    while True:
        try:
            listen(0)
            break
        except CaptureError:
            assert time.monotonic() < back + 15
            time.sleep(0.5)
    report["back"].append(time.monotonic() - back)
print(json.dumps(report))
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with microphone(tmp_path) as surroundings:
        yield surroundings


def test_a_played_recording_is_heard_and_the_microphone_is_lost_and_found(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    # Below 2 kHz, so that less than a sample of delay, which nobody can know, matters little.
    times = np.arange(3 * 48_000) / 48_000
    played = (0.3 * np.sin(2 * np.pi * (200 + 300 * times) * times)).astype(np.float32)
    soundfile.write(tmp_path / "played.wav", played, 48_000)
    done = subprocess.run(
        [sys.executable, "-c", LISTENER, TOOL, str(tmp_path / "played.wav"), str(tmp_path / "heard.npy")],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    heard = np.load(tmp_path / "heard.npy")
    wanted = played
    place = _place(heard, wanted)
    piece = heard[place : place + len(wanted)]
    assert np.corrcoef(piece, wanted)[0, 1] > 0.99
    assert piece.std() == pytest.approx(wanted.std(), rel=0.05)
    assert report["states"] == ["gone"] * 4
    assert len(report["back"]) == 2
    assert max(report["back"]) < 15


def _place(heard: np.ndarray, wanted: np.ndarray) -> int:
    """Where in what was heard the recording begins: the peak of the cross-correlation, by way of the spectra."""
    size = len(heard) + len(wanted)
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(wanted, size).conj(), size)
    return int(np.argmax(match[: len(heard) - len(wanted) + 1]))


@pytest.mark.parametrize("hang", [False, True], ids=["unplugged", "hung"])
def test_the_daemon_loses_and_finds_a_microphone_and_calls_silence_unknown(tmp_path: Path, hang: bool) -> None:
    write_handmade(tmp_path / "hum.easd")
    figures = soak(tmp_path, tmp_path / "hum.easd", 2, hang=hang)
    assert {each.state for each in figures.rounds} == {"stalled" if hang else "gone"}
    assert max(each.found_s for each in figures.rounds) < LIMIT_S
    assert figures.silent_s < 15
