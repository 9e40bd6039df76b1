"""Reads a data set as it is published: one typed record per recording, grouped into the units that get a model each.

Known are MIMII (`-6_dB_fan/fan/id_00/normal/00000000.wav`, of one channel or of eight), DCASE 2020
(`fan/train/normal_id_00_00000000.wav`), DCASE 2021 (`fan/source_test/section_00_source_test_normal_0000_….wav`), DCASE
2022 and later, and anybody's own folders `normal/` beside `anomalous/`. What a recording is stands in its name and
folders alone. One that says nothing is normal in a unit where none is said to be, as it is to `export`; else what is
not said is never guessed: the recording is left out, and said to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from edge_asd.audio import find_recordings
from edge_asd.audio.labels import (
    DCASE_2020,
    DCASE_2021,
    SPLITS,
    WORDS,
    Label,
    Split,
    label_of,
    split_of,
    tell_apart,
)
from edge_asd.errors import InputError
from edge_asd.text import legible

Layout = Literal["mimii", "dcase2020", "dcase2021", "folders"]
"""How names and folders say what a recording is; `dcase2021` is the layout of 2021 and of all years since."""
Domain = Literal["source", "target"]

_MIMII = re.compile(
    r"(?P<outer>[^/]*)/(?P<inner>[^/]+)/id_(?P<id>\d{2})/(?P<label>normal|abnormal)/(?P<number>\d{8})\.wav$", re.ASCII
)
_RATIO = re.compile(r"(?P<snr>-?\d+|min\d+)_?dB(?:_(?P<machine>\w+))?", re.ASCII | re.IGNORECASE)
"""Folder of a signal-to-noise ratio in MIMII, around a machine's folder, inside of it, or both at once."""
_EXPECTED_NAMES: dict[Layout, str] = {
    "mimii": "a name such as fan/id_00/normal/00000000.wav",
    "dcase2020": "a name such as fan/train/normal_id_00_00000000.wav",
    "dcase2021": "a name such as fan/train/section_00_source_train_normal_0000.wav",
    "folders": "a recording",
}
_DOUBTFUL = "neither its name nor a folder says whether it is normal, as others' of its unit do"


class UnitName(NamedTuple):
    """What gets a model of its own; units sort by machine, then signal-to-noise ratio, then name."""

    machine: str
    """Machine type, such as `fan`; of one's own folders, the folder."""
    snr_db: int | None
    """Signal-to-noise ratio in decibels, where the data set has several."""
    name: str
    """`id_00`, `section_00`, or nothing."""

    def __str__(self) -> str:
        """Return it as tables name it, such as `fan -6 dB id_00`."""
        snr = [] if self.snr_db is None else [f"{self.snr_db} dB"]
        return " ".join([self.machine, *snr, *([self.name] if self.name else [])])

    @property
    def sort_key(self) -> tuple[str, int, str]:
        """What units are sorted by."""
        return (self.machine, -1000 if self.snr_db is None else self.snr_db, self.name)


class Clip(NamedTuple):
    """One recording, and what its name and folders say of it."""

    path: Path
    """The file."""
    unit: UnitName
    """The unit it belongs to."""
    label: Label | None
    """None where the data set holds it back."""
    split: Split | None = None
    """Training or test set, where the data set says so."""
    domain: Domain | None = None
    """Domain, from DCASE 2021 on."""
    attributes: str = ""
    """What else the name says, from DCASE 2021 on."""


class LeftOut(NamedTuple):
    """Something that is in no figure, and why."""

    what: str
    """A recording, a unit or a part of one."""
    reason: str
    """Why."""

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.what}: {self.reason}"


class DataSet(NamedTuple):
    """The recordings of a data set, by the units that they belong to."""

    root: Path
    """Its folder."""
    units: dict[UnitName, list[Clip]]
    """Clips of each unit, in the order of their paths."""
    left_out: list[LeftOut]
    """Recordings whose names and folders say too little."""
    notes: list[str]
    """What is taken together though it may not belong so."""


def read_dataset(root: Path, layout: Layout) -> DataSet:
    """Find the recordings below `root` that a layout knows.

    Raises
    ------
    InputError
        When `root` cannot be read, or nothing in it has that layout.
    """
    clips: list[Clip] = []
    left_out: list[LeftOut] = []
    for path in find_recordings(root):
        clip = read_name(path, root, layout)
        if clip:
            clips.append(clip)
        else:
            left_out.append(LeftOut(shown(path, root), f"expected {_EXPECTED_NAMES[layout]}"))
    if not clips:
        raise InputError(
            str(root),
            expected=_EXPECTED_NAMES[layout],
            found=f"none among {len(left_out)} recordings",
            remedy="choose another --protocol",
        )
    units = group(clips)
    # MIMII's names are known by more folders than those below the root, and always say it.
    doubtful = set() if layout == "mimii" else {path for clips in units.values() for path in _doubtful(clips, root)}
    left_out += [LeftOut(shown(path, root), _DOUBTFUL) for path in sorted(doubtful)]
    units = {name: [clip for clip in clips if clip.path not in doubtful] for name, clips in units.items()}
    return DataSet(root, units, left_out, [] if layout == "folders" else _gathered(units, layout, root))


def _gathered(units: dict[UnitName, list[Clip]], layout: Layout, root: Path) -> list[str]:
    """Say which units come from several places, which may be those of several ratios or years."""
    notes: list[str] = []
    for name, clips in units.items():
        places = dict.fromkeys(_place(clip.path, layout) for clip in clips)
        if len(places) > 1:
            listed = ", ".join(shown(place, root.absolute()) for place in places)
            nameless = layout == "mimii" and name.snr_db is None
            doubt = "none of which says its ratio as -6_dB_fan does" if nameless else "as if they were one data set"
            notes.append(f"{name}: taken together from {listed}, {doubt}")
    return notes


def _place(path: Path, layout: Layout) -> Path:
    """Return the folder in which a machine's folder lies."""
    return path.absolute().parents[3] if layout == "mimii" else _machine_folder(path).parent


def _doubtful(clips: Sequence[Clip], root: Path) -> list[Path]:
    return tell_apart({clip.path: root for clip in clips}).doubtful


def group(clips: Sequence[Clip]) -> dict[UnitName, list[Clip]]:
    """Return clips by unit; units are sorted, clips stay in their order."""
    names = sorted({clip.unit for clip in clips}, key=lambda name: name.sort_key)
    units: dict[UnitName, list[Clip]] = {name: [] for name in names}
    for clip in clips:
        units[clip.unit].append(clip)
    return units


def by_machine(units: Iterable[UnitName]) -> list[list[UnitName]]:
    """Return units in groups of one machine at one signal-to-noise ratio, in their order."""
    groups: dict[tuple[str, int | None], list[UnitName]] = {}
    for unit in units:
        groups.setdefault((unit.machine, unit.snr_db), []).append(unit)
    return list(groups.values())


def read_name(path: Path, root: Path, layout: Layout) -> Clip | None:
    """Return what a recording's name and folders say in a layout; None where they do not have it."""
    if layout == "mimii":
        return _read_mimii(path)
    if layout == "folders":
        return Clip(path, _folder_unit(path, root), label_of(path, root), split_of(path, root))
    match = (DCASE_2020 if layout == "dcase2020" else DCASE_2021).fullmatch(path.stem)
    if match is None:
        return None
    label, split = label_of(path, root), split_of(path, root)
    machine = legible(_machine_folder(path).name)
    if layout == "dcase2020":
        return Clip(path, UnitName(machine, None, f"id_{match['id']}"), label, split)
    domain = _domain(match["domain"] or path.parent.name.lower())
    unit = UnitName(machine, None, f"section_{match['section']}")
    return Clip(path, unit, label, split, domain, match["attributes"] or "")


def shown(path: Path, root: Path) -> str:
    """Return a path as it is named in tables: below `root`, where it is."""
    inside = path.is_relative_to(root) and path != root
    return legible(path.relative_to(root).as_posix() if inside else str(path))


def _read_mimii(path: Path) -> Clip | None:
    # The folders above the root count too: `evaluate mimii/fan/id_00` is to know the machine.
    match = _MIMII.search(path.absolute().as_posix())
    if match is None:
        return None
    inner, outer = (_RATIO.fullmatch(match[name]) for name in ("inner", "outer"))
    ratio = inner or outer
    # Nothing stands around a folder at the very top.
    machine = (inner["machine"] or match["outer"] or match["inner"]) if inner else match["inner"]
    snr_db = int(ratio["snr"].lower().replace("min", "-")) if ratio else None
    label: Label = "normal" if match["label"] == "normal" else "anomalous"
    return Clip(path, UnitName(legible(machine), snr_db, f"id_{match['id']}"), label)


def _machine_folder(path: Path) -> Path:
    return next(folder for folder in path.absolute().parents if folder.name.lower() not in {*SPLITS, *WORDS})


def _domain(word: str) -> Domain | None:
    """Read the domain of a name, or of a folder such as `source_test`."""
    if word.startswith("source"):
        return "source"
    return "target" if word.startswith("target") else None


def _folder_unit(path: Path, root: Path) -> UnitName:
    """Return the unit of a recording in one's own folders: where it lies, but for folders of labels and splits."""
    folder = path.parent if path != root else root.parent
    inside = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
    kept = [part for part in inside if part.lower() not in {*SPLITS, *WORDS}]
    return UnitName(legible("/".join(kept) or _machine_folder(root / "x").name), None, "")
