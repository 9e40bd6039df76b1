from __future__ import annotations

import numpy as np
import pytest

from edge_asd import golden
from edge_asd.bundle import Bundle
from edge_asd.errors import CheckFailedError, InputError
from tests.handmade import write_handmade


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_handmade(tmp_path_factory.mktemp("bundle") / "hum.easd")


def test_every_stage_holds_where_it_was_made(bundle: Bundle) -> None:
    deviations = golden.check(bundle)
    assert {deviation.stage for deviation in deviations} == {
        "patches/bands", "patches/level", "rows/bands", "rows/level", "features/bands", "features/level",
        "parts/steady", "parts/level", "score",
    }  # fmt: skip
    assert all(deviation.holds and deviation.largest == 0.0 for deviation in deviations)
    golden.require(bundle)


@pytest.mark.parametrize("stage", ["patches/bands", "rows/bands", "features/bands", "parts/steady", "score"])
def test_each_stage_is_held_to_its_value(bundle: Bundle, stage: str) -> None:
    moved = {**bundle.arrays, f"golden/{stage}": np.asarray(bundle.arrays[f"golden/{stage}"], float) * 1.01 + 0.1}
    with pytest.raises(CheckFailedError, match=f"stage {stage} within 0.001"):
        golden.require(bundle._replace(arrays=moved))


def test_nan_does_not_hold(bundle: Bundle) -> None:
    moved = {**bundle.arrays, "golden/score": np.array([np.nan])}
    with pytest.raises(CheckFailedError):
        golden.require(bundle._replace(arrays=moved))


def test_missing_stage_and_samples_are_named(bundle: Bundle) -> None:
    for name in ("golden/samples", "golden/score"):
        arrays = {key: array for key, array in bundle.arrays.items() if key != name}
        with pytest.raises(InputError, match="golden"):
            golden.check(bundle._replace(arrays=arrays))
