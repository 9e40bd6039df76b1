"""Scores and labels → the figures that this field reports.

AUC is the area under the ROC curve, pAUC the part of it below a false-positive rate of 0.1, standardized by McClish
(1989); both are scikit-learn's. How they are taken and averaged differs from year to year (`Rule`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from edge_asd.audio.labels import Label
from edge_asd_export.evaluation.datasets import Domain

MAX_FPR = 0.1
"""False-positive rate up to which pAUC is taken."""
Rule = Literal["plain", "dcase2021", "dcase2022+"]
"""How a unit's figures are taken.

- `plain`: AUC and pAUC over all of its test recordings.
- `dcase2021`: both within each domain.
- `dcase2022+`: a domain's AUC is that domain's normal recordings against the anomalous ones of both domains; pAUC takes
  both domains.
"""


class Judged(NamedTuple):
    """One test recording and the score that it got."""

    label: Label
    domain: Domain | None
    score: float


class Figures(NamedTuple):
    """The figures of one unit, and what could not be computed."""

    values: dict[str, float]
    """By name, such as `AUC` or `AUC source`."""
    missing: list[str]
    """Why a figure is missing, one line each."""


class Decisions(NamedTuple):
    """What a threshold makes of scores."""

    precision: float
    recall: float
    f1: float


def figures(judged: Sequence[Judged], rule: Rule) -> Figures:
    """Return a unit's figures, from 0 to 1; one that lacks normal or anomalous recordings is named as missing."""
    if rule == "plain":
        return _collect({"AUC": (judged, None), "pAUC": (judged, MAX_FPR)})
    source, target = ([each for each in judged if each.domain == domain] for domain in ("source", "target"))
    if rule == "dcase2021":
        return _collect(
            {
                "AUC source": (source, None),
                "pAUC source": (source, MAX_FPR),
                "AUC target": (target, None),
                "pAUC target": (target, MAX_FPR),
            }
        )
    anomalous = [each for each in judged if each.label == "anomalous"]
    return _collect(
        {
            "AUC source": ([*_normal(source), *anomalous], None),
            "AUC target": ([*_normal(target), *anomalous], None),
            "pAUC": (judged, MAX_FPR),
        }
    )


def decisions(judged: Sequence[Judged], threshold: float) -> Decisions:
    """Return precision, recall and F1 of the verdict anomalous at scores from `threshold` on; 0 where undefined."""
    truth = [each.label == "anomalous" for each in judged]
    found = [each.score >= threshold for each in judged]
    return Decisions(
        *(float(score(truth, found, zero_division=0.0)) for score in (precision_score, recall_score, f1_score))
    )


def harmonic_mean(values: Sequence[float]) -> float:
    """Return the harmonic mean of numbers ≥ 0, which is 0 where one of them is; NaN of none."""
    if not values:
        return math.nan
    return 0.0 if min(values) <= 0 else float(stats.hmean(values))


def arithmetic_mean(values: Sequence[float]) -> float:
    """Return the mean; NaN of none."""
    return float(np.mean(values)) if values else math.nan


def _normal(judged: Sequence[Judged]) -> list[Judged]:
    return [each for each in judged if each.label == "normal"]


def _collect(wanted: Mapping[str, tuple[Sequence[Judged], float | None]]) -> Figures:
    values: dict[str, float] = {}
    missing: list[str] = []
    for name, (judged, max_fpr) in wanted.items():
        truth = [each.label == "anomalous" for each in judged]
        if len(set(truth)) == 2:
            values[name] = float(roc_auc_score(truth, [each.score for each in judged], max_fpr=max_fpr))
        else:
            lacking = "anomalous" if False in truth else "normal"
            missing.append(f"{name}: no {lacking} recording" if truth else f"{name}: no recording")
    return Figures(values, missing)
