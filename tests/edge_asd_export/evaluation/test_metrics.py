"""Figures against hand-computed cases and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edge_asd.audio.labels import Label
from edge_asd_export.evaluation.datasets import Domain
from edge_asd_export.evaluation.metrics import Judged, decisions, figures, harmonic_mean


def judged(text: str, domain: Domain | None = None) -> list[Judged]:
    """`n1 a2` is a normal recording that scores 1 and an anomalous one that scores 2."""
    labels: dict[str, Label] = {"n": "normal", "a": "anomalous"}
    return [Judged(labels[word[0]], domain, float(word[1:])) for word in text.split()]


def pair_auc(normal: list[float], anomalous: list[float]) -> float:
    """AUC by its meaning: the share of pairs in which the anomaly scores higher, ties counting half."""
    return float(np.mean([(a > n) + 0.5 * (a == n) for n in normal for a in anomalous]))


def test_auc_counts_pairs() -> None:
    # Of six pairs four are right, one is a tie.
    assert figures(judged("n1 n2 n3 a2 a4"), "plain").values["AUC"] == pytest.approx(4.5 / 6)


def test_pauc_of_a_hand_computed_case() -> None:
    # Ten normals 0…9; half of the anomalies above all, half below all: the ROC is flat at 0.5 from 0 to 1. Its area up
    # to a rate of 0.1 is 0.05; the least is 0.1²/2, the most 0.1: ½ (1 + (0.05 − 0.005) / (0.1 − 0.005)).
    values = figures(judged(" ".join([*(f"n{score}" for score in range(10)), "a20", "a-1"])), "plain").values
    assert values["AUC"] == pytest.approx(0.5)
    assert values["pAUC"] == pytest.approx(0.5 * (1 + 0.045 / 0.095))


def test_plain_figures_are_scikit_learn_s() -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.integers(0, 2, 300), rng.standard_normal(300)
    labels: list[Label] = ["anomalous" if true else "normal" for true in truth]
    found = figures([Judged(label, None, score) for label, score in zip(labels, scores, strict=True)], "plain").values
    assert found["AUC"] == roc_auc_score(truth, scores)
    assert found["pAUC"] == roc_auc_score(truth, scores, max_fpr=0.1)


SOURCE, TARGET = judged("n1 n4 a3 a6", "source"), judged("n2 n8 a5 a7", "target")


def test_2021_keeps_the_domains_apart() -> None:
    values = figures([*SOURCE, *TARGET], "dcase2021").values
    assert values["AUC source"] == pytest.approx(pair_auc([1, 4], [3, 6])) == 0.75
    assert values["AUC target"] == pytest.approx(pair_auc([2, 8], [5, 7])) == 0.5
    assert set(values) == {"AUC source", "pAUC source", "AUC target", "pAUC target"}


def test_from_2022_a_domain_s_normals_meet_the_anomalies_of_both() -> None:
    values = figures([*SOURCE, *TARGET], "dcase2022+").values
    assert values["AUC source"] == pytest.approx(pair_auc([1, 4], [3, 6, 5, 7])) == 0.875
    assert values["AUC target"] == pytest.approx(pair_auc([2, 8], [3, 6, 5, 7])) == 0.5
    both = [0, 0, 1, 1, 0, 0, 1, 1]
    assert values["pAUC"] == roc_auc_score(both, [1, 4, 3, 6, 2, 8, 5, 7], max_fpr=0.1)


def test_what_cannot_be_computed_is_said() -> None:
    found = figures(judged("n1 n2", "source"), "dcase2022+")
    assert found.values == {}
    assert found.missing == [
        "AUC source: no anomalous recording",
        "AUC target: no recording",
        "pAUC: no anomalous recording",
    ]


def test_the_harmonic_mean() -> None:
    assert harmonic_mean([0.5, 1.0]) == pytest.approx(2 / 3)
    assert harmonic_mean([0.9, 0.0]) == 0.0
    assert math.isnan(harmonic_mean([]))


def test_verdicts() -> None:
    assert decisions(judged("n1 n3 a2 a3 a4"), 3.0) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert decisions(judged("n1 a2"), 9.0) == (0.0, 0.0, 0.0)
