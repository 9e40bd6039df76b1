"""Listens to every recording once before anything is trained, and leaves out what would spoil a figure.

A recording that cannot be read or is silent, one whose sound the same model would meet twice, and one whose sampling
rate differs from the others' (its bandwidth would give it away) are left out and named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import joblib
import msgspec

from edge_asd.audio import Channel, Fingerprint, probe_recording, read_blocks
from edge_asd.errors import InputError
from edge_asd.files import write_atomically
from edge_asd.text import legible, to_json
from edge_asd_export.evaluation.datasets import Clip, LeftOut, UnitName, shown
from edge_asd_export.progress import Reporter


class Heard(msgspec.Struct, frozen=True):
    """What one channel of a recording is found to be."""

    sound: str = ""
    """SHA-256 of its samples, hexadecimal: the same whatever file they are in."""
    native_rate: int = 0
    """Sampling rate, in hertz."""
    seconds: float = 0.0
    """Length."""
    fault: str = ""
    """Why it cannot be used; nothing where it can."""


class Screened(NamedTuple):
    """What is fit for use."""

    units: dict[UnitName, list[Clip]]
    left_out: list[LeftOut]


_Memory = dict[str, Heard]


def listen(
    paths: Sequence[Path], channel: Channel, memory: Path, *, jobs: int, reporter: Reporter
) -> dict[Path, Heard]:
    """Read a channel of every recording in full.

    One that `memory` knows unchanged, by path, size and time, is not read again. One at fault always is, for what the
    reader met may pass, as an error of a disk or of the network does.
    """
    known = _recall(memory)
    stamps = {path: f"{_stamp(path)}|{channel}" for path in paths}
    unknown = [path for path in paths if stamps[path] not in known]
    heard = joblib.Parallel(n_jobs=jobs, return_as="generator")(joblib.delayed(hear)(path, channel) for path in unknown)
    for path, found in zip(unknown, reporter.track(heard, "listening", len(unknown)), strict=True):
        known[stamps[path]] = found
    write_atomically(memory, to_json({stamp: found for stamp, found in known.items() if not found.fault}))
    return {path: known[stamp] for path, stamp in stamps.items()}


def hear(path: Path, channel: Channel) -> Heard:
    """Read one channel of a recording to its end."""
    fingerprint = Fingerprint()
    try:
        rate = probe_recording(path).native_rate
        blocks = read_blocks(path, channel=channel, sample_rate=rate)
        samples = sum(len(block) for block in fingerprint.passing(blocks))
    except InputError as error:
        return Heard(fault=error.fault)
    # Of a dead microphone no model is made, and a whole split would fail for it.
    fault = "silence from end to end" if fingerprint.silent else ""
    return Heard(fingerprint.digest.hex(), rate, samples / rate, fault)


def screen(
    units: Mapping[UnitName, Sequence[Clip]], heard: Mapping[Path, Heard], root: Path, *, together: bool
) -> Screened:
    """Keep what can be compared: whole recordings, of one sampling rate in each unit, and no sound twice.

    Where one model serves all units `together`, no sound may be in two of them either: it could train and test.
    """
    kept: dict[UnitName, list[Clip]] = {name: [] for name in units}
    left_out: list[LeftOut] = []
    first: dict[tuple[str, int], Clip] = {}
    for name, clips in units.items():
        rate = _usual_rate(clips, heard)
        first = first if together else {}
        # Once labels are out, a set that held them back may lie beside its labelled copy, which says more.
        for clip in sorted(clips, key=lambda clip: clip.label is None):
            found = heard[clip.path]
            reason = found.fault or _unlike(found, rate)
            twin = clip if reason else first.setdefault((found.sound, found.native_rate), clip)
            if twin is not clip:
                reason = f"the sound of {shown(twin.path, root)} again"
            if reason:
                left_out.append(LeftOut(shown(clip.path, root), reason))
            else:
                kept[name].append(clip)
    return Screened(kept, left_out)


def _unlike(found: Heard, rate: int) -> str:
    if found.native_rate == rate:
        return ""
    return f"{found.native_rate} Hz among recordings of {rate} Hz, which would give it away"


def too_short(clips: Iterable[Clip], heard: Mapping[Path, Heard], seconds: float, root: Path) -> list[LeftOut]:
    """Name the recordings that are shorter than a recipe's horizon, in seconds."""
    return [
        LeftOut(
            shown(clip.path, root),
            f"{heard[clip.path].seconds:.6g} s, shorter than the horizon of {seconds:g} s (--set horizon.seconds)",
        )
        for clip in clips
        if heard[clip.path].seconds < seconds
    ]


def _usual_rate(clips: Sequence[Clip], heard: Mapping[Path, Heard]) -> int:
    # Of two rates met equally often, the lower.
    counts = Counter(heard[clip.path].native_rate for clip in clips if not heard[clip.path].fault)
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
