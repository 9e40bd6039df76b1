"""How each protocol divides a unit's recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.audio.labels import Label, Split
from edge_asd_export.evaluation.datasets import Clip, Domain, UnitName
from edge_asd_export.evaluation.protocols import PROTOCOLS, lacks

UNIT = UnitName("fan", 0, "id_00")


def clips(
    count: int, label: Label | None, split: Split | None = None, domain: Domain | None = None, unit: UnitName = UNIT
) -> list[Clip]:
    return [Clip(Path(f"{label}/{split}/{number:03d}.wav"), unit, label, split, domain) for number in range(count)]


@pytest.mark.parametrize("name", ["mimii-random", "mimii-official", "folders"])
def test_as_many_normals_as_anomalies_test_and_the_others_train(name: str) -> None:
    divided = PROTOCOLS[name].divide(UNIT, [*clips(20, "normal"), *clips(6, "anomalous")], 0, None)
    assert [clip.label for clip in divided.test] == ["normal"] * 6 + ["anomalous"] * 6
    assert [clip.label for clip in divided.train] == ["normal"] * 14
    assert not set(divided.train) & set(divided.test)
    assert divided.notes == []


def test_the_official_split_takes_the_first_names() -> None:
    given = [*reversed(clips(5, "normal")), *clips(2, "anomalous")]
    divided = PROTOCOLS["mimii-official"].divide(UNIT, given, 3, None)
    assert [clip.path.stem for clip in divided.test] == ["000", "001", "000", "001"]


def test_the_random_split_follows_seed_and_unit_alone() -> None:
    def drawn(unit: UnitName, seed: int) -> list[Path]:
        given = [*clips(40, "normal", unit=unit), *clips(9, "anomalous", unit=unit)]
        return [clip.path for clip in PROTOCOLS["mimii-random"].divide(unit, given, seed, None).test[:9]]

    other = UnitName("fan", 0, "id_02")
    assert drawn(UNIT, 1) == drawn(UNIT, 1)
    assert len({tuple(drawn(UNIT, 1)), tuple(drawn(UNIT, 2)), tuple(drawn(other, 1))}) == 3


def test_a_wanted_number_of_test_recordings() -> None:
    divided = PROTOCOLS["mimii-random"].divide(UNIT, [*clips(20, "normal"), *clips(9, "anomalous")], 0, 4)
    assert [clip.label for clip in divided.test] == ["normal"] * 4 + ["anomalous"] * 4


def test_a_wanted_number_that_is_not_to_be_had_is_told() -> None:
    for name in ("mimii-random", "mimii-official"):
        divided = PROTOCOLS[name].divide(UNIT, [*clips(30, "normal"), *clips(9, "anomalous")], 0, 15)
        assert len(divided.test) == 9 + 9
        assert divided.notes == ["9 test anomalies instead of 15, for there are no more"]
    published = [*clips(5, "normal", "train"), *clips(3, "normal", "test"), *clips(2, "anomalous", "test")]
    divided = PROTOCOLS["dcase2020"].divide(UNIT, published, 0, 1)
    assert len(divided.test) == 5
    assert divided.notes == ["all of its test set is taken, whatever --test-clips says"]


def test_half_of_the_normals_train_even_beside_many_anomalies() -> None:
    divided = PROTOCOLS["folders"].divide(UNIT, [*clips(10, "normal"), *clips(50, "anomalous")], 0, None)
    assert (len(divided.train), len(divided.test)) == (5, 55)
    assert divided.notes == ["5 test normals instead of 50, so that half of the 10 normals train"]


def test_published_splits_are_kept() -> None:
    train, normal, anomalous = clips(5, "normal", "train"), clips(3, "normal", "test"), clips(2, "anomalous", "test")
    for name in ("dcase2020", "folders"):
        divided = PROTOCOLS[name].divide(UNIT, [*train, *normal, *anomalous], 0, None)
        assert divided == (train, [*normal, *anomalous], [], [])


def test_what_a_published_split_has_no_place_for_is_named() -> None:
    placed = [*clips(2, "normal", "train"), *clips(1, "normal", "test"), *clips(1, "anomalous", "test")]
    unplaced, wrong = clips(1, "normal"), clips(1, "anomalous", "train")
    for name in ("dcase2020", "folders"):
        divided = PROTOCOLS[name].divide(UNIT, [*placed, *unplaced, *wrong], 0, None)
        assert [*divided.train, *divided.test] == placed
        assert divided.unused == [
            (unplaced[0], "neither its name nor a folder says whether it trains or tests"),
            (wrong[0], "in the training set, but not normal"),
        ]


def test_a_folder_of_test_recordings_is_kept_where_none_is_called_train() -> None:
    beside, broken, kept = clips(5, "normal"), clips(1, "anomalous"), clips(2, "normal", "test")
    divided = PROTOCOLS["folders"].divide(UNIT, [*beside, *broken, *kept], 0, None)
    assert [clip.path for clip in divided.train] == [clip.path for clip in beside]
    assert [clip.path for clip in divided.test] == [clip.path for clip in [*broken, *kept]]
    # Nothing would train where every normal recording is kept.
    divided = PROTOCOLS["folders"].divide(UNIT, [*clips(6, "normal", "test"), *broken], 0, None)
    assert (len(divided.train), len(divided.test)) == (5, 2)


def test_what_no_label_is_known_of_has_no_place_in_a_drawn_split() -> None:
    withheld = clips(1, None, "test")
    divided = PROTOCOLS["folders"].divide(UNIT, [*clips(4, "normal"), *clips(2, "anomalous"), *withheld], 0, 1)
    assert divided.unused == [(withheld[0], "its label is held back")]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (clips(3, "anomalous", "test"), "no normal recording to train on"),
        (clips(3, "normal", "train"), "no recording to test with"),
        ([*clips(3, "normal", "train"), *clips(3, "normal", "test")], "no anomalous recording to test with"),
        ([*clips(3, "normal", "train"), *clips(3, "anomalous", "test")], "no normal recording to test with"),
    ],
)
def test_what_a_unit_lacks_is_said(given: list[Clip], reason: str) -> None:
    found = lacks(UNIT, given, PROTOCOLS["dcase2020"].divide(UNIT, given, 0, None), "plain")
    assert found is not None
    assert str(found) == f"fan 0 dB id_00: {reason}"


def test_an_unlabelled_evaluation_set_lacks_nothing() -> None:
    given = [*clips(3, "normal", "train"), *clips(4, None, "test")]
    divided = PROTOCOLS["dcase2022+"].divide(UNIT, given, 0, None)
    assert lacks(UNIT, given, divided, "dcase2022+") is None
    assert len(divided.test) == 4
