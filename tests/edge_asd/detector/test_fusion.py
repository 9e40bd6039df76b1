from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_asd.detector import build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import FusionSettings, GmmSettings, KnnSettings, MahalanobisSettings, ValueSettings
from edge_asd_export.fitting import fit_detector
from tests.edge_asd.detector.hard_rows import make_case

MEMBERS: list[Any] = [MahalanobisSettings(), KnnSettings(metric="cosine"), GmmSettings(components=2)]
CASE = make_case("random", 21)


@pytest.mark.parametrize(("combine", "function"), [("min", np.min), ("mean", np.mean), ("max", np.max)])
def test_combines_scores_standardized_on_held_out_rows(combine: Any, function: Any) -> None:
    fusion = FusionSettings(detectors=MEMBERS, combine=combine, folds=4)
    found = build_detector(fusion, fit_detector(fusion, CASE.normal, seed=5)).score(CASE.scored)
    standardized = []
    for member in MEMBERS:
        held_out = [
            build_detector(member, fit_detector(member, np.delete(CASE.normal, fold, axis=0), seed=5)).score(
                CASE.normal[fold]
            )
            for fold in np.split(np.arange(120), 4)
        ]
        scores = build_detector(member, fit_detector(member, CASE.normal, seed=5)).score(CASE.scored)
        standardized.append((scores - np.mean(held_out)) / np.std(held_out))
    np.testing.assert_allclose(found, function(standardized, axis=0), rtol=1e-12)


def test_held_out_scores_are_not_those_of_rows_that_the_bank_holds() -> None:
    # In sample every nearest neighbour is at distance 0: all spread would be lost.
    fusion = FusionSettings(detectors=[KnnSettings(), MahalanobisSettings()])
    arrays = fit_detector(fusion, CASE.normal, seed=5)
    assert np.min(np.asarray(arrays["means"], np.float64)) > 0
    assert np.min(np.asarray(arrays["scales"], np.float64)) > 0


def test_arrays_are_named_by_letters_and_checked() -> None:
    fusion = FusionSettings(detectors=MEMBERS)
    arrays = fit_detector(fusion, CASE.normal, seed=5)
    assert set(arrays) == {"a_mean", "a_factor", "b_bank", "c_means", "c_factors", "c_offsets", "means", "scales"}
    with pytest.raises(InputError, match="detector: b: array 'bank': expected an array, found none"):
        build_detector(fusion, {name: array for name, array in arrays.items() if name != "b_bank"})
    with pytest.raises(InputError, match="detector: a: array 'odd': expected no such array"):
        build_detector(fusion, arrays | {"a_odd": np.ones(1)})
    with pytest.raises(InputError, match="expected detectors of rows of one width"):
        build_detector(fusion, arrays | {"b_bank": np.ones((4, 2 + CASE.normal.shape[1]))})
    with pytest.raises(InputError, match="array 'scales': expected numbers above 0"):
        build_detector(fusion, arrays | {"scales": np.zeros(3)})


def test_a_member_without_spread_is_refused() -> None:
    fusion = FusionSettings(detectors=[ValueSettings(), KnnSettings()])
    with pytest.raises(InputError, match=r"detectors\[0\]: expected scores that vary"):
        fit_detector(fusion, np.zeros((20, 1)), seed=0)


def test_value_hands_on_the_only_feature() -> None:
    value = build_detector(ValueSettings(), {})
    assert value.n_features == 1
    np.testing.assert_array_equal(value.score(np.array([[1.5], [-2.0]])), [1.5, -2.0])
    with pytest.raises(InputError, match="array 'mean': expected no such array"):
        build_detector(ValueSettings(), {"mean": np.zeros(1)})
