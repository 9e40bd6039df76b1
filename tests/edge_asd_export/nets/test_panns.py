"""PANNs' ResNet38, computed independently by torch's functions from the same random weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.edge_asd_export.nets.official import assert_same_row, build, patch_of

torch = pytest.importorskip("torch", reason="torch, the independent implementation, is not installed")
WIDTHS = ((64, 3), (128, 4), (256, 6), (512, 3))


def random_state() -> dict[str, Any]:
    """Weights by the names that `ResNet38_mAP=0.434.pth` has, with some that belong to what is not used here."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Any] = {}

    def kernel(name: str, before: int, after: int, size: int) -> None:
        values = torch.randn(after, before, size, size, generator=generator)
        state[f"{name}.weight"] = values * (2.0 / (before * size * size)) ** 0.5

    def normalization(name: str, width: int) -> None:
        for variable in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{variable}"] = 0.5 + torch.rand(width, generator=generator)
        state[f"{name}.num_batches_tracked"] = torch.tensor(1000)

    state["spectrogram_extractor.stft.conv_real.weight"] = torch.zeros(513, 1, 1024)
    state["logmel_extractor.melW"] = torch.zeros(513, 64)
    normalization("bn0", 64)
    for number, before in ((1, 1), (2, 64)):
        kernel(f"conv_block1.conv{number}", before, 64, 3)
        normalization(f"conv_block1.bn{number}", 64)
    before = 64
    for stage, (width, count) in enumerate(WIDTHS, 1):
        for block in range(count):
            name = f"resnet.layer{stage}.{block}"
            for number, size in ((1, before), (2, width)):
                kernel(f"{name}.conv{number}", size, width, 3)
                normalization(f"{name}.bn{number}", width)
            if before != width:
                kernel(f"{name}.downsample.1", before, width, 1)
                normalization(f"{name}.downsample.2", width)
            before = width
    state["fc1.weight"], state["fc_audioset.bias"] = torch.zeros(2048, 2048), torch.zeros(527)
    state["conv_block_after1.conv1.weight"] = torch.zeros(2048, 512, 3, 3)
    return state


def block_outputs(state: dict[str, Any], log_mel: Any) -> Iterator[Any]:
    """The outputs of the sixteen blocks for log-mel of shape (1, 1, frames, 64)."""
    functions = torch.nn.functional

    def convolved(values: Any, name: str) -> Any:
        weight = state[f"{name}.weight"]
        return functions.conv2d(values, weight, padding=weight.shape[-1] // 2)

    def normalized(values: Any, name: str) -> Any:
        mean, variance, weight, bias = (
            state[f"{name}.{variable}"] for variable in ("running_mean", "running_var", "weight", "bias")
        )
        return functions.batch_norm(values, mean, variance, weight, bias)

    values = normalized(log_mel.transpose(1, 3), "bn0").transpose(1, 3)
    for number in (1, 2):
        values = torch.relu(normalized(convolved(values, f"conv_block1.conv{number}"), f"conv_block1.bn{number}"))
    values = functions.avg_pool2d(values, 2)
    for stage, (_, count) in enumerate(WIDTHS, 1):
        for block in range(count):
            name, past = f"resnet.layer{stage}.{block}", values
            if stage > 1 and block == 0:
                values = functions.avg_pool2d(values, 2)
                past = normalized(convolved(values, f"{name}.downsample.1"), f"{name}.downsample.2")
            values = torch.relu(normalized(convolved(values, f"{name}.conv1"), f"{name}.bn1"))
            values = torch.relu(normalized(convolved(values, f"{name}.conv2"), f"{name}.bn2") + past)
            yield values


@pytest.mark.parametrize("frames", [101, 16])
def test_means_of_all_blocks(frames: int, tmp_path: Path) -> None:
    state = random_state()
    torch.save({"iteration": 600000, "model": state}, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    ours = build("panns-resnet38", tmp_path / "w.pth", frames)
    patch = patch_of(ours, -60, 20)
    with torch.no_grad():
        outputs = list(block_outputs(state, torch.from_numpy(patch[:, np.newaxis])))
    assert len(outputs) == 16
    expected = torch.cat([output.mean(dim=(2, 3)) for output in outputs], dim=1)
    assert expected.shape == (1, 3776)
    # Later blocks are larger by orders of magnitude here: each is held to its own size.
    found, start = np.asarray(ours(patch)), 0
    for output in outputs:
        end = start + output.shape[1]
        assert_same_row(found[:, start:end], expected[:, start:end])
        start = end
