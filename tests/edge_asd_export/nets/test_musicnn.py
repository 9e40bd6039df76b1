"""MusiCNN as its released file computes it."""

from __future__ import annotations

import numpy as np
import pytest

from edge_asd.recipe.models import Net
from edge_asd_export.nets import Patches, build_net
from edge_asd_export.weights import read_weights
from tests.edge_asd_export.nets.released import KerasFile, released


@pytest.mark.parametrize("frames", [187, 63, 10])
def test_as_in_the_released_graph(frames: int) -> None:
    path = released("musicnn_MTT_musicnn.h5")
    model = build_net(Net(name="musicnn"), Patches(frames, 96), read_weights(path), "branches.m")
    patch = np.random.default_rng(0).uniform(0, 3, (1, frames, 96)).astype(np.float32)
    expected = KerasFile(path).compute({"input_1": patch[..., np.newaxis]}, "tf_op_layer_moments/Squeeze")
    found = np.asarray(model(patch))
    assert found.shape == (1, 753)
    np.testing.assert_allclose(found, expected.reshape(1, 753), rtol=0, atol=1e-4 * np.abs(expected).max())


def test_parameters_are_those_released_less_the_classifier() -> None:
    path = released("musicnn_MTT_musicnn.h5")
    model = build_net(Net(name="musicnn"), Patches(187, 96), read_weights(path), "branches.m")
    classifier = ("dense", "dense_1", "bn_dense", "bn_flatpool")
    assert model.count_params() == sum(
        KerasFile(path).parameters(name) for name in KerasFile(path).names - {*classifier}
    )
