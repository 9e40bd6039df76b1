from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.covariance import EmpiricalCovariance

from edge_asd.audio import read_blocks
from edge_asd.errors import InputError
from edge_asd.recipe.graph import Recipe
from edge_asd_export import crossfit
from edge_asd_export.crossfit import (
    FEWEST_STRETCHES,
    Alignment,
    cross_fit,
    decision_scores,
    folds_of,
    part_scores,
    require_enough,
)
from edge_asd_export.fit import Fitted, fit
from edge_asd_export.material import Stretch, gather
from edge_asd_export.progress import Advance
from tests.edge_asd_export.small import means, plain, plain_stretches
from tests.handmade import RATE, hum, recipe

ADVANCE = Advance(None, None)
Scores = dict[str, NDArray[np.float64]]


@pytest.fixture
def held_out_scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[Recipe, list[Stretch]], Scores]:
    """Scores of stretches alone, which need no recordings."""

    def as_one_run(recipe: Recipe, fitted: Fitted, stretches: Sequence[Stretch]) -> Iterator[Scores]:
        rows = part_scores(recipe, fitted, stretches)
        yield {part: np.array([row[part] for row in rows]) for part in rows[0]}

    def score(recipe: Recipe, stretches: list[Stretch]) -> Scores:
        final = fit(recipe, stretches, seed=0, advance=ADVANCE)
        return cross_fit(recipe, stretches, final, seed=0, advance=ADVANCE).stretches

    monkeypatch.setattr(crossfit, "decision_scores", as_one_run)
    return score


@given(count=st.integers(2, 200), folds=st.integers(2, 20))
def test_folds_are_contiguous_and_as_equal_as_can_be(count: int, folds: int) -> None:
    found = folds_of([Stretch(Path("a.wav"), index, {}) for index in range(count)], folds)
    assert [index for fold in found for index in fold.indices] == list(range(count))
    sizes = [len(fold.indices) for fold in found]
    assert len(sizes) == min(count, folds)
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6), folds=st.integers(2, 8))
def test_every_section_has_its_share_of_every_fold(sizes: list[int], folds: int) -> None:
    paths = [
        Path(f"section_{section:02d}_source_train_normal_{number:04d}.wav")
        for section, size in enumerate(sizes)
        for number in range(size)
    ]
    stretches = [Stretch(path, 0, {}) for path in paths]
    found = folds_of(stretches, folds)
    assert sorted(index for fold in found for index in fold.indices) == list(range(len(paths)))
    assert all(fold.indices == sorted(fold.indices) for fold in found)
    for fold in found:
        for section, size in enumerate(sizes):
            own = [index for index in fold.indices if stretches[index].section == f"section_{section:02d}"]
            assert own == list(range(own[0], own[0] + len(own))) if own else True
            # A cut falls between stretches of any section, so each of them may be off by one.
            assert len(found) < folds or abs(len(own) - size / folds) <= len(sizes)


@pytest.mark.parametrize("count", [10, 23])
def test_a_stretch_is_scored_by_its_nearest_neighbour_outside_its_fold(
    count: int, held_out_scores: Callable[[Recipe, list[Stretch]], Scores]
) -> None:
    stretches = plain_stretches(count)
    scores = held_out_scores(plain(), stretches)["near"]
    rows = means(stretches, "left")
    for fold in folds_of(stretches, 5):
        others = [index for index in range(count) if index not in fold.indices]
        for index in fold.indices:
            nearest = min(float(np.sqrt(((rows[index] - rows[other]) ** 2).sum())) for other in others)
            assert scores[index] == pytest.approx(nearest, rel=1e-9)
    # Scored by what it was fitted to, a stretch would be its own nearest neighbour.
    assert scores.min() > 0


def test_held_out_distances_are_those_of_scikit_learn_fitted_without_the_fold(
    held_out_scores: Callable[[Recipe, list[Stretch]], Scores],
) -> None:
    stretches = plain_stretches(24)
    scores = held_out_scores(plain("folds=4"), stretches)["both"]
    rows = np.hstack([means(stretches, "left"), means(stretches, "right")])
    for start in range(0, 24, 6):
        held_out = np.arange(start, start + 6)
        model = EmpiricalCovariance().fit(np.delete(rows, held_out, axis=0))
        np.testing.assert_allclose(scores[held_out], model.mahalanobis(rows[held_out]), rtol=1e-8)


def test_no_graph_is_fitted_to_what_it_scores(
    monkeypatch: pytest.MonkeyPatch, held_out_scores: Callable[[Recipe, list[Stretch]], Scores]
) -> None:
    fitted_to: list[set[str]] = []

    def watched(recipe: Recipe, stretches: Sequence[Stretch], *, seed: int, advance: Advance) -> Fitted:
        fitted_to.append({stretch.recording.name for stretch in stretches})
        return fit(recipe, stretches, seed=seed, advance=advance)

    monkeypatch.setattr(crossfit, "fit", watched)
    held_out_scores(plain("folds=3"), plain_stretches(11))
    everything = {f"{index}.wav" for index in range(11)}
    left_out = [everything - fitted for fitted in fitted_to]
    assert len(left_out) == 3
    assert set.union(*left_out) == everything
    assert sum(map(len, left_out)) == 11


def test_too_few_stretches_are_refused_with_their_number() -> None:
    with pytest.raises(InputError, match=r"expected at least 5 stretches of 1 s of normal sound, found 4; record more"):
        require_enough(plain(), plain_stretches(FEWEST_STRETCHES - 1))


def test_what_does_not_suffice_without_a_fold_says_so(
    held_out_scores: Callable[[Recipe, list[Stretch]], Scores],
) -> None:
    with pytest.raises(InputError, match=r"both \(without one fold of 5\): expected at least 6 rows .* found 5"):
        held_out_scores(plain(), plain_stretches(7))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("normal")
    paths = [folder / f"{index}.wav" for index in range(3)]
    for index, path in enumerate(paths):
        soundfile.write(path, hum(13, index), RATE)
    return paths


def test_each_score_is_given_by_a_graph_that_had_not_seen_its_stretch(recordings: list[Path]) -> None:
    graph = recipe()
    stretches = gather(recordings, graph).stretches
    found = cross_fit(graph, stretches, fit(graph, stretches, seed=0, advance=ADVANCE), seed=0, advance=ADVANCE)
    fold = folds_of(stretches, graph.folds)[1]
    without = fit(graph, fold.others(stretches), seed=0, advance=ADVANCE)
    expected = part_scores(graph, without, fold.held_out(stretches))
    for part, values in found.stretches.items():
        np.testing.assert_allclose(values[fold.indices], [scores[part] for scores in expected])


def test_decisions_are_those_of_a_device_and_hold_the_stretches(recordings: list[Path]) -> None:
    graph = recipe()
    stretches = gather(recordings, graph).stretches
    fitted = fit(graph, stretches, seed=0, advance=ADVANCE)
    runs = list(decision_scores(graph, fitted, stretches))
    # 12 s of each recording in whole horizons of 2 s, a decision every half second.
    assert [len(run["steady"]) for run in runs] == [21, 21, 21]
    side_by_side = np.concatenate([run["steady"][::4] for run in runs])
    expected = [scores["steady"] for scores in part_scores(graph, fitted, stretches)]
    np.testing.assert_allclose(side_by_side, expected, rtol=1e-6)


def test_no_decision_hears_both_sides_of_a_stretch_that_is_left_out(recordings: list[Path]) -> None:
    graph = recipe()
    stretches = gather(recordings[:1], graph).stretches
    fitted = fit(graph, stretches, seed=0, advance=ADVANCE)
    (whole,) = decision_scores(graph, fitted, stretches)
    before, after = decision_scores(graph, fitted, [*stretches[:2], *stretches[3:]])
    np.testing.assert_allclose(before["steady"], whole["steady"][:5])
    assert len(after["steady"]) == 9


def test_a_recording_is_read_once_however_often_it_is_interrupted(
    recordings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = recipe()
    stretches = gather(recordings[:2], graph).stretches
    fitted = fit(graph, stretches, seed=0, advance=ADVANCE)
    apart = stretches[::2]
    alone = [run["steady"] for stretch in apart for run in decision_scores(graph, fitted, [stretch])]
    reading = Mock(side_effect=read_blocks)
    monkeypatch.setattr("edge_asd.liveness.read_blocks", reading)
    runs = [run["steady"] for run in decision_scores(graph, fitted, apart)]
    np.testing.assert_allclose(runs, alone)
    assert [call.args[0] for call in reading.call_args_list] == recordings[:2]


def test_alignment_brings_one_graphs_scores_to_anothers() -> None:
    scores = np.random.default_rng(0).normal(size=200)
    other = 3.0 + 1.5 * scores
    np.testing.assert_allclose(Alignment.between(scores, other).apply(scores), other)
    assert Alignment.between(scores, 0.5 * scores).factor == 1.0, "narrowing would let false alarms through"
    assert Alignment.between(np.ones(5), np.arange(5.0)).factor == 1.0
