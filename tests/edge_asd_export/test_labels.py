"""Labels and splits by name, unlabelled evaluation sets among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.audio import find_recordings
from edge_asd.audio.labels import label_of, split_of
from edge_asd.errors import InputError
from edge_asd_export.labels import sort_recordings

ROOT = Path("/data")


@pytest.mark.parametrize(
    ("path", "label", "split"),
    [
        ("fan/id_00/normal/00000000.wav", "normal", None),
        ("fan/id_00/abnormal/00000000.wav", "anomalous", None),
        ("slider/train/normal_id_00_00000000.wav", "normal", "train"),
        ("slider/test/anomaly_id_00_00000000.wav", "anomalous", "test"),
        ("slider/test/id_01_00000000.wav", None, "test"),
        ("gearbox/section_01_source_train_normal_0007_x_1.wav", "normal", "train"),
        ("gearbox/test/section_01_source_anomaly_0007.wav", "anomalous", "test"),
        ("gearbox/source_test/section_03_source_test_0000.wav", None, "test"),
        ("gearbox/test/section_03_0000.wav", None, "test"),
        ("gearbox/test_rename/section_03_source_normal_0000_x_1.wav", "normal", "test"),
        ("pump/Fault/a.wav", "anomalous", None),
        ("pump/x.wav", "normal", None),
        ("pump/id_01_00000000.wav", "normal", None),
    ],
)
def test_names_say_label_and_split(path: str, label: str | None, split: str | None) -> None:
    assert (label_of(ROOT / path, ROOT), split_of(ROOT / path, ROOT)) == (label, split)


def test_recordings_whose_label_is_withheld_neither_train_nor_test() -> None:
    paths = [ROOT / "train/normal_id_00_00000000.wav", ROOT / "test/id_00_00000000.wav"]
    assert sort_recordings(dict.fromkeys(paths, ROOT)) == ([paths[0]], [], [], [])


def test_without_normal_recordings_there_is_nothing_to_train_on() -> None:
    with pytest.raises(InputError, match="1 recordings, all anomalous or unlabelled"):
        sort_recordings({ROOT / "test/id_00_00000000.wav": ROOT})


LAYOUTS: dict[str, tuple[list[str], list[str], list[str]]] = {
    # name: training, normal for testing, anomalous; files besides these are in WITHHELD.
    "mimii": (
        ["0_dB_fan/fan/id_00/normal/00000000.wav", "0_dB_fan/fan/id_00/normal/00000001.wav"],
        [],
        ["0_dB_fan/fan/id_00/abnormal/00000000.wav"],
    ),
    "dcase 2020": (
        ["slider/train/normal_id_00_00000000.wav", "slider/train/normal_id_02_00000017.wav"],
        ["slider/test/normal_id_00_00000100.wav"],
        ["slider/test/anomaly_id_00_00000000.wav"],
    ),
    "dcase 2021": (
        ["fan/train/section_00_source_train_normal_0000_strength_1_ambient.wav"],
        ["fan/source_test/section_00_source_test_normal_0003.wav"],
        [
            "fan/source_test/section_00_source_test_anomaly_0000.wav",
            "fan/target_test/section_02_target_test_anomaly_0001.wav",
        ],
    ),
    "dcase 2024": (
        [
            "bearing/train/section_00_source_train_normal_0000_vel_4.wav",
            "bearing/train/section_00_target_train_normal_0001_.wav",
        ],
        ["bearing/test/section_00_source_normal_0003_vel_4.wav"],
        ["bearing/test/section_00_target_anomaly_0000_vel_8.wav"],
    ),
    "pair": (["Normal/monday.wav"], [], ["Anomalous/tuesday.flac"]),
    "fault pair": (["pump/normal/a.wav"], [], ["pump/fault/b.wav"]),
    "split and pair": (["train/normal/a.wav"], ["test/normal/b.wav"], ["test/abnormal/c.wav"]),
    "plain": (["a.wav", "shift-2/b.wav"], [], []),
}
WITHHELD = {
    "dcase 2020": ["slider/test/id_01_00000000.wav"],
    "dcase 2021": ["fan/source_test/section_03_source_test_0000.wav"],
    "dcase 2024": ["bearing/test/section_01_0042.wav"],
}


def make_tree(layout: str, root: Path) -> list[set[Path]]:
    """Make the files of a layout, and return those to train on, the normal and the anomalous ones to test with."""
    expected = [{root / name for name in names} for names in LAYOUTS[layout]]
    for path in {*set.union(*expected), *(root / name for name in WITHHELD.get(layout, []))}:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_trees_of_every_layout_are_sorted(layout: str, tmp_path: Path) -> None:
    # What stands above the folder that was named has no say.
    root = tmp_path / "abnormal" / "test" / "data"
    expected = make_tree(layout, root)
    found = sort_recordings(dict.fromkeys(find_recordings(root), root))
    assert [set(group) for group in found[:3]] == expected
    assert not found.doubtful


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_anomalous_or_kept_for_testing_is_ever_trained_on(layout: str, tmp_path: Path) -> None:
    training, normal, anomalous = make_tree(layout, tmp_path)
    every_file = {path: path.parent for path in find_recordings(tmp_path)}
    for found in (every_file, dict.fromkeys(every_file, tmp_path)):
        sorted_so = sort_recordings(found)
        assert not set(sorted_so.training) & anomalous
        assert set(sorted_so.anomalous) == anomalous
        # Where a split stands two folders up, naming each file hides it, but never a label.
        assert training <= set(sorted_so.training) <= training | normal


def test_folders_named_apart_are_sorted_together(tmp_path: Path) -> None:
    training, normal, anomalous = make_tree("dcase 2020", tmp_path)
    apart = {path: path.parent for path in find_recordings(tmp_path)}
    assert [set(group) for group in sort_recordings(apart)[:3]] == [training, normal, anomalous]


def test_what_says_nothing_beside_what_is_named_normal_is_left_out() -> None:
    normal, whistling = ROOT / "pump/normal/a.wav", [ROOT / "pump/whistling/b.wav", ROOT / "c.wav"]
    assert sort_recordings(dict.fromkeys([normal, *whistling], ROOT)) == ([normal], [], [], whistling)
    # Named apart, a folder that says nothing is meant.
    both = [normal, whistling[0]]
    assert sort_recordings({path: path.parent for path in both}).training == both
    # A folder to train on says enough.
    meant = [ROOT / "pump/train/b.wav", ROOT / "pump/test/normal/a.wav"]
    assert sort_recordings(dict.fromkeys(meant, ROOT)) == ([meant[0]], [meant[1]], [], [])
