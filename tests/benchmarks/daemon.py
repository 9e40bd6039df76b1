"""What the daemon costs, as tables in Markdown: `python -m tests.benchmarks.daemon`.

First one microphone under the default recipe, where EDGE_ASD_TEST_VIRTUAL_MIC names a tool that makes one (as in
tests/edge_asd/capture/test_virtual_microphone.py), else one recording at real time: resident memory of the daemon and
the process that records. Then many recordings at real time at once: whether every window is scored in its time, and
how much of the processor that takes. The figures are those that the daemon itself publishes; a real mosquitto listens.

The recordings are a simulated machine's, and the bundle is made of them unless --bundle names one. --pin keeps the
daemon to so many cores.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from edge_asd.bundle import read_bundle
from tests.conftest import Broker
from tests.virtual_microphone import TOOL, microphone

LIMIT_MIB = 70
MIB = 1 << 20


class Sample(NamedTuple):
    """How a running daemon fares."""

    at: float
    processor_s: float
    figures: dict[str, float]

    def total(self, name: str) -> float:
        return sum(value for key, value in self.figures.items() if re.split(r"[ {]", key)[0] == name)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="bundle to judge with; one of the default recipe where left out")
    parser.add_argument("--sources", type=int, default=16, help="recordings at once (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to watch each (default: %(default)s)")
    parser.add_argument("--pin", type=int, default=2, help="cores the daemon may use (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bundle = arguments.bundle.absolute() if arguments.bundle else export_bundle(folder)
        rate = read_bundle(bundle).recipe.sample_rate
        soundfile.write(folder / "machine.wav", _sound(arguments.seconds + 60, rate), rate)
        broker = Broker(folder, [])
        broker.start()
        stack.callback(broker.stop)
        _one_source(folder, bundle, broker.port, arguments)
        _many_sources(folder, bundle, broker.port, arguments)


def export_bundle(folder: Path) -> Path:
    """Return a bundle of the default recipe, made of simulated recordings."""
    code = (
        "from edge_asd_export.simulation import Machine, write_recordings;"
        f"write_recordings({str(folder)!r}, Machine(kind='rotating'), 12, 10.0, seed=1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    command = [sys.executable, "-m", "edge_asd", "export", str(folder / "normal"), "-o", str(folder / "default.easd")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "default.easd"


def _sound(seconds: float, rate: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    times = np.arange(int(seconds * rate)) / rate
    hum = sum(np.sin(2 * np.pi * 49 * k * times) / k for k in range(1, 20))
    return np.asarray(0.05 * hum + 0.02 * rng.standard_normal(len(times)), np.float32)


def _one_source(folder: Path, bundle: Path, port: int, arguments: argparse.Namespace) -> None:
    with ExitStack() as stack:
        environment = stack.enter_context(microphone(folder)) if TOOL else dict(os.environ)
        source = "mic:virtualmic" if TOOL else f"file:{folder / 'machine.wav'}"
        url = stack.enter_context(_daemon(folder, bundle, port, [source], environment, arguments.pin))
        player = subprocess.Popen([TOOL, "play", folder / "machine.wav"], env=environment) if TOOL else None
        if player is not None:
            stack.callback(player.kill)
        before, after = _watch(url, arguments.seconds)
        mapped = [_mapped(number) for number in (url[1], *_children(url[1]))]
    resident = max(sample.total("edge_asd_resident_bytes") for sample in (before, after)) / MIB
    verdict = "within" if resident <= LIMIT_MIB else "ABOVE"
    print("| one source | windows scored | the daemon | what records | resident | | common pages once |")
    print("|---|---|---|---|---|---|---|")
    daemon, *recording = (sum(each.resident for each in process.values()) / MIB for process in mapped)
    print(
        f"| {source.partition(':')[0]} | {_scored(before, after):.0f} | {daemon:.1f} MiB | {sum(recording):.1f} MiB "
        f"| {resident:.1f} MiB | {verdict} {LIMIT_MIB} MiB | {_once(mapped) / MIB:.1f} MiB |\n"
    )


class Mapped(NamedTuple):
    """Pages of one file, or of none, that a process has in memory, in bytes."""

    resident: int
    changed: int
    """Those of them that are its own, whatever the file holds."""


def _children(process: int) -> list[int]:
    files = Path(f"/proc/{process}/task").glob("*/children")
    return [int(word) for file in files for word in file.read_text().split()]


def _mapped(process: int) -> dict[str, Mapped]:
    found: dict[str, Mapped] = {}
    name = ""
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            name = " ".join(line.split()[5:])
        elif line.startswith(("Rss:", "Anonymous:")):
            size, before = 1024 * int(line.split()[1]), found.get(name, Mapped(0, 0))
            resident, changed = (size, 0) if line.startswith("Rss:") else (0, size)
            found[name] = Mapped(before.resident + resident, before.changed + changed)
    return found


def _once(processes: list[dict[str, Mapped]]) -> int:
    """Return the memory of several processes: of a file's unchanged pages, those of the process that has the most."""
    changed = sum(each.changed for process in processes for each in process.values())
    names = {name for process in processes for name in process}
    none = Mapped(0, 0)
    files = ((process.get(name, none) for process in processes) for name in names)
    return changed + sum(max(each.resident - each.changed for each in file) for file in files)


def _many_sources(folder: Path, bundle: Path, port: int, arguments: argparse.Namespace) -> None:
    recipe = read_bundle(bundle).recipe
    sources = [f"file:{folder / 'machine.wav'}"] * arguments.sources
    with _daemon(folder, bundle, port, sources, dict(os.environ), arguments.pin) as url:
        before, after = _watch(url, arguments.seconds)
    took = after.at - before.at
    due = arguments.sources * took * recipe.sample_rate / recipe.hop_samples
    scored, dropped = _scored(before, after), after.total("edge_asd_frames_dropped_total")
    share = (after.processor_s - before.processor_s) / took
    print("| sources at real time | cores | windows due | scored | frames dropped | processor | resident |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {arguments.sources} | {arguments.pin} | {due:.0f} | {scored:.0f} ({scored / due:.1%}) | {dropped:.0f} "
        f"| {share:.2f} cores, {share / arguments.sources:.1%} of one for each "
        f"| {after.total('edge_asd_resident_bytes') / MIB:.0f} MiB |"
    )


def _scored(before: Sample, after: Sample) -> float:
    name = "edge_asd_windows_scored_total"
    return after.total(name) - before.total(name)


def _watch(url: tuple[str, int], seconds: float) -> tuple[Sample, Sample]:
    """Wait until every source was scored, then watch for so long."""
    while True:
        sample = _sample(*url)
        each = [value for key, value in sample.figures.items() if key.startswith("edge_asd_windows_scored_total")]
        if each and min(each) >= 2:
            time.sleep(seconds)
            return sample, _sample(*url)
        time.sleep(0.5)


def _sample(url: str, process: int) -> Sample:
    try:
        text = urllib.request.urlopen(url, timeout=5).read().decode()
    except OSError:
        text = ""
    figures = dict(re.findall(r"^([^# ]\S*) (\S+)$", text, re.MULTILINE))
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    if fields[0] == "Z":
        raise SystemExit("the daemon has ended")
    ticks = int(fields[11]) + int(fields[12])
    return Sample(
        time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), {key: float(value) for key, value in figures.items()}
    )


@contextmanager
def _daemon(
    folder: Path, bundle: Path, port: int, sources: list[str], environment: dict[str, str], cores: int
) -> Iterator[tuple[str, int]]:
    """Run a daemon, and give the address of its figures and its process."""
    web = 20_000 + os.getpid() % 10_000
    lines = [f"  - {{name: s{number}, bundle: {bundle}, source: '{source}'}}" for number, source in enumerate(sources)]
    config = folder / "firmware.yaml"
    config.write_text(
        f"device: bench\nmqtt: {{host: 127.0.0.1, port: {port}}}\nweb: {{port: {web}}}\nlog: {{level: error}}\n"
        "sources:\n" + "\n".join(lines) + "\n"
    )
    environment = {**environment, "STATE_DIRECTORY": str(folder), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # An installed package is compiled; to compile it at each start takes memory as well.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen([sys.executable, "-m", "edge_asd", "monitor", str(config)], env=environment)
    os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:cores])
    try:
        yield f"http://127.0.0.1:{web}/metrics", process.pid
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
