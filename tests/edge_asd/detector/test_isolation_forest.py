from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from edge_asd.detector import build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import IsolationForestSettings
from edge_asd_export.fitting import fit_detector
from tests.edge_asd.detector.hard_rows import Case, assert_close, cases, make_case

FOREST = IsolationForestSettings(trees=12, max_samples=64)


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_scores_as_scikit_learn(case: Case) -> None:
    samples = min(64, len(case.normal))
    model = IsolationForest(n_estimators=12, max_samples=samples, random_state=3).fit(case.normal)
    detector = build_detector(FOREST, fit_detector(FOREST, case.normal, seed=3))
    assert_close(detector.score(case.scored), -model.score_samples(case.scored), least=0.0)
    assert_close(detector.score(case.normal), -model.score_samples(case.normal), least=0.0)


def test_rows_within_rounding_of_a_threshold_go_the_way_of_scikit_learn() -> None:
    normal = np.random.default_rng(0).normal(size=(64, 1))
    model = IsolationForest(n_estimators=12, max_samples=64, random_state=3).fit(normal)
    arrays = fit_detector(FOREST, normal, seed=3)
    thresholds: Any = arrays["thresholds"]
    rows = np.concatenate([np.nextafter(thresholds, np.inf), thresholds, np.nextafter(thresholds, -np.inf)])[:, None]
    assert_close(build_detector(FOREST, arrays).score(rows), -model.score_samples(rows), least=0.0)


@settings(max_examples=10, deadline=None)
@given(case=cases())
def test_a_row_scores_the_same_alone_and_among_others(case: Case) -> None:
    detector = build_detector(FOREST, fit_detector(FOREST, case.normal, seed=3))
    alone = np.concatenate([detector.score(row[None]) for row in case.scored[:5]])
    assert_close(alone, detector.score(case.scored)[:5], relative=1e-12, least=0.0)


def test_rows_beyond_single_precision_and_nan_do_no_harm() -> None:
    case = make_case("random", 2)
    detector = build_detector(FOREST, fit_detector(FOREST, case.normal, seed=3))
    rows = case.scored[:3].copy()
    rows[0], rows[1, 0] = 1e300, np.nan
    scores = detector.score(rows)
    assert np.isfinite(scores[[0, 2]]).all()
    assert np.isnan(scores[1])
    assert scores[2] == detector.score(case.scored[2:3])[0]


def changed(arrays: dict[str, NDArray[Any]], name: str, index: Any, value: Any) -> dict[str, NDArray[Any]]:
    array = arrays[name].copy()
    array[index] = value
    return arrays | {name: array}


def test_untrusted_arrays_are_checked() -> None:
    arrays = fit_detector(FOREST, make_case("random", 2).normal, seed=3)
    nodes = len(arrays["thresholds"])
    for name, index, value in (
        ("children", (0, 0), nodes),
        ("children", (0, 1), -1),
        ("roots", 0, nodes),
        ("features", 0, 10**6),
        ("normalizer", 0, 0.0),
        ("n_features", 0, 0),
        ("path_lengths", 0, np.inf),
    ):
        with pytest.raises(InputError, match=f"array '{name}'"):
            build_detector(FOREST, changed(arrays, name, index, value))
    with pytest.raises(InputError, match="array 'children': expected trees of at most 64 levels"):
        build_detector(FOREST, changed(arrays, "children", (1, 0), 0))
    with pytest.raises(InputError, match=r"array 'roots': expected shape \(12\)"):
        build_detector(FOREST, arrays | {"roots": arrays["roots"][:5]})
