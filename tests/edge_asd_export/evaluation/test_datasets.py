"""Every layout, by names alone: files are empty here."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.audio import find_recordings
from edge_asd.errors import InputError
from edge_asd_export.evaluation.datasets import Clip, Layout, UnitName, read_dataset
from edge_asd_export.labels import sort_recordings


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def only(root: Path, layout: Layout) -> Clip:
    (clips,) = read_dataset(root, layout).units.values()
    return clips[0]


@pytest.mark.parametrize(
    ("layout", "name", "unit", "rest"),
    [
        ("mimii", "-6_dB_fan/fan/id_00/normal/00000001.wav", ("fan", -6, "id_00"), ("normal", None, None, "")),
        ("mimii", "min6_dB/pump/id_04/abnormal/00000001.wav", ("pump", -6, "id_04"), ("anomalous", None, None, "")),
        ("mimii", "6dB/valve/id_06/normal/00000001.wav", ("valve", 6, "id_06"), ("normal", None, None, "")),
        ("mimii", "-6_dB_fan/id_00/normal/00000001.wav", ("fan", -6, "id_00"), ("normal", None, None, "")),
        ("mimii", "fan/-6dB/id_00/normal/00000001.wav", ("fan", -6, "id_00"), ("normal", None, None, "")),
        ("mimii", "pump/0_db_pump/id_00/abnormal/00000001.wav", ("pump", 0, "id_00"), ("anomalous", None, None, "")),
        ("mimii", "slider/id_02/normal/00000001.wav", ("slider", None, "id_02"), ("normal", None, None, "")),
        (
            "dcase2020",
            "ToyCar/train/normal_id_01_00000000.wav",
            ("ToyCar", None, "id_01"),
            ("normal", "train", None, ""),
        ),
        ("dcase2020", "fan/test/anomaly_id_00_00000001.wav", ("fan", None, "id_00"), ("anomalous", "test", None, "")),
        ("dcase2020", "fan/test/id_00_00000001.wav", ("fan", None, "id_00"), (None, "test", None, "")),
        (
            "dcase2021",
            "gearbox/target_test/section_02_target_test_anomaly_0012_id_08.wav",
            ("gearbox", None, "section_02"),
            ("anomalous", "test", "target", "id_08"),
        ),
        (
            "dcase2021",
            "bearing/test/section_00_source_anomaly_0001_vel_6.wav",
            ("bearing", None, "section_00"),
            ("anomalous", "test", "source", "vel_6"),
        ),
        (
            "dcase2021",
            "fan/source_test/section_03_source_test_0001.wav",
            ("fan", None, "section_03"),
            (None, "test", "source", ""),
        ),
        ("dcase2021", "fan/test/section_03_0001.wav", ("fan", None, "section_03"), (None, "test", None, "")),
        (
            "dcase2021",
            "fan/test_rename/section_00_target_test_normal_0000_x.wav",
            ("fan", None, "section_00"),
            ("normal", "test", "target", "x"),
        ),
        (
            "dcase2021",
            "fan/train/section_00_source_train_normal_0000_.wav",
            ("fan", None, "section_00"),
            ("normal", "train", "source", ""),
        ),
        ("folders", "pump-3/anomalous/x.flac", ("pump-3", None, ""), ("anomalous", None, None, "")),
        ("folders", "hall/pump/test/normal/x.wav", ("hall/pump", None, ""), ("normal", "test", None, "")),
    ],
)
def test_a_name_says_what_a_recording_is(
    layout: Layout, name: str, unit: tuple[str, int | None, str], rest: tuple[str | None, ...], tmp_path: Path
) -> None:
    touch(tmp_path, name)
    clip = only(tmp_path, layout)
    assert clip == (tmp_path / name, UnitName(*unit), *rest)


def test_the_machine_is_known_from_folders_above_the_given_one(tmp_path: Path) -> None:
    touch(tmp_path, "0_dB_fan/fan/id_02/normal/00000000.wav", "slider/train/normal_id_00_00000000.wav")
    assert only(tmp_path / "0_dB_fan/fan/id_02", "mimii").unit == ("fan", 0, "id_02")
    assert only(tmp_path / "slider/train", "dcase2020").unit == ("slider", None, "id_00")


def test_folders_of_one_machine_bear_the_root_s_name(tmp_path: Path) -> None:
    touch(tmp_path, "press/normal/a.wav", "press/anomalous/b.wav")
    data = read_dataset(tmp_path / "press", "folders")
    assert [str(name) for name in data.units] == ["press"]
    assert [clip.label for clip in data.units[UnitName("press", None, "")]] == ["anomalous", "normal"]


def test_units_are_sorted_by_machine_ratio_and_name(tmp_path: Path) -> None:
    names = ["6_dB/fan/id_00", "-6_dB/fan/id_02", "-6_dB/fan/id_00", "0_dB/fan/id_00", "0_dB/belt/id_00"]
    touch(tmp_path, *(f"{name}/normal/00000000.wav" for name in names))
    units = [str(name) for name in read_dataset(tmp_path, "mimii").units]
    assert units == ["belt 0 dB id_00", "fan -6 dB id_00", "fan -6 dB id_02", "fan 0 dB id_00", "fan 6 dB id_00"]


def test_names_that_say_too_little_are_left_out_and_named(tmp_path: Path) -> None:
    touch(tmp_path, "fan/train/normal_id_00_00000000.wav", "fan/train/normal_id_0_1.wav")
    data = read_dataset(tmp_path, "dcase2020")
    assert [str(item) for item in data.left_out] == [
        "fan/train/normal_id_0_1.wav: expected a name such as fan/train/normal_id_00_00000000.wav"
    ]


def test_folders_that_may_be_of_several_ratios_are_not_taken_together_silently(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{ratio}/fan/id_00/normal/00000000.wav" for ratio in ("minus6dB", "snr6")))
    touch(tmp_path, *(f"{ratio}_dB_pump/pump/id_00/normal/00000000.wav" for ratio in ("-6", "6")))
    data = read_dataset(tmp_path, "mimii")
    assert data.notes == [
        "fan id_00: taken together from minus6dB, snr6, none of which says its ratio as -6_dB_fan does"
    ]
    assert read_dataset(tmp_path / "minus6dB", "mimii").notes == []


def test_machines_of_one_name_in_several_data_sets_are_not_taken_together_silently(tmp_path: Path) -> None:
    for year in ("2023", "2024"):
        touch(tmp_path, f"{year}/fan/train/section_00_source_train_normal_0000.wav")
        touch(tmp_path, f"{year}/fan/test/section_00_source_test_normal_0000.wav")
    touch(tmp_path, "2023/slider/train/section_00_source_train_normal_0000.wav")
    data = read_dataset(tmp_path, "dcase2021")
    assert data.notes == ["fan section_00: taken together from 2023, 2024, as if they were one data set"]
    assert read_dataset(tmp_path / "2024", "dcase2021").notes == []


def test_recordings_that_say_nothing_beside_others_that_do_are_left_out_as_export_does(tmp_path: Path) -> None:
    touch(tmp_path, "press/normal/a.wav", "press/abnormal/b.wav", "press/strange-noise-1.wav")
    touch(tmp_path, "lathe/c.wav", "lathe/fault/d.wav")
    data = read_dataset(tmp_path, "folders")
    assert [str(item) for item in data.left_out] == [
        "press/strange-noise-1.wav: neither its name nor a folder says whether it is normal, as others' of its unit do"
    ]
    press, lathe = data.units[UnitName("press", None, "")], data.units[UnitName("lathe", None, "")]
    assert [(clip.path.name, clip.label) for clip in press] == [("b.wav", "anomalous"), ("a.wav", "normal")]
    assert [(clip.path.name, clip.label) for clip in lathe] == [("c.wav", "normal"), ("d.wav", "anomalous")]
    for name in ("press", "lathe"):
        sorted_by_export = sort_recordings(dict.fromkeys(find_recordings(tmp_path / name), tmp_path / name))
        normal = [clip.path for clip in data.units[UnitName(name, None, "")] if clip.label == "normal"]
        assert sorted_by_export.training == normal


def test_mimii_below_a_folder_of_one_label_loses_none(tmp_path: Path) -> None:
    touch(tmp_path, "fan/id_00/normal/00000000.wav", "fan/id_00/abnormal/00000000.wav")
    assert read_dataset(tmp_path / "fan/id_00", "mimii").left_out == []


def test_the_wrong_layout_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "fan/train/normal_id_00_00000000.wav")
    with pytest.raises(InputError, match="none among 1 recordings; choose another --protocol"):
        read_dataset(tmp_path, "mimii")
