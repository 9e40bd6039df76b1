from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from edge_asd.bundle import Fidelity
from edge_asd_export.material import Stretch
from edge_asd_export.quantization.fidelity import Variant, cosine, measure, rank_correlation
from edge_asd_export.quantization.gate import LIMITS, describe, shortfalls
from tests.edge_asd_export.quantization import nets

RNG = np.random.default_rng(4)


def test_cosine_is_that_of_scikit_learn() -> None:
    first, second = RNG.normal(size=(2, 30, 12))
    expected = np.diag(cosine_similarity(first, second)).mean()
    assert cosine(first, second) == pytest.approx(expected, abs=1e-12)


def test_cosine_of_what_vanishes_or_breaks() -> None:
    zero, one, broken = np.zeros((1, 3)), np.ones((1, 3)), np.full((1, 3), np.nan)
    assert cosine(zero, zero) == 1.0
    assert cosine(one, zero) == cosine(zero, one) == cosine(one, broken) == 0.0
    assert cosine(one, -one) == pytest.approx(-1.0)


@given(st.integers(0, 1000), st.sampled_from([np.exp, np.cbrt, lambda values: 3 * values - 7]))
def test_rank_correlation_knows_only_ranks(seed: int, monotonic: np.ufunc) -> None:
    scores = np.random.default_rng(seed).normal(size=20)
    assert rank_correlation(scores, monotonic(scores)) == pytest.approx(1.0)
    assert rank_correlation(scores, -monotonic(scores)) == pytest.approx(-1.0)


def test_rank_correlation_of_a_constant() -> None:
    scores = np.arange(5.0)
    assert rank_correlation(scores, np.ones(5)) == 0.0
    assert rank_correlation(np.ones(5), np.ones(5)) == 1.0
    assert rank_correlation(scores, np.array([0, 1, np.nan, 3, 4])) == 0.0


def test_a_constant_row_hides_from_the_plain_cosine_alone() -> None:
    rng = np.random.default_rng(1)
    common = 100.0
    reference = common + rng.normal(size=(40, 6))
    collapsed = np.full((40, 6), common)
    assert cosine(reference, collapsed) > 0.999
    mean = reference.mean(axis=0)
    assert abs(cosine(reference - mean, collapsed - mean)) < 0.3


def test_rows_that_nothing_can_be_fitted_to_are_a_collapse() -> None:
    recipe = nets.recipe()
    good = [{"net": RNG.uniform(1, 2, (5, 1)).astype(np.float32)} for _ in range(12)]
    broken = [{"net": np.full((5, 1), np.nan, np.float32)} for _ in range(12)]
    reference, collapsed = (Variant([Stretch(Path(), 0, e) for e in rows[:8]], rows[8:]) for rows in (good, broken))
    found = measure(recipe, "net", reference, collapsed, [True] * 4, seed=0)
    assert found.spearman == 0.0
    assert found.centred_cosine == 0.0
    assert len(shortfalls(found)) >= 2


def test_limits() -> None:
    good = Fidelity(cosine=0.1, centred_cosine=0.7, spearman=0.8, clips=9, auc_change=-0.03, pauc_change=None)
    assert shortfalls(good) == []
    bad = Fidelity(
        cosine=1.0, centred_cosine=0.69, spearman=float("nan"), clips=9, auc_change=-0.031, pauc_change=-0.06
    )
    assert shortfalls(bad) == [
        "mean-centred cosine 0.690 below 0.7",
        "rank correlation of clip scores nan below 0.8",
        "change of AUC -0.031 below -0.03",
        "change of pAUC -0.060 below -0.05",
    ]
    assert LIMITS.spearman == 0.8
    assert describe(good) == "cosine 0.1000, mean-centred 0.7000, rank correlation 0.800 over 9 clips"
