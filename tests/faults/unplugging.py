"""A microphone that is unplugged and plugged in again and again: `python -m tests.faults.unplugging`.

The daemon hears a virtual microphone through PortAudio and ALSA, judges by a bundle, and tells a mosquitto; the tool
that EDGE_ASD_TEST_VIRTUAL_MIC names takes the microphone away and brings it back. For each round the table says after
how many seconds the verdict was `unknown`, and after how many of plugging in the next score came; then, after how many
seconds of silence the verdict was `unknown`. Exit status 1 where a score took more than 15 s, or one never came.

A bundle of the default recipe, which needs 10 s of sound for a score, is made unless --bundle names one. --hang stops
the recording process instead of taking the microphone away: it has to be replaced.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from tests.benchmarks.daemon import export_bundle
from tests.conftest import Broker, Listener
from tests.virtual_microphone import TOOL, microphone

LIMIT_S = 15.0
_PATIENCE_S = 60.0


class Round(NamedTuple):
    """One time that the microphone was lost and found."""

    lost_s: float
    """Seconds until the verdict was `unknown`."""
    state: str
    """State of the microphone by then."""
    found_s: float
    """Seconds from plugging in to the next score."""


class Figures(NamedTuple):
    """What was measured."""

    rounds: list[Round]
    silent_s: float
    """Seconds of silence until the verdict was `unknown`."""


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="how often it is unplugged (default: %(default)s)")
    parser.add_argument("--bundle", type=Path, help="bundle to judge with")
    parser.add_argument("--hang", action="store_true", help="stop the recording process instead")
    arguments = parser.parse_args()
    if not TOOL:
        parser.error("EDGE_ASD_TEST_VIRTUAL_MIC names no virtual microphone")
    with tempfile.TemporaryDirectory() as folder:
        bundle = arguments.bundle.absolute() if arguments.bundle else export_bundle(Path(folder))
        figures = soak(Path(folder), bundle, arguments.rounds, hang=arguments.hang)
    print("| round | unknown after | microphone | next score after |")
    print("|---|---|---|---|")
    for number, each in enumerate(figures.rounds, 1):
        print(f"| {number} | {each.lost_s:.1f} s | {each.state} | {each.found_s:.1f} s |")
    worst = max(each.found_s for each in figures.rounds)
    print(f"\nat most {worst:.1f} s to the next score (limit {LIMIT_S:g} s)")
    print(f"silence unknown after {figures.silent_s:.1f} s")
    return int(worst > LIMIT_S)


def soak(folder: Path, bundle: Path, rounds: int, *, hang: bool = False) -> Figures:
    """Unplug and plug a microphone under a daemon so many times."""
    soundfile.write(folder / "noise.wav", 0.1 * np.random.default_rng(0).standard_normal(600 * 48_000), 48_000)
    with ExitStack() as stack:
        environment = stack.enter_context(microphone(folder))
        broker = Broker(folder, [])
        broker.start()
        stack.callback(broker.stop)
        listener = stack.enter_context(broker.listener("edge-asd/bench/m/state"))
        daemon = stack.enter_context(_daemon(folder, bundle, broker.port, environment))
        site = _Site(environment, folder / "noise.wav", listener, daemon)
        stack.callback(site.hush)
        site.play()
        site.wait(_is_scored, 0)
        done = [site.hang() if hang else site.replug() for _ in range(rounds)]
        return Figures(done, site.fall_silent())


class _Site:
    def __init__(
        self, environment: dict[str, str], sound: Path, listener: Listener, daemon: subprocess.Popen[bytes]
    ) -> None:
        self._environment, self._sound, self._listener, self._daemon = environment, sound, listener, daemon
        self._player: subprocess.Popen[bytes] | None = None

    def play(self) -> None:
        self.hush()
        self._player = subprocess.Popen([TOOL, "play", self._sound], env=self._environment, stderr=subprocess.DEVNULL)

    def hush(self) -> None:
        if self._player is not None:
            self._player.kill()
            self._player.wait()
            self._player = None

    def replug(self) -> Round:
        """Take the microphone away, and bring it back."""
        seen, start = len(self._listener.messages()), time.monotonic()
        self._tool("unplug")
        lost = self.wait(_is_unknown, seen)
        lost_s = time.monotonic() - start
        seen, start = len(self._listener.messages()), time.monotonic()
        self._tool("plug")
        self.play()
        self.wait(_is_scored, seen)
        return Round(lost_s, lost["microphone"], time.monotonic() - start)

    def hang(self) -> Round:
        """Stop the recording process, as if it hung."""
        seen, start = len(self._listener.messages()), time.monotonic()
        for child in Path(f"/proc/{self._daemon.pid}/task").glob("*/children"):
            for number in child.read_text().split():
                os.kill(int(number), signal.SIGSTOP)
        lost = self.wait(_is_unknown, seen)
        lost_s = time.monotonic() - start
        seen, start = len(self._listener.messages()), time.monotonic()
        self.wait(_is_scored, seen)
        return Round(lost_s, lost["microphone"], time.monotonic() - start)

    def fall_silent(self) -> float:
        """Play nothing any more."""
        seen, start = len(self._listener.messages()), time.monotonic()
        self.hush()
        self.wait(lambda state: _is_unknown(state) and state["microphone"] == "silent", seen)
        return time.monotonic() - start

    def wait(self, wanted: Any, seen: int) -> Any:
        """Wait for a state that is wanted, later than the first `seen`."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            assert self._daemon.poll() is None, "the daemon has ended"
            for message in self._listener.messages()[seen:]:
                if wanted(state := message.json()):
                    return state
            time.sleep(0.05)
        raise AssertionError(f"it did not happen; seen: {self._listener.messages()[-3:]}")

    def _tool(self, word: str) -> None:
        subprocess.run([TOOL, word], env=self._environment, check=True, timeout=30)


def _is_scored(state: Any) -> bool:
    return state["verdict"] != "unknown" and state["score"] is not None


def _is_unknown(state: Any) -> bool:
    return bool(state["verdict"] == "unknown")


@contextmanager
def _daemon(folder: Path, bundle: Path, port: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "soak.yaml").write_text(
        f"device: bench\nmqtt: {{host: 127.0.0.1, port: {port}}}\nweb: {{enabled: false}}\nlog: {{level: error}}\n"
        f"state_interval_s: 0\nsources:\n  - {{name: m, bundle: {bundle}, source: 'mic:virtualmic'}}\n"
    )
    command = [sys.executable, "-m", "edge_asd", "monitor", str(folder / "soak.yaml")]
    process = subprocess.Popen(command, env={**environment, "STATE_DIRECTORY": str(folder)})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    sys.exit(main())
