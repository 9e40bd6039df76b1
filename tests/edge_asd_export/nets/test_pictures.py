"""The nets on pictures as torchvision computes them, with the same random weights in the official format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.edge_asd_export.nets.official import assert_same_row, build, patch_of, randomized, torchvision_models


def mean_of_last_map(model: Any, picture: Any) -> Any:
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(*list(model.children())[:-1])(picture)


def mean_of_rectified_map(model: Any, picture: Any) -> Any:
    torch = pytest.importorskip("torch")
    return torch.relu(model.features(picture)).mean(dim=(2, 3))


def second_dense_layer(model: Any, picture: Any) -> Any:
    return model.classifier[:6](model.avgpool(model.features(picture)).flatten(1))


def map_in_quarters(model: Any, picture: Any) -> Any:
    torch = pytest.importorskip("torch")
    return torch.nn.functional.adaptive_avg_pool2d(model.features(picture), 2)


CASES: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "resnet18": ("resnet18", mean_of_last_map),
    "resnet34": ("resnet34", mean_of_last_map),
    "densenet121": ("densenet121", mean_of_rectified_map),
    "alexnet": ("alexnet", second_dense_layer),
    "squeezenet-1.0": ("squeezenet1_0", map_in_quarters),
    "squeezenet-1.1": ("squeezenet1_1", map_in_quarters),
}


@pytest.mark.parametrize(
    ("name", "legacy"), [*((name, False) for name in CASES), ("resnet18", True), ("squeezenet-1.1", True)]
)
def test_as_torchvision(name: str, legacy: bool, tmp_path: Path) -> None:
    models = torchvision_models()
    torch = pytest.importorskip("torch")
    word, feature = CASES[name]
    theirs = randomized(getattr(models, word)(weights=None))
    torch.save(theirs.state_dict(), tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    ours = build(name, tmp_path / "w.pth")
    patch = patch_of(ours, -2, 2)
    picture = torch.from_numpy(patch.reshape(1, 224, 224, 3).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        expected = feature(theirs, picture)
    assert_same_row(ours(patch), np.asarray(expected))


def test_names_of_densenet_before_2018(tmp_path: Path) -> None:
    models = torchvision_models()
    torch = pytest.importorskip("torch")
    state = randomized(models.densenet121(weights=None)).state_dict()
    old = {
        name.replace(".norm1.", ".norm.1.")
        .replace(".conv1.", ".conv.1.")
        .replace(".norm2.", ".norm.2.")
        .replace(".conv2.", ".conv.2."): value
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(state, tmp_path / "new.pth")
    first, second = build("densenet121", tmp_path / "old.pth"), build("densenet121", tmp_path / "new.pth")
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
