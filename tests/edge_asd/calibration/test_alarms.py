from __future__ import annotations

import itertools
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_asd.calibration.alarms import SECONDS_PER_WEEK, HeldOut, alarm_peaks, alarm_rate, read_held_out, threshold_of
from edge_asd.decision import Decider, Moment
from edge_asd.errors import InputError
from edge_asd.firmware import Decision
from edge_asd.recipe.graph import Horizon, Threshold
from tests.handmade import recipe, write_handmade

Floats = NDArray[np.float64]
RECIPE = msgspec.structs.replace(recipe(), horizon=Horizon(seconds=10, hop_seconds=1))


def single(scores: Floats) -> HeldOut:
    return HeldOut(scores, np.array([len(scores)]))


def correlated(count: int, seed: int, length: int = 10) -> Floats:
    """Scores of overlapping horizons: −log10 of how rare the loudest of the last seconds was."""
    seconds = np.random.default_rng(seed).exponential(size=count + length - 1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(seconds, length).max(axis=1) / math.log(10))


def counted(scores: Floats, threshold: float, decision: Decision, centre: float) -> list[float]:
    """Alarms as the daemon counts them, with the greatest of the lowest of `enter` in a row for each."""
    decider, inside = Decider(decision, centre), False
    peaks: list[float] = []
    for index, score in enumerate(scores):
        alarm = decider.decide(score, threshold, Moment(index * 0.5, 0)).anomaly is not None
        if alarm:
            lowest = min(scores[index - decision.enter + 1 : index + 1], default=-math.inf)
            if index - decision.enter + 1 < 0:
                lowest = -math.inf
            peaks = [*peaks[:-1], max(peaks[-1], lowest)] if inside else [*peaks, lowest]
        inside = alarm
    return peaks


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.integers(0, 12), min_size=1, max_size=80),
    cuts=st.lists(st.integers(1, 79), max_size=3),
    enter=st.integers(1, 4),
    leave=st.integers(1, 4),
    fraction=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    rest=st.sampled_from([0.0, 1.0, 5.0]),
)
def test_alarms_are_counted_as_the_daemon_does(
    scores: list[int], cuts: list[int], enter: int, leave: int, fraction: float, rest: float
) -> None:
    values = np.array(scores, np.float64)
    pieces = [piece for piece in np.split(values, sorted({cut for cut in cuts if cut < len(values)})) if len(piece)]
    held_out = HeldOut(np.concatenate(pieces), np.array([len(piece) for piece in pieces]))
    decision = Decision(enter=enter, exit=leave, exit_fraction=fraction, cooldown_s=rest)
    expected = []
    for piece in pieces:
        short = msgspec.structs.replace(decision, enter=min(enter, len(piece)))
        expected += counted(piece, 6.0, short, 3.0)
    assert alarm_peaks(held_out, 6.0, decision, 3.0, 0.5).tolist() == expected


def test_a_least_duration_asks_for_as_many_decisions() -> None:
    scores = single(correlated(3000, 4))
    lasting, entering = Decision(min_duration_s=2.0), Decision(enter=5)
    found, expected = (alarm_peaks(scores, 1.5, decision, 0.9, 0.5).tolist() for decision in (lasting, entering))
    assert found == expected
    assert alarm_peaks(scores, 1.5, Decision(latch=True), 0.9, 0.5).tolist() == (
        alarm_peaks(scores, 1.5, Decision(), 0.9, 0.5).tolist()
    )


def test_lowering_the_threshold_to_a_peak_keeps_the_alarm() -> None:
    scores = correlated(3000, 4)
    decision = Decision(enter=3)
    peaks = alarm_peaks(single(scores), 1.5, decision, 0.9, 1.0)
    assert len(peaks) > 5
    for peak in peaks:
        assert peak in alarm_peaks(single(scores), peak, decision, 0.9, 1.0)
        assert peak not in alarm_peaks(single(scores), peak + 1e-9, decision, 0.9, 1.0)


@pytest.mark.parametrize("enter", [1, 2])
def test_the_rate_asked_for_is_the_rate_met(enter: int) -> None:
    # Exponential tails, 8 h to calibrate on, 300 h to count on.
    decision, asked = Decision(enter=enter), 7.0
    unseen = single(correlated(1_080_000, 99))
    rates = []
    for seed in range(5):
        held_out = single(correlated(28_800, seed))
        centre = float(np.median(held_out.scores))
        threshold = alarm_rate(held_out, RECIPE, decision, centre).threshold(asked)
        alarms = len(alarm_peaks(unseen, threshold, decision, centre, 1.0))
        rates.append(alarms / len(unseen.scores) * SECONDS_PER_WEEK)
    assert asked / 2 < np.median(rates) < asked * 2
    assert asked / 5 < min(rates)
    assert max(rates) < asked * 5


def test_little_sound_makes_a_strict_threshold() -> None:
    scores = correlated(28_800, 3)
    full = alarm_rate(single(scores), RECIPE, Decision(), 0.9).threshold(1.0)
    alike = HeldOut(0.5 + 0.01 * scores[:90:10], np.ones(9, np.intp))
    few = alarm_rate(alike, RECIPE, Decision(), 0.5).threshold(1.0)
    assert few > 0.6 * full


def test_long_runs_and_single_horizons_tell_the_same_rate() -> None:
    scores = correlated(20_000, 7)
    apart = HeldOut(scores[::10].copy(), np.ones(2000, np.intp))
    together, sparse = (alarm_rate(kept, RECIPE, Decision(), 0.9).threshold(7.0) for kept in (single(scores), apart))
    assert together == pytest.approx(sparse, abs=0.7)
    assert single(scores).seconds(RECIPE) == 20_009
    assert apart.seconds(RECIPE) == 20_000


def test_scores_that_do_not_hang_together_have_an_extremal_index_of_one() -> None:
    rng = np.random.default_rng(0)
    apart = HeldOut(rng.exponential(size=2000), np.ones(2000, np.intp))
    assert alarm_rate(apart, RECIPE, Decision(), 0.7).extremal_index == 1.0
    assert alarm_rate(single(correlated(20_000, 7)), RECIPE, Decision(), 0.9).extremal_index < 0.3


@given(st.floats(1e-3, 1e4))
def test_threshold_is_the_inverse_of_the_rate(asked: float) -> None:
    rate = alarm_rate(single(correlated(2000, 3)), RECIPE, Decision(), 0.9)
    threshold = rate.threshold(asked)
    if threshold > rate.level:
        assert rate.per_week(threshold) == pytest.approx(asked, rel=1e-9)
    assert rate.threshold(asked / 2) >= threshold


def test_probability_falls_from_the_share_that_was_seen() -> None:
    scores = correlated(2000, 3)
    rate = alarm_rate(single(scores), RECIPE, Decision(), 0.9)
    assert rate.probability(float(np.median(scores))) == pytest.approx(0.5, abs=0.01)
    assert rate.probability(-1.0) == 1.0
    levels = [rate.probability(level) for level in np.linspace(0, 500, 300)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(levels))
    assert levels[-1] > 0


@pytest.mark.parametrize("scores", [np.zeros(1), np.zeros(50), np.arange(4.0)])
def test_hardly_any_scores_still_give_a_finite_threshold(scores: Floats) -> None:
    rate = alarm_rate(single(scores), RECIPE, Decision(enter=3), float(np.median(scores)))
    for asked in (1e-6, 1.0, 1e9):
        assert math.isfinite(rate.threshold(asked))
        assert math.isfinite(rate.per_week(rate.threshold(asked)))


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"scores": np.zeros(3)}, "array 'lengths': expected an array"),
        ({"scores": np.zeros(3), "lengths": np.array([2, 2])}, "expected runs of 3 decisions in all, found 4"),
        ({"scores": np.zeros(3), "lengths": np.array([0, 3])}, "expected integers from 1 to 3"),
        ({"scores": np.array([np.nan]), "lengths": np.array([1])}, "expected finite numbers"),
    ],
)
def test_untrusted_arrays_are_checked(arrays: dict[str, NDArray[np.generic]], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        read_held_out(arrays, "joint")
    assert complaint in str(caught.value)


def test_threshold_of_a_device(tmp_path: Path) -> None:
    bundle = write_handmade(tmp_path / "a.easd")
    assert threshold_of(bundle, Decision()) == 4.0
    assert threshold_of(bundle, Decision(threshold=2.5)) == 2.5
    rare, often = (threshold_of(bundle, Decision(false_alarms_per_week=asked)) for asked in (0.1, 1000))
    assert rare > often
    counting = msgspec.structs.replace(
        bundle.recipe, threshold=Threshold(rule="false-alarms", false_alarms_per_week=0.1)
    )
    ruled = bundle._replace(manifest=msgspec.structs.replace(bundle.manifest, recipe=counting))
    assert threshold_of(ruled, Decision()) == rare
    assert threshold_of(ruled, Decision(enter=5)) <= rare


@pytest.mark.parametrize("asked", [5e-324, 1e-320, 1e-300, 1e300, 1.7e308])
def test_whatever_rate_is_asked_for_has_a_threshold(tmp_path: Path, asked: float) -> None:
    bundle = write_handmade(tmp_path / "a.easd")
    found = threshold_of(bundle, Decision(false_alarms_per_week=asked))
    assert math.isfinite(found)
    usual = threshold_of(bundle, Decision(false_alarms_per_week=1.0))
    assert (found > usual) == (asked < 1.0)


def test_threshold_and_rate_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="found both"):
        Decision(threshold=1.0, false_alarms_per_week=1.0)
