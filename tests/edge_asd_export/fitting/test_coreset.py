from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_asd_export.fitting.neighbours import coreset


def radius(rows: NDArray[np.float64], chosen: NDArray[np.intp]) -> float:
    """How far the farthest row is from the chosen ones."""
    return float(max(np.min(np.linalg.norm(rows[chosen] - row, axis=1)) for row in rows))


@given(st.integers(0, 1000), st.integers(1, 4))
def test_covers_at_most_twice_as_wide_as_the_best_choice(seed: int, size: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(9, 2))
    best = min(radius(rows, np.array(choice)) for choice in combinations(range(9), size))
    assert radius(rows, coreset(rows, size)) <= 2 * best * (1 + 1e-9)


def test_chooses_copies_once_and_keeps_the_order() -> None:
    rows = np.repeat(np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 7.0]]), 4, axis=0)
    chosen = coreset(rows, 10)
    assert len(chosen) == 3
    assert np.all(np.diff(chosen) > 0)
    assert len(np.unique(rows[chosen], axis=0)) == 3
