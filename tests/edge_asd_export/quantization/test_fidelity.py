from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from edge_asd.bundle import Fidelity
from edge_asd.configuration import parse
from edge_asd.recipe.detectors import GmmSettings
from edge_asd.recipe.graph import Recipe
from edge_asd_export.material import Stretch
from edge_asd_export.quantization.carried import carried_by
from edge_asd_export.quantization.fidelity import UnjudgedError, Variant, cosine, measure, rank_correlation
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


_POOLED = """
name: pooled
folds: 2
branches:
  net: {{front_end: {{kind: rms}}, pooling: {pooling}, transform: {{standardize: true, pca: {pca}}}}}
parts:
  machine: {{branches: [net], detector: {detector}}}
"""


def _pooled(detector: str, pca: str = "12", pooling: str = "[mean]") -> Recipe:
    return parse(_POOLED.format(detector=detector, pca=pca, pooling=pooling), Recipe, where="pooled")


def _forms(count: int, labelled: int = 0) -> list[Variant]:
    values = RNG.normal(size=(count + labelled, 1, 30))
    noise = 1e-3 * RNG.normal(size=values.shape)
    rows = [[{"net": row.astype(np.float32)} for row in each] for each in (values, values + noise)]
    return [Variant([Stretch(Path(), 0, row) for row in each[:count]], each[count:]) for each in rows]


@pytest.mark.parametrize(
    "detector",
    [
        "{kind: mahalanobis}",
        "{kind: mahalanobis, covariance: empirical}",
        "{kind: gmm, components: 12}",
        "{kind: bayesian-gmm, components: 12}",
        "{kind: knn, k: 12}",
        "{kind: density-knn, k: 12}",
        "{kind: pca-residual, components: 8}",
        "{kind: fusion, folds: 12, detectors: [{kind: knn, k: 11}, {kind: gmm, components: 5}]}",
    ],
)
def test_a_graph_too_large_for_the_sample_is_judged_by_one_that_it_carries(detector: str) -> None:
    # Folds of five of ten clips: everything here asks for more rows than that.
    reference, variant = _forms(10, labelled=6)
    found = measure(_pooled(detector), "net", reference, variant, [True] * 6, seed=0)
    assert found.clips == 16
    assert found.centred_cosine > 0.999


def test_a_graph_that_the_sample_carries_is_left_as_it_is() -> None:
    whole = _pooled("{kind: fusion, detectors: [{kind: gmm, components: 3}, {kind: knn, k: 4}]}", pca="5")
    (form, _) = _forms(12)
    assert carried_by(whole, form.normal) == whole
    rows = [Stretch(Path(), 0, {"net": np.zeros((20, 30), np.float32)})] * 2
    assert carried_by(_pooled("{kind: gmm, components: 20}", pooling="none"), rows).parts["machine"].detector == (
        GmmSettings(components=20)
    )


def test_what_nothing_can_be_fitted_to_in_float32_is_not_judged() -> None:
    reference, variant = _forms(10)
    dead = [stretch._replace(rows={"net": np.ones((1, 30), np.float32)}) for stretch in reference.normal]
    with pytest.raises(UnjudgedError, match=r"^branches\.net: expected features that vary"):
        measure(_pooled("{kind: mahalanobis}"), "net", Variant(dead, []), variant, [], seed=0)


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
