from __future__ import annotations

import logging
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.detector import build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import (
    BayesianGmmSettings,
    DensityKnnSettings,
    DetectorSettings,
    FusionSettings,
    GmmSettings,
    IsolationForestSettings,
    KdeSettings,
    KnnSettings,
    MahalanobisSettings,
    OneClassSvmSettings,
    PcaResidualSettings,
    ValueSettings,
)
from edge_asd_export.fitting import fit_detector

Rows = NDArray[np.float64]

RNG = np.random.default_rng(17)
ROWS = RNG.normal(size=(60, 5))
WITH_CONSTANTS = np.insert(ROWS, [1, 4], 2.5, axis=1)
DETECTORS: list[DetectorSettings] = [
    GmmSettings(components=2),
    GmmSettings(components=2, covariance="full", init="random", n_init=2),
    BayesianGmmSettings(components=2, init="k-means++"),
    MahalanobisSettings(),
    OneClassSvmSettings(),
    KdeSettings(),
    IsolationForestSettings(trees=5),
    KnnSettings(bank=20),
    DensityKnnSettings(),
    PcaResidualSettings(components=2),
    FusionSettings(detectors=[KnnSettings(), IsolationForestSettings(trees=5)]),
]


def kind(settings: DetectorSettings) -> str:
    return type(settings).__name__


@pytest.mark.parametrize("settings", DETECTORS, ids=kind)
def test_arrays_are_plain_and_repeat_with_the_seed(settings: DetectorSettings) -> None:
    first, second = (fit_detector(settings, ROWS, seed=9) for _ in range(2))
    for name, array in first.items():
        assert re.fullmatch("[a-z_]+", name)
        assert array.dtype.str in ("<f8", "<i4", "<i8")
        np.testing.assert_array_equal(array, second[name])


@pytest.mark.parametrize("settings", DETECTORS, ids=kind)
def test_single_precision_rows_are_fitted_in_double_precision(settings: DetectorSettings) -> None:
    single = ROWS.astype(np.float32)
    found, expected = (fit_detector(settings, rows, seed=9) for rows in (single, single.astype(np.float64)))
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("settings", DETECTORS, ids=kind)
def test_what_is_far_off_scores_above_normal_rows(settings: DetectorSettings) -> None:
    detector = build_detector(settings, fit_detector(settings, ROWS, seed=9))
    assert detector.n_features == 5
    assert detector.score(np.full((1, 5), 8.0) * [1, -1, 1, -1, 1])[0] > np.quantile(detector.score(ROWS), 0.95)


@pytest.mark.parametrize("settings", [*DETECTORS, ValueSettings()], ids=kind)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_listed(settings: DetectorSettings, value: float) -> None:
    rows = ROWS.copy()
    rows[[2, 30], 1] = value
    with pytest.raises(InputError, match="steady: expected finite rows, found NaN or infinity in row 2, 30; look"):
        fit_detector(settings, rows, seed=0, where="steady")


@pytest.mark.parametrize(
    ("settings", "rows", "complaint"),
    [
        (
            GmmSettings(components=40),
            ROWS,
            "at least 80 rows for 40 components, two each, found 60; ask for",
        ),
        (BayesianGmmSettings(components=40), ROWS, "at least 80 rows"),
        (GmmSettings(components=2), WITH_CONSTANTS, "features that vary, found constant feature 1, 5; set transform."),
        (GmmSettings(components=2, covariance="full"), WITH_CONSTANTS, "found constant feature 1, 5"),
        (MahalanobisSettings(covariance="empirical"), WITH_CONSTANTS, "found constant feature 1, 5"),
        (MahalanobisSettings(covariance="empirical"), ROWS[:5], "at least 6 rows for an empirical covariance of 5"),
        (MahalanobisSettings(covariance="empirical"), np.c_[ROWS, ROWS @ np.ones(5)], "found features that depend on"),
        (MahalanobisSettings(), ROWS[:1], "at least 2 rows"),
        (MahalanobisSettings(), ROWS * 0 + 3, "found constant feature 0, 1, 2, 3, 4 (all of them)"),
        (MahalanobisSettings(), np.outer([1.0, -1.0] * 5, np.arange(1.0, 4.0)), "features that depend on one another"),
        (OneClassSvmSettings(), ROWS * 0, "(all of them)"),
        (OneClassSvmSettings(kernel="linear"), ROWS * 1e4, "none after 1,000,000 steps of the solver; set transform"),
        (IsolationForestSettings(), ROWS * 0, "(all of them)"),
        (IsolationForestSettings(), ROWS[:1], "at least 2 rows"),
        (KnnSettings(k=9), ROWS[:8], "at least 9 rows for k=9 in the bank, found 8"),
        (KnnSettings(k=9, bank=8), ROWS, "at least 9 rows for k=9 in the bank, found 8"),
        (DensityKnnSettings(), ROWS[:4], "at least 5 rows for k=4 neighbours"),
        (DensityKnnSettings(), ROWS[[*range(20), *[7] * 4]], "found 5 that do not: 7, 20, 21, 22, 23 of the bank"),
        (PcaResidualSettings(components=5), ROWS, "fewer components than the 5 features and the rows span, found 5"),
        (PcaResidualSettings(components=0.9999999), ROWS, "fewer components than the 5 features"),
        (PcaResidualSettings(components=4), ROWS[:5], "at least 6 rows for components=4"),
        (ValueSettings(), ROWS, "rows with one feature, which is the score, found 5 features"),
        (FusionSettings(detectors=[KnnSettings(), KdeSettings()]), ROWS[:9], "at least 10 rows for 5 folds"),
        (FusionSettings(detectors=[KnnSettings(), GmmSettings()]), ROWS[:40], "detector: b (without one fold of 5)"),
        (KdeSettings(), ROWS[:0], "rows of shape (n, d), found shape (0, 5)"),
    ],
)
def test_rows_that_do_not_suffice_are_refused_with_a_reason(
    settings: DetectorSettings, rows: Rows, complaint: str
) -> None:
    with pytest.raises(InputError) as caught:
        fit_detector(settings, rows, seed=0)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("detector")


@pytest.mark.parametrize(
    "settings",
    [GmmSettings(components=2, covariance="spherical"), MahalanobisSettings(), KnnSettings(), KdeSettings()],
    ids=kind,
)
def test_constant_features_are_accepted_where_they_do_no_harm(settings: DetectorSettings) -> None:
    detector = build_detector(settings, fit_detector(settings, WITH_CONSTANTS, seed=0))
    assert np.isfinite(detector.score(WITH_CONSTANTS)).all()


def test_a_mixture_that_still_improves_is_reported(caplog: pytest.LogCaptureFixture, recwarn: Any) -> None:
    with caplog.at_level(logging.WARNING):
        fit_detector(GmmSettings(components=6, max_iter=1), ROWS, seed=0, where="windows")
    assert "windows: the mixture was still improving after 1 iterations" in caplog.text
    assert not recwarn.list


def test_a_bank_of_copies_is_refused_for_the_cosine_too() -> None:
    rows = np.concatenate([ROWS, *(np.outer(np.arange(1.0, 6.0), ROWS[3]),)])
    with pytest.raises(InputError, match="that do not"):
        fit_detector(DensityKnnSettings(metric="cosine"), rows, seed=0)


def test_scikit_learn_is_all_it_takes() -> None:
    # The device's tests fit detectors, on a machine without the extra `export`.
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(('rich', 'tensorflow', 'keras', 'matplotlib', 'platformdirs', 'h5py'))\n"
        "import edge_asd_export.fitting"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("settings", [GmmSettings(components=3, covariance="full", reg_covar=0.0)], ids=kind)
def test_a_component_without_spread_is_one_line(settings: DetectorSettings) -> None:
    with pytest.raises(
        InputError, match=r"parts\.a: expected 3 components.*of 8 rows with 5 features; raise reg_covar"
    ):
        fit_detector(settings, ROWS[:8], seed=0, where="parts.a")
