from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_asd.bundle import Bundle
from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.pipeline import Judge, Pipeline, Rows, Score
from edge_asd.recipe.graph import Recipe
from tests.handmade import RATE, RECIPE, hum, recipe, write_handmade


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_handmade(tmp_path_factory.mktemp("bundle") / "hum.easd")


def scores(pipeline: Pipeline, samples: NDArray[np.float32], cuts: list[int]) -> list[Score]:
    pipeline.reset()
    edges = [0, *sorted(cuts), len(samples)]
    return [score for a, b in pairwise(edges) for score in pipeline.process(samples[a:b])]


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 5 * RATE), max_size=30))
def test_cutting_the_sound_changes_nothing(bundle: Bundle, cuts: list[int]) -> None:
    pipeline = Pipeline(bundle)
    samples = hum(5, 3)
    assert scores(pipeline, samples, cuts) == scores(pipeline, samples, [])


def test_single_samples_change_nothing(bundle: Bundle) -> None:
    pipeline = Pipeline(bundle)
    samples = hum(2.5, 3)
    assert scores(pipeline, samples, list(range(len(samples)))) == scores(pipeline, samples, [])


def test_decisions_fall_due_after_a_horizon_then_every_hop(bundle: Bundle) -> None:
    ends = [score.end for score in Pipeline(bundle).process(hum(4, 1))]
    assert ends == [2 * RATE, 5 * RATE // 2, 3 * RATE, 7 * RATE // 2, 4 * RATE]


def test_what_is_wrong_scores_higher(bundle: Bundle) -> None:
    pipeline = Pipeline(bundle)
    normal = [score.value for score in scores(pipeline, hum(20, 5), [])]
    wrong = [score.value for score in scores(pipeline, hum(20, 5, wrong=True), [])]
    assert max(normal) < bundle.manifest.calibration.threshold < min(wrong)


def test_rows_against_naive_frames() -> None:
    samples = hum(2, 1)
    _, rows = next(Rows(recipe(), {}, where="").process(samples))
    starts = range(0, len(samples) - 511, 256)
    levels = [10 * np.log10(np.mean(samples[start : start + 512].astype(float) ** 2)) for start in starts]
    np.testing.assert_allclose(rows["level"][:, 0], levels, atol=1e-4)
    assert rows["bands"].shape == (len(starts), 8)
    np.testing.assert_allclose(rows["bands"].mean(axis=1), 0, atol=1e-4)


def test_a_long_gap_starts_the_horizon_afresh(bundle: Bundle) -> None:
    pipeline = Pipeline(bundle)
    assert not list(pipeline.process(hum(1.9, 1)))
    pipeline.gap(RATE)
    assert not list(pipeline.process(hum(1.9, 2)))
    (score,) = pipeline.process(hum(0.1, 3))
    assert score.end == round((1.9 + 1 + 1.9 + 0.1) * RATE)


def test_nothing_is_joined_across_a_gap(bundle: Bundle) -> None:
    # A step between two levels is a click to whoever joins them.
    samples = hum(4, 1)
    pipeline = Pipeline(bundle)
    whole = scores(pipeline, samples, [])
    pipeline.reset()
    list(pipeline.process(samples[: 2 * RATE]))
    pipeline.gap()
    second = list(pipeline.process(samples[2 * RATE :]))
    assert [score.end for score in second] == [4 * RATE]
    pipeline.reset()
    (alone,) = pipeline.process(samples[2 * RATE :])
    assert second[0].value == alone.value
    assert len(whole) == 5


def test_a_brief_gap_keeps_the_horizon(bundle: Bundle) -> None:
    pipeline = Pipeline(bundle)
    list(pipeline.process(hum(2, 1)))
    pipeline.gap(10)
    (score,) = pipeline.process(hum(0.5, 2))
    assert score.end == 2 * RATE + 10 + RATE // 2
    assert score.value < bundle.manifest.calibration.threshold


def test_no_sound_from_before_the_horizon_has_a_say() -> None:
    # Of every 60 ms, 30 get lost: whoever took the latest rows would hear the first two seconds for ever.
    piece = round(0.03 * RATE)
    rows = Rows(recipe(), {}, where="")
    list(rows.process(np.full(2 * RATE, 1e-3, np.float32)))
    decided = 0
    for _ in range(400):
        rows.gap(piece)
        for _, found in rows.process(np.full(piece, 0.5, np.float32)):
            decided += 1
            assert {round(float(level)) for level in found["level"][:, 0]} <= {-60, -6}
            assert len(found["level"]) >= 61 / 2
    assert decided <= 1


def test_a_front_end_of_whole_segments_waits_for_the_next_one_after_a_gap() -> None:
    text = """
name: segments
sample_rate: 32000
branches: {whole: {front_end: {kind: preset, name: panns}, pooling: [mean]}}
parts: {only: {branches: [whole], detector: {kind: mahalanobis}}}
"""
    rows = Rows(parse(text, Recipe, where="segments"), {}, where="")
    second = np.tile(hum(1, 0), 4)
    assert not list(rows.process(np.tile(second, 5)))
    rows.gap(3200)
    # Ten seconds were heard at 10.1 s, but in two pieces.
    found = [(end, len(values["whole"])) for end, values in rows.process(np.tile(second, 12))]
    assert found == [(round(seconds * 32_000), 1) for seconds in (15.1, 16.1, 17.1)]


@given(cuts=st.lists(st.integers(1, 3 * RATE - 1), max_size=6), gaps=st.lists(st.integers(1, RATE // 4), max_size=3))
def test_gaps_and_blocks_commute(cuts: list[int], gaps: list[int]) -> None:
    samples = hum(1, 1)
    rows = Rows(recipe(), {}, where="")

    def heard(edges: list[int]) -> list[tuple[int, list[list[float]]]]:
        rows.reset()
        found = []
        for lost in [0, *gaps]:
            if lost:
                rows.gap(lost)
            for block in np.split(samples, edges):
                found += [(end, values["bands"].tolist()) for end, values in rows.process(block)]
        return found

    assert heard(sorted(cut % len(samples) for cut in cuts)) == heard([])


def test_a_horizon_shorter_than_a_patch_is_refused() -> None:
    short = parse(RECIPE, Recipe, where="r", overrides=["horizon.seconds=0.01"])
    with pytest.raises(InputError, match=r"lengthen horizon\.seconds"):
        Rows(short, {}, where="r")


def test_bundle_that_does_not_fit_its_recipe_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    arrays = {name: array for name, array in bundle.arrays.items() if not name.endswith("steady/detector/mean")}
    with pytest.raises(InputError, match=r"parts.steady.*mean"):
        Pipeline(bundle._replace(arrays=arrays))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["horizon.seconds=1e308"], "horizon.seconds: expected a number above 0 and ≤ 3600"),
        (["horizon.hop_seconds=1e308"], "horizon.hop_seconds: expected a number 0.01–3600"),
        (["horizon.hop_seconds=1e-300"], "horizon.hop_seconds: expected a number 0.01–3600"),
        (["branches.bands.patch.hop=9" + "0" * 30], "patch.hop: expected an integer 1–1000000"),
        (["branches.bands.front_end.segment_length=9" + "0" * 30], "segment_length: expected an integer 1–10000000"),
        (["branches.level.front_end.frame_length=9" + "0" * 30], "frame_length: expected an integer 1–1000000"),
        (["branches.bands.patch.frames=9" + "0" * 30], "expected a horizon that holds a patch"),
        (
            ["horizon.seconds=3600", "branches.bands.front_end={kind: log-mel, hop_length: 1, n_mels: 12}"],
            "expected a horizon of at most 268,435,456 numbers, found 28,798,977 rows of 12; shorten",
        ),
    ],
)
def test_no_recipe_asks_for_more_memory_than_there_is(overrides: list[str], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        Rows(parse(RECIPE, Recipe, where="handmade", overrides=overrides), {}, where="handmade")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("branches.bands.pooling=[mean]", "hum.easd: parts.steady: expected arrays for rows of 8 numbers"),
        ("parts.level.branches=[bands]", "hum.easd: parts.level: expected arrays for rows of 16 numbers"),
    ],
)
def test_arrays_for_other_rows_are_refused(bundle: Bundle, override: str, said: str) -> None:
    judge = Judge(parse(RECIPE, Recipe, where="", overrides=[override]), bundle.arrays, where="hum.easd")
    _, rows = next(Rows(bundle.recipe, {}, where="").process(hum(2, 1)))
    with pytest.raises(InputError, match=said):
        judge.part_scores(judge.features(rows))


def test_a_transform_for_other_rows_is_refused(bundle: Bundle) -> None:
    arrays = {"branches/bands/transform/mean": np.zeros(3), "branches/bands/transform/scale": np.ones(3)}
    judge = Judge(bundle.recipe, {**bundle.arrays, **arrays}, where="hum.easd")
    with pytest.raises(InputError, match=r"branches\.bands: expected arrays for rows of 16 numbers.* found some for 3"):
        judge.transform({"bands": np.zeros((1, 16))})
