"""How far scores are from their reference."""

from __future__ import annotations

import numpy as np
import pytest

from edge_asd_export.evaluation.judging import deviation


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
