from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_asd.bundle import Calibration
from edge_asd.calibration.calibrate import Calibrated, NormalScores, calibrate, pareto_quantile
from edge_asd.errors import InputError
from edge_asd.recipe.graph import Threshold
from tests.handmade import recipe


def normal_scores(count: int, seed: int = 0) -> NormalScores:
    rng = np.random.default_rng(seed)
    stretches = {"steady": rng.gamma(3.0, 2.0, count), "level": rng.gamma(1.0, 1.0, count)}
    return NormalScores(stretches, stretches, np.ones(count, np.intp))


def calibrated(count: int = 400, **words: Any) -> Calibrated:
    graph = msgspec.structs.replace(recipe(), threshold=Threshold(**words))
    return calibrate(graph, normal_scores(count), 5)


@pytest.mark.parametrize("rule", ["gamma", "quantile", "gpd", "tail"])
def test_a_share_of_unseen_normal_scores_reaches_the_threshold(rule: str) -> None:
    found = calibrated(4000, rule=rule, false_alarm_probability=0.01)
    unseen = calibrate(recipe(), normal_scores(4000, seed=1), 5)
    reached = np.mean(np.array(unseen.record.held_out) >= found.record.threshold)
    assert 0.002 < reached < 0.03


def test_false_alarms_are_those_asked_for() -> None:
    found = calibrated(rule="false-alarms", false_alarms_per_week=100)
    assert found.record.alarms_per_week == pytest.approx(100)
    assert found.record.rule == "100 false alarms per week"
    assert calibrated(rule="false-alarms", false_alarms_per_week=1).record.threshold > found.record.threshold


def test_every_rule_records_the_alarms_to_expect() -> None:
    strict, loose = (calibrated(false_alarm_probability=share).record for share in (1e-5, 1e-2))
    assert strict.alarms_per_week is not None
    assert loose.alarms_per_week is not None
    assert strict.alarms_per_week < loose.alarms_per_week
    assert strict.threshold == 5.0


def test_pareto_quantile_of_an_exponential() -> None:
    scores = np.random.default_rng(0).exponential(size=20_000)
    for share in (0.5, 0.05, 1e-3, 1e-5):
        assert pareto_quantile(scores, share) == pytest.approx(-math.log(share), rel=0.1)


def test_a_detector_that_gives_most_sound_one_score_has_a_threshold_that_can_be_written() -> None:
    scores = np.concatenate([np.linspace(0.0, 1.0, 50), np.full(150, 2.0)])
    graph = msgspec.structs.replace(recipe(), join="none", parts={"level": recipe().parts["level"]})
    graph = msgspec.structs.replace(graph, threshold=Threshold(rule="gpd"))
    record = calibrate(graph, NormalScores({"level": scores}, {"level": scores}, np.array([200])), 5).record
    assert record.threshold == 2.0
    assert msgspec.json.decode(msgspec.json.encode(record), type=Calibration) == record


def test_gamma_copes_with_scores_below_zero_and_refuses_equal_ones() -> None:
    graph = msgspec.structs.replace(recipe(), join="none", parts={"level": recipe().parts["level"]})
    graph = msgspec.structs.replace(graph, threshold=Threshold(rule="gamma", false_alarm_probability=0.1))
    scores = np.random.default_rng(0).normal(-50, 1, 300)
    found = calibrate(graph, NormalScores({"level": scores}, {"level": scores}, np.ones(300, np.intp)), 5)
    assert np.mean(scores >= found.record.threshold) == pytest.approx(0.1, abs=0.04)
    with pytest.raises(InputError, match="held-out scores that differ"):
        calibrate(graph, NormalScores({"level": np.ones(9)}, {"level": np.ones(9)}, np.ones(9, np.intp)), 5)


def test_too_few_stretches_are_refused_and_few_are_noted() -> None:
    with pytest.raises(InputError, match="at least 3 stretches of 2 s, found 2"):
        calibrated(2)
    assert "rests on 10 stretches" in calibrated(10).notes[0]
