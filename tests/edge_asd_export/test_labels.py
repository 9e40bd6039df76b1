"""Labels and splits by name, unlabelled evaluation sets among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.errors import InputError
from edge_asd_export.labels import label_of, sort_recordings, split_of

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
        ("pump/Fault/a.wav", "anomalous", None),
        ("pump/x.wav", "normal", None),
        ("pump/id_01_00000000.wav", "normal", None),
    ],
)
def test_names_say_label_and_split(path: str, label: str | None, split: str | None) -> None:
    assert (label_of(ROOT / path, ROOT), split_of(ROOT / path, ROOT)) == (label, split)


def test_recordings_whose_label_is_withheld_neither_train_nor_test() -> None:
    paths = [ROOT / "train/normal_id_00_00000000.wav", ROOT / "test/id_00_00000000.wav"]
    assert sort_recordings(paths, ROOT) == ([paths[0]], [], [])


def test_without_normal_recordings_there_is_nothing_to_train_on() -> None:
    with pytest.raises(InputError, match="1 recordings, all anomalous or unlabelled"):
        sort_recordings([ROOT / "test/id_00_00000000.wav"], ROOT)
