"""Which recordings are normal and which anomalous, by their names: read from the layouts that this field uses.

MIMII (`fan/id_00/normal/…`), DCASE 2020 (`train/normal_id_00_00000000.wav`), DCASE 2021 and later
(`section_00_source_train_normal_0000_….wav`), any pair of folders `normal/` and `abnormal/`, names of one's own with
such a word in them (`anomaly_001.wav`), and a plain folder of recordings, which are then all normal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

Label = Literal["normal", "anomalous"]
Split = Literal["train", "test"]

WORDS: dict[str, Label] = {
    "normal": "normal",
    "abnormal": "anomalous",
    "anomalous": "anomalous",
    "anomaly": "anomalous",
    "anomalies": "anomalous",
    "fault": "anomalous",
    "faults": "anomalous",
    "faulty": "anomalous",
    "broken": "anomalous",
    "damaged": "anomalous",
    "defect": "anomalous",
    "defects": "anomalous",
    "defective": "anomalous",
    "healthy": "normal",
}
"""What a folder that is called so holds, or a recording whose name has such a word in it."""
SPLITS: dict[str, Split] = {
    "train": "train",
    "test": "test",
    "source_test": "test",
    "target_test": "test",
    "source_train": "train",
    "target_train": "train",
    "test_rename": "test",
}
"""Folders that say what their recordings are for; `test_rename` holds an evaluation set once its labels are out."""
DCASE_2020 = re.compile(r"(?:(?P<label>normal|anomaly)_)?id_(?P<id>\d{2})_(?P<number>\d{8})", re.ASCII)
"""Name of a DCASE 2020 recording; those of the evaluation set bear no label."""
DCASE_2021 = re.compile(
    r"section_(?P<section>\d{2})(?:_(?P<domain>source|target))?(?:_(?P<split>train|test))?"
    r"(?:_(?P<label>normal|anomaly))?_(?P<number>\d{4})(?:_(?P<attributes>.*))?",
    re.ASCII,
)
"""Name of a recording of DCASE 2021 and later: some lack the split, those of evaluation sets label and even domain."""

_DENIED_AFTER = frozenset({"no", "non", "not", "without"})
_DENIED_BEFORE = frozenset({"free"})
_BETWEEN_WORDS = re.compile(r"[\W\d_]+")


class ToldApart(NamedTuple):
    """Recordings by what their names say of them, each in the order in which they were found."""

    normal: list[Path]
    """Normal by name, or for want of a name that says anything."""
    anomalous: list[Path]
    """Anomalous by name."""
    doubtful: list[Path]
    """They say nothing, in a folder where others are named normal; or contradict themselves."""
    withheld: list[Path]
    """Of an evaluation set, whose labels are held back."""


def tell_apart(found: Mapping[Path, Path]) -> ToldApart:
    """Tell normal recordings from anomalous ones by their names.

    Where no name and no folder says which recordings are normal, those that say nothing are; else they are doubtful, as
    faults in a folder `whistling` beside a folder `normal` must be.

    Parameters
    ----------
    found
        Recordings, and for each the topmost folder whose name counts.
    """
    labels = {path: label_of(path, root) for path, root in found.items()}
    torn = {path for path, root in found.items() if _contradicts_itself(path, root)}
    said = {path for path, root in found.items() if _says_label(path, root)}
    sorted_folders = {root for path, root in found.items() if path in said and labels[path] == "normal"}
    silent = {path for path, root in found.items() if root in sorted_folders and path not in said and labels[path]}
    doubtful = [path for path in found if path in silent | torn]
    left_out = set(doubtful)
    return ToldApart(
        normal=[path for path in found if labels[path] == "normal" and path not in left_out],
        anomalous=[path for path in found if labels[path] == "anomalous"],
        doubtful=doubtful,
        withheld=[path for path in found if labels[path] is None and path not in torn],
    )


def label_of(path: Path, root: Path) -> Label | None:
    """Return the label that a recording's name gives it, or the nearest folder at or below `root`.

    A name of DCASE counts first, then folders, then a word in any other name. Where none says a thing it is normal;
    None where the name is that of an unlabelled test recording, or contradicts itself.
    """
    match = _dcase(path)
    if match and match["label"]:
        return "normal" if match["label"] == "normal" else "anomalous"
    by_folder = _label_of_folders(path, root)
    if by_folder:
        return by_folder
    if match:
        return None if split_of(path, root) == "test" else "normal"
    words = _labels_of_words(path.stem)
    return None if len(words) > 1 else next(iter(words), "normal")


def _says_label(path: Path, root: Path) -> bool:
    match = _dcase(path)
    by_name = bool(match["label"] if match else len(_labels_of_words(path.stem)) == 1)
    # What is meant to be trained on is normal: nothing else ever is.
    return by_name or split_of(path, root) == "train" or _label_of_folders(path, root) is not None


def _contradicts_itself(path: Path, root: Path) -> bool:
    unsaid = _dcase(path) is None and _label_of_folders(path, root) is None
    return unsaid and len(_labels_of_words(path.stem)) > 1


def _dcase(path: Path) -> re.Match[str] | None:
    return DCASE_2020.fullmatch(path.stem) or DCASE_2021.fullmatch(path.stem)


def _labels_of_words(name: str) -> set[Label]:
    """Return what the words of a name say: nothing, one label, or both; `abnormality` is another word."""
    words = [word for word in _BETWEEN_WORDS.split(name.lower()) if word]
    labels = {WORDS[word] for word in words if word in WORDS}
    # `not normal` is no normal, and `no anomaly` or `fault-free` may be the name of a test: none is to be relied on.
    denied = any(
        (first in _DENIED_AFTER and second in WORDS) or (first in WORDS and second in _DENIED_BEFORE)
        for first, second in pairwise(words)
    )
    return {"normal", "anomalous"} if denied else labels


def split_of(path: Path, root: Path) -> Split | None:
    """Return whether a recording belongs to the training or the test set, where its name or a folder says so."""
    match = DCASE_2021.fullmatch(path.stem)
    if match and match["split"]:
        return "train" if match["split"] == "train" else "test"
    names = (name for folder in _folders_above(path, root) for name in folder)
    return next((SPLITS[name] for name in names if name in SPLITS), None)


def _label_of_folders(path: Path, root: Path) -> Label | None:
    for names in _folders_above(path, root):
        labels = {WORDS[name] for name in names if name in WORDS}
        if labels:
            # Nothing that either name of a link calls anomalous may be taken for normal.
            return "anomalous" if "anomalous" in labels else "normal"
    return None


def _folders_above(path: Path, root: Path) -> Iterator[tuple[str, ...]]:
    """Give the names of a recording's folders, nearest first; what stands above `root` does not count."""
    inside = path.relative_to(root).parent.parts if path.is_relative_to(root) else ()
    for depth in range(len(inside), -1, -1):
        yield _names(root.joinpath(*inside[:depth]))


def _names(folder: Path) -> tuple[str, ...]:
    """Return the names of a folder in small letters: a link has its own and that of what it leads to."""
    # However it is spelled, it is the same folder: `.` and `..` are no names.
    has_name = folder.name not in {"", ".."}
    spelled = (folder.name.lower(),) if has_name else ()
    return spelled if has_name and not folder.is_symlink() else (*spelled, folder.resolve().name.lower())
