from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special, stats

from edge_asd.calibration.calibrate import Calibrated, NormalScores, calibrate, find_threshold
from edge_asd.errors import InputError
from edge_asd.recipe.graph import Recipe
from edge_asd.tail import build_tail, fit_tail
from tests.edge_asd_export.small import plain

SCORES = np.random.default_rng(3).gamma(3.0, 2.0, 60)


def joint(*overrides: str) -> list[str]:
    return ["parts.near.enabled=false", "join=none", *overrides]


@pytest.mark.parametrize("count", [5, 12, 60])
def test_beyond_the_median_a_tail_is_scipys_exponential(count: int) -> None:
    scores = SCORES[:count]
    tail = fit_tail(scores, 0.0)
    median = np.sort(scores)[count // 2] if count % 2 else np.sort(scores)[count // 2 - 1 : count // 2 + 1].mean()
    _, scale = stats.expon.fit(scores[scores > median], floc=median)
    scale *= count / (count - 2)
    for score in median + np.array([0.0, 0.3, 2.0, 50.0, 1e4]):
        expected = math.log(0.5) + stats.expon.logsf(score, loc=median, scale=scale)
        assert tail.log_probability(score) == pytest.approx(expected, rel=1e-12)


def test_exponential_scores_get_their_own_probabilities_back() -> None:
    scores = np.random.default_rng(0).exponential(2.0, 20_000)
    tail = fit_tail(scores, 0.0)
    for probability in (0.3, 0.1, 0.01, 1e-4, 1e-6):
        score = stats.expon.isf(probability, scale=2.0)
        assert tail.log_probability(score) == pytest.approx(math.log(probability), rel=0.03)


def test_few_scores_that_hardly_differ_do_not_make_a_trifle_an_alarm() -> None:
    scores = 5.0 + 1e-6 * SCORES[:10]
    tail = fit_tail(scores, 0.5)
    assert tail.log_probability(float(np.median(scores)) + 0.5) == pytest.approx(math.log(0.5) - 1.0)


@pytest.mark.parametrize("level", [0.0, -3.0, 1e12])
def test_scores_that_do_not_differ_at_all_have_a_tail(level: float) -> None:
    tail = fit_tail(np.full(8, level), 0.0)
    build_tail({"scores": tail.scores, "log_probabilities": tail.log_probabilities})
    assert tail.log_probability(level) == pytest.approx(math.log(0.5))
    assert tail.log_probability(level + 1e6) < -100


@pytest.mark.parametrize("share", [0.1, 0.01, 1e-4])
def test_gamma_threshold_solves_the_likelihood_equation(share: float) -> None:
    settings = plain(*joint("threshold.rule=gamma", f"threshold.false_alarm_probability={share}"))
    threshold, rule = find_threshold(settings, SCORES)
    # Maximum likelihood: ln k − ψ(k) = ln(mean) − mean(ln); the scale is mean / k.
    gap = math.log(SCORES.mean()) - np.log(SCORES).mean()
    shape = optimize.brentq(lambda k: math.log(k) - special.digamma(k) - gap, 1e-3, 1e3, xtol=1e-12)
    expected = SCORES.mean() / shape * special.gammainccinv(shape, share)
    assert threshold == pytest.approx(expected, rel=1e-6)
    assert rule == f"gamma distribution, {share:.3g} of normal stretches"


def test_gamma_threshold_goes_with_scores_below_zero() -> None:
    settings = plain(*joint("threshold.rule=gamma", "threshold.false_alarm_probability=0.1"))
    below = SCORES - 100.0
    threshold, _ = find_threshold(settings, below)
    assert (below > threshold).mean() == pytest.approx(0.1, abs=0.05)


def test_a_gamma_distribution_of_equal_scores_is_refused() -> None:
    with pytest.raises(InputError, match="expected held-out scores that differ, found 6 times 2"):
        find_threshold(plain(*joint("threshold.rule=gamma")), np.full(6, 2.0))


def test_quantile_threshold_lies_between_the_ranks_that_a_loop_counts() -> None:
    settings = plain(*joint("threshold.rule=quantile", "threshold.false_alarm_probability=0.07"))
    threshold, _ = find_threshold(settings, SCORES)
    ranked = sorted(SCORES.tolist())
    place = 0.93 * (len(ranked) - 1)
    below = ranked[int(place)]
    assert threshold == pytest.approx(below + (place % 1) * (ranked[int(place) + 1] - below), rel=1e-12)


def test_tail_threshold_of_a_single_part_is_the_closed_form() -> None:
    settings = plain(*joint("threshold.rule=tail", "threshold.false_alarm_probability=0.002"))
    threshold, _ = find_threshold(settings, SCORES)
    median = float(np.median(SCORES))
    beta = float((SCORES - median).clip(min=0).sum()) / 30 * 60 / 58
    assert threshold == pytest.approx(median + beta * math.log(0.5 / 0.002), rel=1e-12)


def test_joined_parts_have_the_threshold_that_their_tails_promise() -> None:
    assert find_threshold(plain("threshold.false_alarm_probability=0.002"), SCORES)[0] == pytest.approx(
        -math.log10(0.002)
    )


def calibrated_on(recipe: Recipe, scores: dict[str, NDArray[np.float64]]) -> Calibrated:
    """Calibrate on stretches that stand alone: each is the only decision of its recording."""
    count = len(next(iter(scores.values())))
    return calibrate(recipe, NormalScores(scores, scores, np.ones(count, np.intp)), 5)


def parts(count: int) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(8)
    return {"near": rng.exponential(1.0, count), "both": 7.0 + rng.exponential(3.0, count)}


def test_joint_scores_are_the_smallest_tail_probability_with_sidaks_correction() -> None:
    scores = parts(30)
    calibrated = calibrated_on(plain(), scores)
    expected = []
    for index in range(30):
        smallest = 1.0
        for values in scores.values():
            median = float(np.median(values))
            beta = float((values[values > median] - median).mean()) * 30 / 28
            smallest = min(smallest, 1.0, 0.5 * math.exp(-(values[index] - median) / beta))
        expected.append(-math.log10(1.0 - (1.0 - smallest) ** 2))
    # Below the median the tail is a straight line from ln 1 to ln ½, so only above it is this the closed form.
    above = np.array(expected) > -math.log10(1.0 - 0.5**2)
    assert above.sum() >= 15
    np.testing.assert_allclose(np.array(calibrated.record.held_out)[above], np.array(expected)[above], rtol=1e-9)
    assert calibrated.record.centre == pytest.approx(float(np.median(calibrated.record.held_out)))
    assert calibrated.record.folds == 5


def test_calibrated_parts_keep_the_false_alarm_rate_whichever_fires() -> None:
    recipe = plain("threshold.false_alarm_probability=0.01")
    calibrated = calibrated_on(recipe, parts(4000))
    fresh = np.random.default_rng(9)
    near, both = (build_tail(_under(calibrated.arrays, part)) for part in ("near", "both"))
    threshold = calibrated.record.threshold
    draws = zip(fresh.exponential(1.0, 20_000), 7.0 + fresh.exponential(3.0, 20_000), strict=True)
    tails = [min(near.log_probability(a), both.log_probability(b)) for a, b in draws]
    false = [-math.log10(1.0 - (1.0 - math.exp(value)) ** 2) >= threshold for value in tails if value < 0]
    assert sum(false) / 20_000 == pytest.approx(0.01, abs=0.003)


def test_few_stretches_and_normal_ones_above_the_threshold_are_pointed_out() -> None:
    few = calibrated_on(plain(), parts(12))
    assert few.notes[0].startswith("the threshold rests on 12 stretches and is strict rather than exact")
    odd = {"near": np.r_[parts(60)["near"][:59], 500.0], "both": parts(60)["both"]}
    assert calibrated_on(plain(), odd).notes == [
        "1 of 60 held-out normal stretches reach the threshold: listen to them"
    ]


def _under(arrays: dict[str, NDArray[np.generic]], part: str) -> dict[str, NDArray[np.generic]]:
    return {name: arrays[f"parts/{part}/tail/{name}"] for name in ("scores", "log_probabilities")}
