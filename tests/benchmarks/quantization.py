"""Every net in every quantization, as Markdown: size, latency, what is lost, and on which interpreters it runs.

    python -m tests.benchmarks.quantization [NET …]

Nets have random weights, but for those whose file EDGE_ASD_TEST_WEIGHTS holds. What they take is real sound from
EDGE_ASD_TEST_DATA, else noise, through each net's own front end. With EDGE_ASD_TEST_TFLITE, a Python that has
tflite-runtime, each file is loaded and run there too. Times are this machine's processor's, one thread, median:
compare them with one another only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import read_recording
from edge_asd.features import SegmentFrontEnd, build_front_end, resolve
from edge_asd.frames import Framer
from edge_asd.interpreter import Network
from edge_asd.recipe.front_ends import FrontEnd, Preset
from edge_asd.recipe.models import Net, NetName, Quantization
from edge_asd_export.conversion import ConversionError, convert
from edge_asd_export.graph import stated_runtime
from edge_asd_export.nets import NETS, Patches, build_net
from edge_asd_export.quantization.fidelity import cosine
from edge_asd_export.weights import read_weights
from tests.benchmarks.nets import FRAMES
from tests.benchmarks.nets import build as build_random

Float32 = NDArray[np.float32]

FRONT_ENDS: dict[str, FrontEnd] = {
    "openl3-mel128": Preset(name="openl3-v0.4-mel128"),
    "openl3-mel256": Preset(name="openl3-v0.4-mel256"),
    "openl3-linear": Preset(name="openl3-linear"),
    "edgel3": Preset(name="edgel3"),
    "vggish": Preset(name="vggish"),
    "yamnet": Preset(name="yamnet"),
    "musicnn": Preset(name="musicnn"),
    "panns-resnet38": Preset(name="panns"),
}
"""What each net takes; pictures where it is not named."""
FILES = {
    "edgel3": "edgel3_sea_ust_audio_emb_64.h5.gz",
    "musicnn": "musicnn_MTT_musicnn.h5",
    "squeezenet-1.1": "squeezenet_v1.1_notop.h5",
}
"""Published weights, by net."""
_ELSEWHERE = """
import sys
import numpy as np
from pathlib import Path
from edge_asd.errors import InputError
from edge_asd.interpreter import Network, require_runtime
try:
    require_runtime(sys.argv[4], "net")
    network = Network(Path(sys.argv[1]).read_bytes())
except InputError as error:
    sys.exit(f"refused: {error}")
rows = [network(each[np.newaxis]).reshape(1, -1) for each in np.load(sys.argv[2])]
np.save(sys.argv[3], np.concatenate(rows))
"""


class Line(NamedTuple):
    """One net in one form."""

    net: str
    quantization: str
    kib: float
    milliseconds: float
    cosine: float
    centred: float
    minimum: str
    elsewhere: str


def sound(rate: int, count: int) -> list[Float32]:
    """Ten seconds each of real machines, else of noise through a resonance."""
    folder = os.environ.get("EDGE_ASD_TEST_DATA")
    paths = sorted(Path(folder).glob("mimii/fan/id_00/*/*.wav")) if folder else []
    if paths:
        spread = paths[:: max(1, len(paths) // count)][:count]
        return [read_recording(path, channel=0, sample_rate=rate).samples for path in spread]
    rng = np.random.default_rng(0)
    smooth = np.hanning(9) / np.hanning(9).sum()
    return [np.convolve(rng.normal(0, 0.05, 10 * rate), smooth, "same").astype(np.float32) for _ in range(count)]


def patches_of(name: NetName, count: int) -> Float32:
    """Patches of a net's own front end, shape (count, frames, bands)."""
    settings = FRONT_ENDS.get(name, Preset(name="image-transfer"))
    resolved = resolve(settings)
    rate = int(getattr(getattr(resolved, "mel", resolved), "sample_rate", None) or 16000)
    front_end = build_front_end(settings, rate)
    found: list[Float32] = []
    for samples in sound(rate, count):
        if isinstance(front_end, SegmentFrontEnd):
            start = (len(samples) - front_end.segment_length) // 2
            found.append(front_end.process(samples[start : start + front_end.segment_length]).copy())
        else:
            framer = Framer(front_end.frame_length, front_end.hop_length)
            frames = np.concatenate([front_end.process(each).copy() for each in framer.process(samples)])
            wanted = NETS[name].frames or FRAMES[name]
            found.append(frames[max(0, len(frames) - wanted) // 2 :][:wanted])
    return np.stack(found)


def build(name: NetName, patches: Float32) -> Any:
    """Build a net with its published weights where they are at hand, else with random ones."""
    shape = Patches(*patches.shape[1:])
    file = Path(os.environ.get("EDGE_ASD_TEST_WEIGHTS", ""), FILES.get(name, "no such file"))
    if file.is_file():
        return build_net(Net(name=name), shape, read_weights(file), name)
    return build_random(name, NETS[name].embeddings[0])


def measure(name: NetName, quantizations: Sequence[Quantization], samples: int, runs: int) -> Iterator[Line]:
    """Convert a net to each form, and hold it against float32."""
    patches = patches_of(name, samples)
    model = build(name, patches)
    reference: NDArray[np.float64] | None = None
    for quantization in quantizations:
        try:
            content = convert(model, quantization, patches)
        except ConversionError as error:
            yield Line(name, quantization, 0, 0, 0, 0, "", str(error))
            continue
        network = Network(content)
        rows = np.concatenate([network(each[np.newaxis]).reshape(1, -1) for each in patches]).astype(np.float64)
        reference = rows if reference is None else reference
        mean = reference.mean(axis=0)
        yield Line(
            name,
            quantization,
            len(content) / 1024,
            latency(network, patches, runs),
            cosine(reference, rows),
            cosine(reference - mean, rows - mean),
            stated_runtime(content),
            elsewhere(content, patches, rows),
        )


def latency(network: Network, patches: Float32, runs: int) -> float:
    """Median processor time of a run, in milliseconds: what else the machine does is not in it."""
    times = []
    for index in range(runs):
        begun = time.process_time()
        network(patches[index % len(patches)][np.newaxis])
        times.append(time.process_time() - begun)
    return 1e3 * statistics.median(times)


def elsewhere(content: bytes, patches: Float32, rows: NDArray[np.float64]) -> str:
    """How far off tflite-runtime is with the file, as a share of the rows' range, or in what words it is refused."""
    python = os.environ.get("EDGE_ASD_TEST_TFLITE")
    if not python:
        return "not tried"
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, name)) for name in ("net.tflite", "in.npy", "out.npy")]
        Path(files[0]).write_bytes(content)
        np.save(files[1], patches[:4])
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [python, "-c", _ELSEWHERE, *files, stated_runtime(content)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
            return said[0].partition(";")[0] if said[0].startswith("refused: ") else f"FAILS: {said[0]}"
        off = np.abs(np.load(files[2]) - rows[:4]).max() / max(float(np.ptp(rows[:4])), 1e-12)
    return f"{off:.1e} off"


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", choices=[[], *NETS], default=[], help="nets (default: all)")
    parser.add_argument("--samples", type=int, default=20, help="patches that ranges and cosines are taken from")
    parser.add_argument("--runs", type=int, default=20, help="runs that the latency is the median of")
    arguments = parser.parse_args()
    print("| net | stored | KiB | ms | cosine | mean-centred | oldest runtime | tflite-runtime 2.14 |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in arguments.nets or list(NETS):
        for line in measure(name, get_args(Quantization), arguments.samples, arguments.runs):
            figures = f"{line.kib:.0f} | {line.milliseconds:.2f} | {line.cosine:.4f} | {line.centred:.4f}"
            print(f"| {line.net} | {line.quantization} | {figures} | {line.minimum} | {line.elsewhere} |", flush=True)


if __name__ == "__main__":
    main()
