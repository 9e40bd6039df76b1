"""Which recordings are normal, which anomalous, and which to train on: read from the layouts that this field uses.

MIMII (`fan/id_00/normal/…`), DCASE 2020 (`train/normal_id_00_00000000.wav`), DCASE 2021 and later
(`section_00_source_train_normal_0000_….wav`), any pair of folders `normal/` and `abnormal/`, and a plain folder of
recordings, which are then all normal.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from edge_asd.errors import InputError

Label = Literal["normal", "anomalous"]
Split = Literal["train", "test"]

_FOLDERS: dict[str, Label] = {
    "normal": "normal",
    "abnormal": "anomalous",
    "anomalous": "anomalous",
    "anomaly": "anomalous",
    "fault": "anomalous",
    "faulty": "anomalous",
}
_SPLITS: dict[str, Split] = {
    "train": "train",
    "test": "test",
    "source_test": "test",
    "target_test": "test",
    "source_train": "train",
    "target_train": "train",
}
_DCASE_2020 = re.compile(r"(?P<label>normal|anomaly)_id_\d{2}_\d{8}", re.ASCII)
_DCASE_2021 = re.compile(
    r"section_\d{2}_(?:source|target)_(?:(?P<split>train|test)_)?(?P<label>normal|anomaly)_\d{4}(?:_.*)?", re.ASCII
)


class Labelled(NamedTuple):
    """Recordings sorted by what their names say of them."""

    training: list[Path]
    """Normal recordings to train on."""
    normal: list[Path]
    """Normal recordings kept for testing."""
    anomalous: list[Path]
    """Anomalous recordings, for testing only."""


def sort_recordings(paths: list[Path], root: Path) -> Labelled:
    """Sort recordings below `root` into those to train on and those to test with.

    A recording whose name and folders say nothing is normal. Without any `train` folder or name, every normal
    recording is trained on.

    Raises
    ------
    InputError
        When no normal recording is left to train on.
    """
    labels = {path: label_of(path, root) for path in paths}
    splits = {path: split_of(path, root) for path in paths}
    normal = [path for path in paths if labels[path] == "normal"]
    training = (
        [path for path in normal if splits[path] == "train"] or [p for p in normal if splits[p] is None] or normal
    )
    if not training:
        raise InputError(
            str(root),
            expected="normal recordings to train on",
            found=f"{len(paths)} recordings, all anomalous by name",
            remedy="name the folder of normal recordings",
        )
    chosen = set(training)
    return Labelled(
        training=training,
        normal=[path for path in normal if path not in chosen],
        anomalous=[path for path in paths if labels[path] == "anomalous"],
    )


def label_of(path: Path, root: Path) -> Label:
    """Return the label that a recording's name, else the nearest folder at or below `root`, gives it."""
    for pattern in (_DCASE_2020, _DCASE_2021):
        match = pattern.fullmatch(path.stem)
        if match:
            return "normal" if match["label"] == "normal" else "anomalous"
    return next((_FOLDERS[folder] for folder in _folders(path, root) if folder in _FOLDERS), "normal")


def split_of(path: Path, root: Path) -> Split | None:
    """Return whether a recording belongs to the training or the test set, where its name or a folder says so."""
    match = _DCASE_2021.fullmatch(path.stem)
    if match and match["split"]:
        return "train" if match["split"] == "train" else "test"
    return next((_SPLITS[folder] for folder in _folders(path, root) if folder in _SPLITS), None)


def _folders(path: Path, root: Path) -> list[str]:
    # Nearest first; `root` itself counts, what stands above it does not.
    inside = path.relative_to(root).parent.parts if path.is_relative_to(root) else ()
    return [folder.lower() for folder in reversed((root.name, *inside))]
