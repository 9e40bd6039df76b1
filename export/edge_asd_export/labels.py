"""Which recordings are normal, which anomalous, and which to train on: read from the layouts that this field uses.

MIMII (`fan/id_00/normal/…`), DCASE 2020 (`train/normal_id_00_00000000.wav`), DCASE 2021 and later
(`section_00_source_train_normal_0000_….wav`), any pair of folders `normal/` and `abnormal/`, and a plain folder of
recordings, which are then all normal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from edge_asd.errors import InputError

Label = Literal["normal", "anomalous"]
Split = Literal["train", "test"]

FOLDERS: dict[str, Label] = {
    "normal": "normal",
    "abnormal": "anomalous",
    "anomalous": "anomalous",
    "anomaly": "anomalous",
    "anomalies": "anomalous",
    "fault": "anomalous",
    "faults": "anomalous",
    "faulty": "anomalous",
}
"""Folders that say what is in them."""
SPLITS: dict[str, Split] = {
    "train": "train",
    "test": "test",
    "source_test": "test",
    "target_test": "test",
    "source_train": "train",
    "target_train": "train",
}
"""Folders that say what their recordings are for."""
DCASE_2020 = re.compile(r"(?:(?P<label>normal|anomaly)_)?id_(?P<id>\d{2})_(?P<number>\d{8})", re.ASCII)
"""Name of a DCASE 2020 recording; those of the evaluation set bear no label."""
DCASE_2021 = re.compile(
    r"section_(?P<section>\d{2})(?:_(?P<domain>source|target))?(?:_(?P<split>train|test))?"
    r"(?:_(?P<label>normal|anomaly))?_(?P<number>\d{4})(?:_(?P<attributes>.*))?",
    re.ASCII,
)
"""Name of a recording of DCASE 2021 and later: some lack the split, those of evaluation sets label and even domain."""
_ID_FOLDER = re.compile(r"id_\d{2}", re.ASCII)
"""Folder of one machine of several of its type, in MIMII."""


class Labelled(NamedTuple):
    """Recordings sorted by what their names say of them."""

    training: list[Path]
    """Normal recordings to train on."""
    normal: list[Path]
    """Normal recordings kept for testing."""
    anomalous: list[Path]
    """Anomalous recordings, for testing only."""
    doubtful: Sequence[Path] = ()
    """Recordings that say nothing, in a folder where others are named normal; left out."""


def sort_recordings(found: Mapping[Path, Path]) -> Labelled:
    """Sort recordings into those to train on and those to test with.

    Where no name and no folder says which recordings are normal, those that say nothing are; else they are left out, as
    faults in a folder `broken` beside a folder `normal` must be. One of an evaluation set, whose label is held back, is
    left out too. Without any `train` folder or name, every normal recording is trained on.

    Parameters
    ----------
    found
        Recordings, and for each the topmost folder whose name counts.

    Raises
    ------
    InputError
        When no normal recording is left to train on.
    """
    labels = {path: label_of(path, root) for path, root in found.items()}
    splits = {path: split_of(path, root) for path, root in found.items()}
    doubtful = find_doubtful(found)
    left_out = set(doubtful)
    normal = [path for path in found if labels[path] == "normal" and path not in left_out]
    training = (
        [path for path in normal if splits[path] == "train"] or [p for p in normal if splits[p] is None] or normal
    )
    if not training:
        raise InputError(
            str(next(iter(found.values()), "recordings")),
            expected="normal recordings to train on",
            found=f"{len(found)} recordings, all anomalous or unlabelled by name",
            remedy="name the folder of normal recordings",
        )
    chosen = set(training)
    return Labelled(
        training=training,
        normal=[path for path in normal if path not in chosen],
        anomalous=[path for path in found if labels[path] == "anomalous"],
        doubtful=doubtful,
    )


def find_doubtful(found: Mapping[Path, Path]) -> list[Path]:
    """Return the recordings that say nothing, among those of a topmost folder where others are said to be normal.

    `found` holds recordings, and for each the topmost folder whose name counts.
    """
    said = {path for path, root in found.items() if _says_label(path, root)}
    sorted_folders = {root for path, root in found.items() if path in said and label_of(path, root) == "normal"}
    return [
        path for path, root in found.items() if root in sorted_folders and path not in said and label_of(path, root)
    ]


def label_of(path: Path, root: Path) -> Label | None:
    """Return the label that a recording's name, else the nearest folder at or below `root`, gives it.

    Where neither says a thing it is normal; None where the name is that of an unlabelled test recording.
    """
    match = DCASE_2020.fullmatch(path.stem) or DCASE_2021.fullmatch(path.stem)
    if match and match["label"]:
        return "normal" if match["label"] == "normal" else "anomalous"
    by_folder = next((FOLDERS[folder] for folder in folders_above(path, root) if folder in FOLDERS), None)
    withheld = match is not None and split_of(path, root) == "test"
    return by_folder or (None if withheld else "normal")


def _says_label(path: Path, root: Path) -> bool:
    match = DCASE_2020.fullmatch(path.stem) or DCASE_2021.fullmatch(path.stem)
    by_name = bool(match and match["label"])
    # What is meant to be trained on is normal: nothing else ever is.
    return by_name or split_of(path, root) == "train" or any(folder in FOLDERS for folder in folders_above(path, root))


def split_of(path: Path, root: Path) -> Split | None:
    """Return whether a recording belongs to the training or the test set, where its name or a folder says so."""
    match = DCASE_2021.fullmatch(path.stem)
    if match and match["split"]:
        return "train" if match["split"] == "train" else "test"
    return next((SPLITS[folder] for folder in folders_above(path, root) if folder in SPLITS), None)


def section_of(path: Path) -> str:
    """Return which machine of its type a recording is of: `section_00` or `id_00` by its name, else by a folder.

    Nothing where neither says so.
    """
    match = DCASE_2021.fullmatch(path.stem) or DCASE_2020.fullmatch(path.stem)
    if match:
        return f"section_{match['section']}" if match.re is DCASE_2021 else f"id_{match['id']}"
    return next((folder for folder in reversed(path.parent.parts) if _ID_FOLDER.fullmatch(folder)), "")


def folders_above(path: Path, root: Path) -> list[str]:
    """Return the folders of a recording in small letters, nearest first; what stands above `root` does not count."""
    inside = path.relative_to(root).parent.parts if path.is_relative_to(root) else ()
    return [folder.lower() for folder in reversed((root.name, *inside))]
