"""What every published net holds and costs: `python -m tests.benchmarks.nets [NET …] [--store int8 …]`.

Each net is built with random weights, converted, and run on this machine's interpreter, one thread. Parameters,
multiply-accumulates (counted from the TFLite graph) and sizes are facts; times differ between machines and moments, so
take ratios. They are medians, all forms of a net in turn within one process. The cosine is that of rows of random
patches with float32's, less their mean: with random weights it tells a broken conversion, not what is lost in use.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from edge_asd.interpreter import Network, find_runtime
from edge_asd.recipe.models import NetName, Quantization
from edge_asd_export.conversion import ConversionError, convert
from edge_asd_export.graph import count_macs, stated_runtime
from edge_asd_export.nets import NETS, Options, Patches
from edge_asd_export.quantization.fidelity import cosine
from edge_asd_export.training.keras_session import import_keras

Float32 = NDArray[np.float32]
RANGES: dict[str, tuple[float, float]] = {"musicnn": (0.0, 3.0), "vggish": (-4.6, 3.0), "yamnet": (-6.9, 3.0)}
"""What the front end of each gives, roughly."""
FRAMES = {"musicnn": 63, "panns-resnet38": 1001}
"""Frames of the publication's patch, where the net takes any number."""
SAMPLES = 4


class Form(NamedTuple):
    """One form of a net."""

    quantization: Quantization
    content: bytes
    milliseconds: float
    cosine: float


def build(name: NetName, embedding: int) -> Any:
    """Build a net with random weights, its normalizations as the first patch asks for."""
    net = NETS[name]
    keras = import_keras(0)
    patches = Patches(net.frames or FRAMES[name], net.bands)
    model = net.build(keras, Options(patches, embedding, next(iter(net.namings))))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for variable in layer.weights:
            if variable.path.rpartition("/")[2] in ("kernel", "bias"):
                fan_in = int(np.prod(variable.shape[:-1])) or 1
                variable.assign(rng.standard_normal(variable.shape, np.float32) * np.float32(np.sqrt(2.0 / fan_in)))
        if hasattr(layer, "momentum"):
            layer.momentum = 0.0
    model(patches_for(name, model)[:1], training=True)
    return model


def patches_for(name: NetName, model: Any) -> Float32:
    """Return random patches in the range of the net's front end."""
    low, high = RANGES.get(name, (-2.1, 2.6) if NETS[name].bands == 672 else (-80.0, 0.0))
    shape = (SAMPLES, *model.input_shape[1:])
    return np.random.default_rng(1).uniform(low, high, shape).astype(np.float32)


def measure(name: NetName, model: Any, forms: list[Quantization], rounds: int) -> list[Form]:
    """Convert a net into each form, and time them in turn."""
    patches = patches_for(name, model)
    contents: dict[Quantization, bytes] = {}
    for form in forms:
        try:
            contents[form] = convert(model, form, patches)
        except ConversionError as error:
            print(f"{name:<16} {error}", flush=True)
    networks = {form: Network(content) for form, content in contents.items()}
    rows = {form: np.concatenate([net(patch[None]) for patch in patches]) for form, net in networks.items()}
    seconds: dict[Quantization, list[float]] = {form: [] for form in networks}
    for _ in range(rounds):
        for form, network in networks.items():
            start = time.perf_counter()
            network(patches[:1])
            seconds[form].append(time.perf_counter() - start)
    return [
        Form(form, contents[form], 1e3 * float(np.median(seconds[form])), agreement(rows["float32"], rows[form]))
        for form in networks
    ]


def agreement(reference: Float32, rows: Float32) -> float:
    """Return the mean cosine of rows less the reference's mean."""
    mean = reference.astype(np.float64).mean(axis=0)
    return cosine(reference - mean, rows - mean)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", help="nets (default: all)")
    parser.add_argument("--store", nargs="+", choices=get_args(Quantization), default=["float16", "int8"])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each form (default: 5)")
    arguments = parser.parse_args()
    runtime = find_runtime()
    print(f"{runtime.name} {runtime.version}, one thread; parameters in millions, cosine of random rows\n")
    print("| net | patch | row | parameters | MMAC | form | MB | ms | cosine | oldest runtime |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    forms = list(dict.fromkeys(["float32", *arguments.store]))
    for name in arguments.nets or NETS:
        embeddings = NETS[name].embeddings
        model = build(name, embeddings[0])
        _, frames, bands = model.input_shape
        row = " or ".join(map(str, embeddings))
        facts = f"| {name} | {frames} × {bands} | {row} | {model.count_params() / 1e6:.2f}"
        for form in measure(name, model, forms, arguments.rounds):
            figures = f"{len(form.content) / 1e6:.1f} | {form.milliseconds:.1f} | {form.cosine:.3f}"
            macs = f"{count_macs(form.content) / 1e6:.0f}"
            runtime_needed = stated_runtime(form.content) or "–"
            print(f"{facts} | {macs} | {form.quantization} | {figures} | {runtime_needed} |", flush=True)


if __name__ == "__main__":
    main()
