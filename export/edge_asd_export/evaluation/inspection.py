"""Listens to every recording once before anything is trained, and leaves out what would spoil a figure.

A recording that cannot be read, one that stands in a unit twice, and one whose sampling rate differs from the others'
(its bandwidth would give it away) are left out and named.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import joblib
import msgspec

from edge_asd.audio import probe_recording, read_blocks
from edge_asd.errors import InputError
from edge_asd.files import write_atomically
from edge_asd.text import legible, to_json
from edge_asd_export.evaluation.datasets import Clip, LeftOut, UnitName, shown
from edge_asd_export.progress import Reporter


class Heard(msgspec.Struct, frozen=True):
    """What a recording is found to be."""

    sha256: str
    """SHA-256 of the file, hexadecimal."""
    native_rate: int = 0
    """Sampling rate, in hertz."""
    channels: int = 0
    """Number of channels."""
    seconds: float = 0.0
    """Length."""
    fault: str = ""
    """Why it cannot be used; nothing where it can."""


class Screened(NamedTuple):
    """What is fit for use."""

    units: dict[UnitName, list[Clip]]
    left_out: list[LeftOut]


_Memory = dict[str, Heard]


def listen(paths: Sequence[Path], memory: Path, *, jobs: int, reporter: Reporter) -> dict[Path, Heard]:
    """Read every recording in full; one that `memory` knows unchanged, by path, size and time, is not read again."""
    known = _recall(memory)
    stamps = {path: _stamp(path) for path in paths}
    unknown = [path for path in paths if stamps[path] not in known]
    heard = joblib.Parallel(n_jobs=jobs, return_as="generator")(joblib.delayed(hear)(path) for path in unknown)
    for path, found in zip(unknown, reporter.track(heard, "listening", len(unknown)), strict=True):
        known[stamps[path]] = found
    write_atomically(memory, to_json(known))
    return {path: known[stamp] for path, stamp in stamps.items()}


def hear(path: Path) -> Heard:
    """Read one recording to its end."""
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return Heard("", fault=f"cannot be read ({error.strerror or error})")
    try:
        info = probe_recording(path)
        samples = sum(len(block) for block in read_blocks(path, sample_rate=info.native_rate))
    except InputError as error:
        return Heard(sha256, fault=f"expected {error.expected}, found {error.found}")
    return Heard(sha256, info.native_rate, info.channels, samples / info.native_rate)


def screen(units: Mapping[UnitName, Sequence[Clip]], heard: Mapping[Path, Heard], root: Path) -> Screened:
    """Keep what can be compared: whole recordings, each once, of one sampling rate in each unit."""
    kept: dict[UnitName, list[Clip]] = {}
    left_out: list[LeftOut] = []
    for name, clips in units.items():
        whole = [clip for clip in clips if not heard[clip.path].fault]
        left_out += [LeftOut(shown(clip.path, root), heard[clip.path].fault) for clip in clips if clip not in whole]
        rate = _usual_rate(whole, heard)
        first: dict[str, Clip] = {}
        for clip in whole:
            found = heard[clip.path]
            twin = first.setdefault(found.sha256, clip)
            if found.native_rate != rate:
                left_out.append(
                    LeftOut(
                        shown(clip.path, root),
                        f"{found.native_rate} Hz among recordings of {rate} Hz, which would give it away",
                    )
                )
            elif twin is not clip:
                left_out.append(LeftOut(shown(clip.path, root), f"the very recording {shown(twin.path, root)} again"))
        kept[name] = [
            clip for clip in whole if heard[clip.path].native_rate == rate and first[heard[clip.path].sha256] is clip
        ]
    return Screened(kept, left_out)


def too_short(clips: Iterable[Clip], heard: Mapping[Path, Heard], seconds: float, root: Path) -> list[LeftOut]:
    """Name the recordings that are shorter than a recipe's horizon, in seconds."""
    return [
        LeftOut(shown(clip.path, root), f"{heard[clip.path].seconds:.6g} s, shorter than the horizon of {seconds:g} s")
        for clip in clips
        if heard[clip.path].seconds < seconds
    ]


def _usual_rate(clips: Sequence[Clip], heard: Mapping[Path, Heard]) -> int:
    # Of two rates met equally often, the lower.
    counts = Counter(heard[clip.path].native_rate for clip in clips)
    return min(counts, key=lambda rate: (-counts[rate], rate), default=0)


def _recall(memory: Path) -> _Memory:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=_Memory)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return legible(str(path))
    return f"{legible(str(path.absolute()))}|{status.st_size}|{status.st_mtime_ns}"
