"""Races every detector against scikit-learn's, interleaved in one process: `python -m tests.benchmarks.detectors`.

The ratio is scikit-learn's time over this package's: above 1 is faster here. Times differ between machines and moments,
ratios hardly; each is taken over pairs that ran one after the other, in alternating order. Times are the processor's,
with one thread on either side, so that other work on the machine has little part in them. The last column is what it
takes to make the detector of its arrays and to score a first row.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import EmpiricalCovariance, LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity, NearestNeighbors
from sklearn.svm import OneClassSVM
from threadpoolctl import threadpool_limits

from edge_asd.detector import build_detector
from edge_asd.recipe.detectors import (
    BayesianGmmSettings,
    DensityKnnSettings,
    DetectorSettings,
    GmmSettings,
    IsolationForestSettings,
    KdeSettings,
    Kernel,
    KnnSettings,
    MahalanobisSettings,
    OneClassSvmSettings,
    PcaResidualSettings,
)
from edge_asd_export.fitting import fit_detector

Rows = NDArray[np.float64]
Score = Callable[[Rows], Rows]
SEED = 1


class Race(NamedTuple):
    """One detector of this package, and scikit-learn's way to the same scores."""

    name: str
    settings: DetectorSettings
    reference: Callable[[Rows], Score]


class Result(NamedTuple):
    """Times of both sides in seconds, pair by pair, shape (rounds,)."""

    theirs: Rows
    ours: Rows

    @property
    def ratios(self) -> Rows:
        """How many times faster this package is, pair by pair."""
        return self.theirs / self.ours


def races() -> list[Race]:
    """Every detector, with the sizes of the published systems."""
    covariances = {"spherical": "spherical", "diagonal": "diag", "tied": "tied", "full": "full"}
    mixtures = [
        Race(f"gmm {ours}, 20", GmmSettings(covariance=ours, max_iter=20), _gmm(theirs))  # type: ignore[arg-type]
        for ours, theirs in covariances.items()
    ]
    kernels: list[Kernel] = ["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"]
    densities = [Race(f"kde {kernel}", KdeSettings(kernel=kernel, bandwidth=20.0), _kde(kernel)) for kernel in kernels]
    svms = [
        Race(f"one-class-svm {ours}", OneClassSvmSettings(kernel=ours, nu=0.1), _svm(theirs))  # type: ignore[arg-type]
        for ours, theirs in {"rbf": "rbf", "linear": "linear", "polynomial": "poly"}.items()
    ]
    return [
        *mixtures,
        Race("gmm full, 3", GmmSettings(components=3, covariance="full", max_iter=20), _gmm("full", 3)),
        Race("bayesian-gmm diagonal, 20", BayesianGmmSettings(max_iter=20), _bayesian_gmm),
        Race("mahalanobis empirical", MahalanobisSettings(covariance="empirical"), _mahalanobis(EmpiricalCovariance())),
        Race("mahalanobis ledoit-wolf", MahalanobisSettings(), _mahalanobis(LedoitWolf())),
        *svms,
        *densities,
        Race("isolation-forest, 128", IsolationForestSettings(), _isolation_forest),
        Race("knn euclidean, k=1", KnnSettings(), _knn("euclidean", 1)),
        Race("knn cosine, k=4", KnnSettings(metric="cosine", k=4), _knn("cosine", 4)),
        Race("density-knn euclidean", DensityKnnSettings(), _density_knn("euclidean")),
        Race("density-knn cosine", DensityKnnSettings(metric="cosine"), _density_knn("cosine")),
        Race("pca-residual", PcaResidualSettings(components=20), _pca_residual),
    ]


def run(race: Race, normal: Rows, counts: list[int], rounds: int) -> tuple[dict[int, Result], Rows]:
    """Return results by number of rows, and the times of building and a first score, shape (rounds,)."""
    arrays = fit_detector(race.settings, normal, seed=SEED)
    theirs = race.reference(normal)
    ours = build_detector(race.settings, arrays).score
    rows = np.random.default_rng(SEED + 1).normal(size=(max(counts), normal.shape[1]))
    _check(race, theirs(rows), ours(rows))
    results = {count: _race(theirs, ours, rows[:count].copy(), rounds) for count in counts}
    starts = np.array([_time(lambda: build_detector(race.settings, arrays).score(rows[:1]), 1) for _ in range(rounds)])
    return results, starts


def main() -> None:
    """Run all races and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=64, help="features of a row")
    parser.add_argument("--normal", type=int, default=1000, help="normal rows to fit to")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 20], help="rows to score at once")
    parser.add_argument("--rounds", type=int, default=31, help="pairs of measurements")
    parser.add_argument("--only", default="", help="races whose name contains this")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    normal = np.random.default_rng(SEED).normal(size=(options.normal, options.features))
    head = "".join(f"{f'{count} rows: median':>18}{'least':>8}{'µs':>8}" for count in options.rows)
    print(f"{'detector':28}{head}{'build + first':>16}")
    for race in races():
        if options.only in race.name:
            with threadpool_limits(1):
                results, starts = run(race, normal, options.rows, options.rounds)
            cells = "".join(map(_cells, results.values()))
            print(f"{race.name:28}{cells}{1e3 * np.median(starts):>13.2f} ms", flush=True)


def _cells(result: Result) -> str:
    return f"{np.median(result.ratios):>17.1f}x{result.ratios.min():>7.1f}x{1e6 * np.median(result.ours):>8.1f}"


def _race(theirs: Score, ours: Score, rows: Rows, rounds: int) -> Result:
    calls = [max(1, int(2e-3 / _time(lambda side=side: side(rows), 3))) for side in (theirs, ours)]  # type: ignore[misc]
    times = np.empty((2, rounds))
    for index in range(rounds):
        for side in (0, 1) if index % 2 else (1, 0):
            score = (theirs, ours)[side]
            times[side, index] = _time(lambda score=score: score(rows), calls[side])  # type: ignore[misc]
    return Result(*times)


def _time(call: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - start) / calls


def _check(race: Race, theirs: Rows, ours: Rows) -> None:
    known = np.isfinite(theirs)
    if not np.allclose(ours[known], theirs[known], rtol=1e-8, atol=1e-8):
        raise SystemExit(f"{race.name}: the two sides disagree by {np.max(np.abs(ours - theirs)[known]):g}")


def _gmm(covariance: str, components: int = 20) -> Callable[[Rows], Score]:
    def fit(normal: Rows) -> Score:
        model = GaussianMixture(components, covariance_type=covariance, max_iter=20, random_state=SEED).fit(normal)
        return lambda rows: -model.score_samples(rows)

    return fit


def _bayesian_gmm(normal: Rows) -> Score:
    model = BayesianGaussianMixture(n_components=20, covariance_type="diag", max_iter=20, random_state=SEED)
    model.fit(normal)
    return lambda rows: -model.score_samples(rows)


def _mahalanobis(model: EmpiricalCovariance) -> Callable[[Rows], Score]:
    def fit(normal: Rows) -> Score:
        model.fit(normal)
        return model.mahalanobis  # type: ignore[no-any-return]

    return fit


def _svm(kernel: str) -> Callable[[Rows], Score]:
    def fit(normal: Rows) -> Score:
        model = OneClassSVM(kernel=kernel, nu=0.1).fit(normal)
        return lambda rows: -model.decision_function(rows)

    return fit


def _kde(kernel: str) -> Callable[[Rows], Score]:
    def fit(normal: Rows) -> Score:
        model = KernelDensity(kernel=kernel, bandwidth=20.0).fit(normal)
        return lambda rows: -model.score_samples(rows)

    return fit


def _isolation_forest(normal: Rows) -> Score:
    model = IsolationForest(n_estimators=128, max_samples=256, random_state=SEED).fit(normal)
    return lambda rows: -model.score_samples(rows)


def _knn(metric: str, k: int) -> Callable[[Rows], Score]:
    def fit(normal: Rows) -> Score:
        model = NearestNeighbors(n_neighbors=k, metric=metric).fit(normal)
        return lambda rows: np.asarray(model.kneighbors(rows)[0].mean(axis=1))

    return fit


def _density_knn(metric: str) -> Callable[[Rows], Score]:
    def fit(normal: Rows) -> Score:
        spacings = NearestNeighbors(n_neighbors=4, metric=metric).fit(normal).kneighbors()[0].mean(axis=1)
        model = NearestNeighbors(n_neighbors=len(normal), metric=metric, algorithm="brute").fit(normal)

        def score(rows: Rows) -> Rows:
            distances, indices = model.kneighbors(rows)
            return np.asarray((distances / spacings[indices]).min(axis=1))

        return score

    return fit


def _pca_residual(normal: Rows) -> Score:
    model = PCA(20, svd_solver="full").fit(normal)
    return lambda rows: np.asarray(np.sum((rows - model.inverse_transform(model.transform(rows))) ** 2, axis=1))


if __name__ == "__main__":
    main()
