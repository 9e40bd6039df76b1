"""Which recordings to train on and which to test with; what a name says stands in `edge_asd.audio.labels`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from edge_asd.audio.labels import DCASE_2020, DCASE_2021, split_of, tell_apart
from edge_asd.errors import InputError

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
    """Recordings that say nothing, in a folder where others are named normal, or contradict themselves; left out."""


def sort_recordings(found: Mapping[Path, Path]) -> Labelled:
    """Sort recordings into those to train on and those to test with.

    What is doubtful is left out, and so is what belongs to an evaluation set whose labels are held back. Where no
    folder and no name says `train`, the normal recordings are trained on that none keeps for testing; all of them,
    where every one is kept for it.

    Parameters
    ----------
    found
        Recordings, and for each the topmost folder whose name counts.

    Raises
    ------
    InputError
        When no normal recording is left to train on.
    """
    told = tell_apart(found)
    splits = {path: split_of(path, found[path]) for path in told.normal}
    training = (
        [path for path in told.normal if splits[path] == "train"]
        or [path for path in told.normal if splits[path] is None]
        or told.normal
    )
    if not training:
        raise InputError(
            str(next(iter(found.values()), "recordings")),
            expected="normal recordings to train on",
            found=f"{len(found)} recordings, all anomalous or unlabelled by name",
            remedy="name their folder normal/ if they are normal, or name a folder of such",
        )
    chosen = set(training)
    return Labelled(
        training=training,
        normal=[path for path in told.normal if path not in chosen],
        anomalous=told.anomalous,
        doubtful=told.doubtful,
    )


def section_of(path: Path) -> str:
    """Return which machine of its type a recording is of: `section_00` or `id_00` by its name, else by a folder.

    Nothing where neither says so.
    """
    match = DCASE_2021.fullmatch(path.stem) or DCASE_2020.fullmatch(path.stem)
    if match:
        return f"section_{match['section']}" if match.re is DCASE_2021 else f"id_{match['id']}"
    # From inside a machine's folder, too, its recordings are its own.
    folders = Path(os.path.normpath(path.absolute())).parent.parts
    return next((folder for folder in reversed(folders) if _ID_FOLDER.fullmatch(folder)), "")
