"""From excitations to samples, one segment after another.

Source, path, receiver: in each segment every excitation is made, multiplied by its level, transformed, and multiplied
by the spectrum of its path to the microphone; the sum is transformed back once, and what rings on beyond the segment is
added to the next (overlap-add: Oppenheim and Schafer, "Discrete-Time Signal Processing", section 8.7). As segments
stand at fixed places from the start of the stretch, the samples do not depend on the blocks in which they are asked
for, a shorter stretch is the beginning of a longer one, and memory does not grow.

The segment before the start is rendered too and all but its ringing thrown away: a recording begins in a room that
already sounds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_asd.errors import InputError
from edge_asd_export.simulation.machine import FaultKind, Machine
from edge_asd_export.simulation.motion import Segment
from edge_asd_export.simulation.path import Response
from edge_asd_export.simulation.scene import Group, Hear, Scene, checked_severity

NORMAL_LEVEL_DBFS = -42.0
"""RMS of normal machine and noise together at 0 dB gain, in dB relative to 1: that of recordings made with a microphone
whose range was set so that the loudest click or bang still fits (MIMII's lie at -45 to -35)."""


def simulate(
    machine: Machine,
    seconds: float,
    *,
    seed: int,
    snr_db: float = 0.0,
    fault: FaultKind | None = None,
    severity: ArrayLike = 1.0,
    gain_db: float = 0.0,
    hear: Hear = "everything",
) -> NDArray[np.float32]:
    """Simulate a stretch of a machine's sound.

    Parameters
    ----------
    machine
        Which machine.
    seconds
        How long; a shorter stretch is the beginning of a longer one.
    seed
        Which stretch of that machine's life.
    snr_db
        Long-run power of the normal machine over that of the factory noise, in dB; infinity leaves the noise out.
        A stretch of some seconds departs from it by a decibel or two, as load and noise drift.
    fault
        What is wrong; see :func:`~edge_asd_export.simulation.machine.faults_of` and
        :mod:`~edge_asd_export.simulation.faults` for each fault's level. It changes neither the noise nor what is
        random in the machine's own sound.
    severity
        0 to 1 (-1 to 1 for ``level``), constant or at equally spaced times from start to end of the stretch, with
        straight lines between. At 0 the samples are exactly those without a fault.
    gain_db
        Gain of the microphone, in dB.
    hear
        ``everything``, or the ``machine`` (with its fault) or the ``noise`` alone; these two add up to everything.

    Returns
    -------
    NDArray[np.float32]
        Shape ``(round(seconds * machine.sample_rate),)``, within [-1, 1]; the normal mixture has an RMS of -42 dBFS at
        0 dB gain. Up to 6 dB of gain nothing is clipped; beyond, peaks are, as in a converter.

    Raises
    ------
    InputError
        When the length, the fault or the severity is impossible.
    """
    if not math.isfinite(seconds):
        raise InputError("seconds", expected="a finite length", found=repr(seconds), remedy="use stream() instead")
    blocks = stream(
        machine,
        seconds,
        seed=seed,
        snr_db=snr_db,
        fault=fault,
        severity=severity,
        gain_db=gain_db,
        hear=hear,
        block=machine.segment_length,
    )
    samples = np.empty(round(seconds * machine.sample_rate), np.float32)
    first = 0
    for block in blocks:
        samples[first : first + block.size] = block
        first += block.size
    return samples


def stream(
    machine: Machine,
    seconds: float = math.inf,
    *,
    seed: int,
    snr_db: float = 0.0,
    fault: FaultKind | None = None,
    severity: ArrayLike = 1.0,
    gain_db: float = 0.0,
    hear: Hear = "everything",
    block: int = 16_000,
) -> Iterator[NDArray[np.float32]]:
    """Simulate a stretch of any length in blocks, in bounded memory.

    Parameters
    ----------
    machine, seconds, seed, snr_db, fault, severity, gain_db, hear
        As for :func:`simulate`; `seconds` may be infinite unless the severity is an array.
    block
        Samples in each block; the last may be shorter. It never changes the samples.

    Yields
    ------
    NDArray[np.float32]
        Shape ``(block,)``.

    Raises
    ------
    InputError
        At once, when the length, the fault or the severity is impossible.
    """
    if not seconds > 0:
        raise InputError("seconds", expected="more than 0", found=repr(seconds))
    if block < 1:
        raise InputError("block", expected="1 sample or more", found=repr(block))
    course = checked_severity(machine, seconds, fault, severity)
    scene = Scene(machine, seed=seed, snr_db=snr_db, fault=fault, severity=course, hear=hear)
    scale = 10 ** ((NORMAL_LEVEL_DBFS + gain_db - scene.mixture_db) / 20)
    count = None if math.isinf(seconds) else round(seconds * machine.sample_rate)
    return _cut(rendered(machine, scene.groups(), scale), block, count)


def rendered(machine: Machine, groups: Sequence[Group], scale: float) -> Iterator[NDArray[np.float32]]:
    """Render segment after segment, without end.

    Parameters
    ----------
    machine
        Gives the lengths of segment, tail and transform.
    groups
        What is to be heard.
    scale
        Factor on the sum.

    Yields
    ------
    NDArray[np.float32]
        Shape ``(machine.segment_length,)``, within [-1, 1].
    """
    ringing = np.zeros(machine.tail)
    for index in itertools.count(-1):
        segment = Segment(index, machine.segment_length, machine.sample_rate)
        sound = np.fft.irfft(_spectrum(groups, segment, machine.fft_length), machine.fft_length)
        sound[: machine.tail] += ringing
        ringing = sound[machine.segment_length :].copy()
        if index >= 0:
            yield np.clip(scale * sound[: machine.segment_length], -1.0, 1.0).astype(np.float32)


def _spectrum(groups: Sequence[Group], segment: Segment, fft_length: int) -> Response:
    total = np.zeros(fft_length // 2 + 1, np.complex128)
    for group in groups:
        swell = group.swell(segment)
        if swell is None:
            continue
        for source in group.sources:
            sound = source.sound(segment)
            if sound is not None:
                total += np.fft.rfft(sound * swell, fft_length) * source.response
    return total


def _cut(segments: Iterator[NDArray[np.float32]], block: int, count: int | None) -> Iterator[NDArray[np.float32]]:
    """Cut segments into blocks, up to so many samples in all."""
    waiting = np.empty(0, np.float32)
    while count is None or count > 0:
        wanted = block if count is None else min(block, count)
        parts = [waiting]
        while sum(part.size for part in parts) < wanted:
            parts.append(next(segments))
        joined = np.concatenate(parts)
        yield joined[:wanted]
        waiting = joined[wanted:]
        count = None if count is None else count - wanted
