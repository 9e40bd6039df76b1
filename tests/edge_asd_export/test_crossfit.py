from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import EmpiricalCovariance

from edge_asd.errors import InputError
from edge_asd.recipe.graph import Recipe
from edge_asd_export import crossfit
from edge_asd_export.crossfit import FEWEST_STRETCHES, fold_bounds, held_out_scores
from edge_asd_export.fit import Fitted, fit
from edge_asd_export.material import Stretch
from edge_asd_export.progress import Advance
from tests.edge_asd_export.small import means, plain, plain_stretches

ADVANCE = Advance(None, None)


@given(count=st.integers(2, 200), folds=st.integers(2, 20))
def test_folds_are_contiguous_and_as_equal_as_can_be(count: int, folds: int) -> None:
    bounds = fold_bounds(count, folds)
    assert [index for start, end in bounds for index in range(start, end)] == list(range(count))
    sizes = [end - start for start, end in bounds]
    assert len(sizes) == min(count, folds)
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("count", [10, 23])
def test_a_stretch_is_scored_by_its_nearest_neighbour_outside_its_fold(count: int) -> None:
    stretches = plain_stretches(count)
    scores = held_out_scores(plain(), stretches, seed=0, advance=ADVANCE)["near"]
    rows = means(stretches, "left")
    for start, end in fold_bounds(count, 5):
        others = [index for index in range(count) if not start <= index < end]
        for index in range(start, end):
            nearest = min(float(np.sqrt(((rows[index] - rows[other]) ** 2).sum())) for other in others)
            assert scores[index] == pytest.approx(nearest, rel=1e-9)
    # Scored by what it was fitted to, a stretch would be its own nearest neighbour.
    assert scores.min() > 0


def test_held_out_distances_are_those_of_scikit_learn_fitted_without_the_fold() -> None:
    stretches = plain_stretches(24)
    scores = held_out_scores(plain("folds=4"), stretches, seed=0, advance=ADVANCE)["both"]
    rows = np.hstack([means(stretches, "left"), means(stretches, "right")])
    for start in range(0, 24, 6):
        held_out = np.arange(start, start + 6)
        model = EmpiricalCovariance().fit(np.delete(rows, held_out, axis=0))
        np.testing.assert_allclose(scores[held_out], model.mahalanobis(rows[held_out]), rtol=1e-8)


def test_no_graph_is_fitted_to_what_it_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted_to: list[set[str]] = []

    def watched(recipe: Recipe, stretches: Sequence[Stretch], *, seed: int, advance: Advance) -> Fitted:
        fitted_to.append({stretch.recording.name for stretch in stretches})
        return fit(recipe, stretches, seed=seed, advance=advance)

    monkeypatch.setattr(crossfit, "fit", watched)
    held_out_scores(plain("folds=3"), plain_stretches(11), seed=0, advance=ADVANCE)
    everything = {f"{index}.wav" for index in range(11)}
    left_out = [everything - fitted for fitted in fitted_to]
    assert len(left_out) == 3
    assert set.union(*left_out) == everything
    assert sum(map(len, left_out)) == 11


def test_too_few_stretches_are_refused_with_their_number() -> None:
    with pytest.raises(InputError, match=r"expected at least 5 stretches of 1 s of normal sound, found 4; record more"):
        held_out_scores(plain(), plain_stretches(FEWEST_STRETCHES - 1), seed=0, advance=ADVANCE)
