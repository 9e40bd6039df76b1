"""OpenL3 and EdgeL3 as their own code and files compute them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from edge_asd_export.nets import NETS
from tests.edge_asd_export.nets.official import (
    assert_same_row,
    build,
    patch_of,
    random_openl3,
    write_keras_h5,
)
from tests.edge_asd_export.nets.released import KerasFile, released

Float32 = NDArray[np.float32]


def reference(layers: dict[str, dict[str, Float32]], image: Float32, pool: tuple[int, int]) -> Float32:
    """The eight convolutions, computed by TensorFlow's operators; `image` is (1, bands, frames, 1)."""
    values: Any = image
    for name, arrays in layers.items():
        if name.startswith(("conv2d", "audio")):
            values = tf.nn.conv2d(values, arrays["kernel"], 1, "SAME") + arrays["bias"]
        elif name.startswith("batch"):
            mean, variance, beta, gamma = (arrays[k] for k in ("moving_mean", "moving_variance", "beta", "gamma"))
            values = tf.nn.batch_normalization(values, mean, variance, beta, gamma, 1e-3)
        elif name.startswith("activation"):
            values = tf.nn.relu(values)
        elif name.startswith("max"):
            values = tf.nn.max_pool2d(values, 2, 2, "VALID")
    return np.asarray(tf.nn.max_pool2d(values, pool, pool, "SAME")).reshape(1, -1)


CASES = [
    ("openl3-mel128", 512, (16, 24)),
    ("openl3-mel128", 6144, (4, 8)),
    ("openl3-mel256", 512, (32, 24)),
    ("openl3-mel256", 6144, (8, 8)),
    ("openl3-linear", 512, (32, 24)),
    ("openl3-linear", 6144, (8, 8)),
]


@pytest.mark.parametrize(("name", "size", "pool"), CASES)
def test_as_an_independent_computation(name: str, size: int, pool: tuple[int, int], tmp_path: Path) -> None:
    layers = random_openl3()
    model = build(name, write_keras_h5(tmp_path / "w.h5", layers), embedding=size)
    patch = patch_of(model, -80, 0)
    assert_same_row(model(patch), reference(layers, patch.transpose(0, 2, 1)[..., np.newaxis], pool), 1e-5)


@pytest.mark.parametrize(("name", "size", "_"), CASES)
def test_equal_to_the_package_s_own_builder(name: str, size: int, _: Any, tmp_path: Path) -> None:
    models = pytest.importorskip("openl3.models", reason="openl3, whose own builder is compared, is not installed")
    path = write_keras_h5(tmp_path / "openl3_audio_x.h5", random_openl3(1))
    theirs = models.load_audio_embedding_model_from_path(str(path), name.partition("-")[2], size, frontend="librosa")
    model = build(name, path, embedding=size)
    patch = patch_of(model, -80, 0)
    expected = np.asarray(theirs(patch.transpose(0, 2, 1)[..., np.newaxis]))
    np.testing.assert_array_equal(np.asarray(model(patch)), expected)


def test_parameters_as_published(tmp_path: Path) -> None:
    model = build("openl3-mel128", write_keras_h5(tmp_path / "w.h5", random_openl3()))
    assert model.count_params() == pytest.approx(4.68e6, rel=0.01)
    assert NETS["openl3-mel128"].embeddings == (512, 6144)


def test_edgel3_as_in_its_released_graph() -> None:
    path = released("edgel3_sea_ust_audio_emb_64.h5.gz")
    model = build("edgel3", path)
    patch = patch_of(model, -80, 0)
    spectrogram = patch.transpose(0, 2, 1)[..., np.newaxis]
    expected = KerasFile(path).compute({"melspectrogram_1": spectrogram}, "flatten_1")
    assert expected.shape == (1, 64)
    assert_same_row(model(patch), expected, 1e-5)
