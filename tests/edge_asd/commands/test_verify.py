"""Verifying finds what judging would trip over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.bundle import Bundle, write_bundle
from edge_asd.cli import main
from tests.handmade import write_handmade


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_handmade(tmp_path_factory.mktemp("verify") / "hum.easd")


def altered(bundle: Bundle, folder: Path, **arrays: NDArray[np.generic]) -> str:
    """Write the same bundle with other arrays, sealed as ever; `joint__scores` is `joint/scores`."""
    changed = {name.replace("__", "/"): array for name, array in arrays.items()}
    return write_bundle(folder / "b.easd", bundle.manifest, {**bundle.arrays, **changed}, {}).where


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("joint__scores", np.array([np.nan] * 60)),
        ("joint__lengths", np.array([59])),
        ("joint__lengths", np.array([-60])),
    ],
)
def test_what_score_and_monitor_would_refuse_is_refused(
    name: str, array: NDArray[np.generic], bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = altered(bundle, tmp_path, **{name: array})
    assert main(["verify", where]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"edge-asd: {where}: {name.partition('__')[0]}")
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_the_largest_deviation_is_the_one_that_is_no_number(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = altered(bundle, tmp_path, golden__score=np.array([np.nan]))
    assert main(["verify", where]) == 1
    assert "\nlargest deviation nan (score)\n" in capsys.readouterr().out
