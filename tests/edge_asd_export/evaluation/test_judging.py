"""Judging as the device does, and how far scores are from their reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_asd.errors import InputError
from edge_asd.scoring import Scorer
from edge_asd_export.evaluation.judging import DeviceJudge, Reference, deviation
from edge_asd_export.labels import Labelled
from edge_asd_export.memory import Memory
from tests.edge_asd_export.small import write
from tests.handmade import RATE, hum, scored, write_handmade


@pytest.mark.parametrize(
    ("scores", "reference", "expected"),
    [
        ([1.0, 3.5], [1.0, 3.0], 0.25),
        ([5.0], [1.0], 4.0),
        ([2.0, 2.5], [-2.0, -2.0], 2.25),
        ([0.5], [0.0], 0.5),
        ([7.0], [7.0], 0.0),
        ([], [], 0.0),
    ],
)
def test_the_largest_difference_counts_even_of_a_single_score(
    scores: list[float], reference: list[float], expected: float
) -> None:
    assert deviation(np.array(scores), np.array(reference)) == expected


def test_what_is_not_live_is_judged_no_more_than_on_the_device(tmp_path: Path) -> None:
    bundle, memory = write_handmade(tmp_path / "b.easd"), Memory(tmp_path)
    still = np.full(3 * RATE, 0.01, np.float32)
    path = write(tmp_path / "interrupted.wav", np.concatenate([hum(5, 1), still, hum(5, 2)]))
    dead = write(tmp_path / "dead.wav", np.sign(hum(5, 3)))
    expected = scored(Scorer(bundle), path)
    assert expected.verdict == "normal"
    judge = DeviceJudge(bundle, memory)
    assert judge.score(path) == expected.score
    found = Reference(bundle, Labelled([], [], []), weights={}, seed=0, memory=memory).scores([path])
    assert found[path] == pytest.approx(expected.score, abs=1e-6)
    with pytest.raises(InputError, match=r"dead\.wav: expected 2 s of a live signal, found one that is clipped"):
        judge.score(dead)
