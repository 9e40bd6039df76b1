from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.svm import OneClassSVM

from edge_asd.detector import Detector, build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import OneClassSvmSettings
from edge_asd_export.fitting import fit_detector
from tests.edge_asd.detector.hard_rows import Case, Rows, assert_close, cases, make_case

KERNELS: dict[str, dict[str, Any]] = {
    "rbf": {"kernel": "rbf"},
    "rbf-wide": {"kernel": "rbf", "gamma": 0.01},
    "linear": {"kernel": "linear"},
    "polynomial": {"kernel": "polynomial", "coef0": 1.0, "degree": 3},
    "square": {"kernel": "polynomial", "degree": 2, "gamma": 0.5},
    "fifth": {"kernel": "polynomial", "degree": 5, "gamma": 0.01, "coef0": 0.5},
}


def svm(rows: Rows, words: dict[str, Any]) -> Detector:
    settings = OneClassSvmSettings(nu=0.1, **words)
    return build_detector(settings, fit_detector(settings, rows, seed=0))


def scikit_learn(rows: Rows, words: dict[str, Any]) -> OneClassSVM:
    kernel = {"polynomial": "poly"}.get(words["kernel"], words["kernel"])
    return OneClassSVM(nu=0.1, **{**words, "kernel": kernel}).fit(rows)


def magnitude(model: OneClassSVM, rows: Rows, words: dict[str, Any]) -> Rows:
    """What a decision is the sum of, without signs: relative to this it can be exact."""
    products = np.abs(rows) @ np.abs(model.support_vectors_).T
    gamma = words.get("gamma", 1 / (rows.shape[1] * max(1e-9, model.support_vectors_.var())))
    kernels = {
        "rbf": np.ones_like(products),
        "linear": products,
        "polynomial": (gamma * products + words.get("coef0", 0.0)) ** words.get("degree", 3),
    }[words["kernel"]]
    return np.asarray(kernels @ np.abs(model.dual_coef_[0]) + abs(model.offset_[0]))


@pytest.mark.parametrize("words", KERNELS.values(), ids=KERNELS)
@settings(max_examples=20, deadline=None)
@given(case=cases("outliers"))
def test_scores_as_scikit_learn(words: dict[str, Any], case: Case) -> None:
    # Scaled, since a polynomial of unscaled rows keeps libsvm busy for minutes.
    centre, scale = case.normal.mean(axis=0), case.normal.std(axis=0).max()
    normal, scored = (case.normal - centre) / scale, (case.scored - centre) / scale
    model = scikit_learn(normal, words)
    deviation = np.abs(svm(normal, words).score(scored) + model.decision_function(scored))
    assert np.all(deviation <= 1e-9 * magnitude(model, scored, words))


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_unscaled_rows_score_as_scikit_learn(case: Case) -> None:
    model = scikit_learn(case.normal, {"kernel": "rbf"})
    found = svm(case.normal, {"kernel": "rbf"}).score(case.scored)
    assert_close(found, -model.decision_function(case.scored), least=abs(model.offset_[0]))


@pytest.mark.parametrize("words", KERNELS.values(), ids=KERNELS)
def test_a_row_scores_the_same_alone_and_among_others(words: dict[str, Any]) -> None:
    case = make_case("random", 12)
    detector = svm(case.normal / case.normal.std(), words)
    rows = case.scored / case.normal.std()
    alone = np.concatenate([detector.score(row[None]) for row in rows])
    assert_close(alone, detector.score(rows), relative=1e-12)


def test_score_is_zero_on_the_border_and_grows_outward() -> None:
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(400, 2))
    scores = svm(normal, {"kernel": "rbf"}).score(np.array([[0.0, 0.0], [2.0, 2.0], [5.0, 5.0]]))
    assert scores[0] < 0 < scores[1] < scores[2]
    outside = np.mean(svm(normal, {"kernel": "rbf"}).score(normal) > 0)
    assert 0.05 < outside < 0.15


def test_untrusted_arrays_are_checked() -> None:
    arrays = {"support_vectors": np.ones((3, 2)), "weights": np.ones(3), "intercept": np.zeros(1), "gamma": np.ones(1)}
    build_detector(OneClassSvmSettings(), arrays)
    with pytest.raises(InputError, match=r"array 'weights': expected shape \(m=3\)"):
        build_detector(OneClassSvmSettings(), arrays | {"weights": np.ones(2)})
    with pytest.raises(InputError, match="array 'gamma': expected numbers above 0"):
        build_detector(OneClassSvmSettings(), arrays | {"gamma": -np.ones(1)})
    with pytest.raises(InputError, match="array 'gamma': expected no such array"):
        build_detector(OneClassSvmSettings(kernel="linear"), arrays)
