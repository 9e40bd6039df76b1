"""Random weights in the official formats, and a picture or patch for nets to look at."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.recipe.models import Net
from edge_asd_export.nets import NETS, Patches, build_net
from edge_asd_export.weights import read_weights

Float32 = NDArray[np.float32]
_OPENL3 = (64, 64, 128, 128, 256, 256, 512, 512)
"""Width of each of OpenL3's convolutions."""


def write_keras_h5(path: Path, layers: Mapping[str, Mapping[str, Float32]]) -> Path:
    """Write weights as Keras 2's `save_weights` does; layers without any stand there too."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.2.4"
        for name, arrays in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{variable}:0".encode() for variable in arrays]
            for variable, array in arrays.items():
                group.create_dataset(f"{name}/{variable}:0", data=array)
    return path


def convolution(rng: np.random.Generator, size: int, before: int, after: int) -> dict[str, Float32]:
    kernel = rng.standard_normal((size, size, before, after)) * np.sqrt(2.0 / (size * size * before))
    return {"kernel": kernel.astype(np.float32), "bias": rng.uniform(-0.1, 0.1, after).astype(np.float32)}


def normalization(rng: np.random.Generator, width: int) -> dict[str, Float32]:
    ranges = {"gamma": (0.8, 1.2), "beta": (-0.2, 0.2), "moving_mean": (-0.2, 0.2), "moving_variance": (0.5, 1.5)}
    return {name: rng.uniform(*limits, width).astype(np.float32) for name, limits in ranges.items()}


def random_openl3(first: int = 8) -> dict[str, dict[str, Float32]]:
    """OpenL3 with random weights, layers in the released files' order and numbered as where other nets came before."""
    rng = np.random.default_rng(0)
    first_norm = {"gamma": 1.0, "beta": 0.1, "moving_mean": -40.0, "moving_variance": 400.0}
    decibel = {name: np.array([value], np.float32) for name, value in first_norm.items()}
    layers: dict[str, dict[str, Float32]] = {"input_3": {}, f"batch_normalization_{first}": decibel}
    before = 1
    for number, width in enumerate(_OPENL3):
        last = number == len(_OPENL3) - 1
        name = "audio_embedding_layer" if last else f"conv2d_{first + number}"
        layers[name] = convolution(rng, 3, before, width)
        if not last:
            layers[f"batch_normalization_{first + number + 1}"] = normalization(rng, width)
            layers[f"activation_{first + number}"] = {}
        if number in (1, 3, 5):
            layers[f"max_pooling2d_{first + number}"] = {}
        before = width
    return layers


def build(name: Any, weights: Path, frames: int | None = None, **settings: Any) -> Any:
    net = NETS[name]
    patches = Patches(frames or net.frames or 0, net.bands)
    return build_net(Net(name=name, **settings), patches, read_weights(weights), "branches.net")


def patch_of(model: Any, low: float, high: float) -> Float32:
    shape = model.input_shape
    return np.asarray(np.random.default_rng(1).uniform(low, high, shape), np.float32)


def assert_same_row(found: Any, expected: Any, tolerance: float = 1e-4) -> None:
    """Within `tolerance` of the row's largest number, and not the same everywhere."""
    found, expected = np.asarray(found, np.float64).reshape(-1), np.asarray(expected, np.float64).reshape(-1)
    assert found.shape == expected.shape
    assert np.ptp(expected) > 0
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@functools.cache
def _operators_torchvision_lacks() -> Any:
    # A wheel whose compiled operators do not go with this torch registers none; the nets here need none of them.
    torch = pytest.importorskip("torch")
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def torchvision_models() -> Any:
    """Return torchvision's nets, or skip."""
    pytest.importorskip("torch", reason="torch, the independent implementation, is not installed")
    # Triton, of torch's wheels for GPUs, crashes where TensorFlow was loaded before it; nothing here needs it.
    sys.modules.setdefault("triton", cast("Any", None))
    try:
        return importlib.import_module("torchvision.models")
    except ModuleNotFoundError:
        pytest.skip("torchvision, the independent implementation, is not installed")
    except RuntimeError:
        _operators_torchvision_lacks()
        return importlib.import_module("torchvision.models")


def randomized(model: Any, names: Iterable[str] = ("running_mean", "running_var", "weight", "bias")) -> Any:
    """Give a torch model's normalizations random statistics, which are 0 and 1 else, and return it for inference."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    wanted = set(names)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for name in wanted:
                    getattr(module, name).uniform_(0.5, 1.5)
    return model.eval()
