"""Simulated recordings in files, laid out as real ones are: a folder of normal ones, a folder of abnormal ones."""

from __future__ import annotations

import os
from pathlib import Path

import soundfile
from numpy.typing import ArrayLike

from edge_asd_export.progress import SILENT, Reporter
from edge_asd_export.simulation.chance import Chance
from edge_asd_export.simulation.machine import FaultKind, Machine
from edge_asd_export.simulation.render import simulate


def write_recordings(
    folder: str | os.PathLike[str],
    machine: Machine,
    count: int,
    seconds: float,
    *,
    seed: int,
    snr_db: float = 0.0,
    fault: FaultKind | None = None,
    severity: ArrayLike = 1.0,
    gain_db: float = 0.0,
    reporter: Reporter = SILENT,
) -> list[Path]:
    """Write recordings of different stretches of one machine as 16-bit WAV files.

    Parameters
    ----------
    folder
        Where the folders ``normal`` (no fault) or ``abnormal`` go; files of the same name are replaced.
    machine
        Which machine.
    count
        How many recordings.
    seconds
        Length of each.
    seed
        Which set of stretches; normal and abnormal ones never share a stretch.
    snr_db, fault, severity, gain_db
        As for :func:`~edge_asd_export.simulation.render.simulate`.
    reporter
        Shows how many are done.

    Returns
    -------
    list[Path]
        ``FOLDER/normal/00000000.wav`` and so on.
    """
    target = Path(folder) / ("normal" if fault is None else "abnormal")
    target.mkdir(parents=True, exist_ok=True)
    paths = [target / f"{number:08d}.wav" for number in range(count)]
    label = "simulating normal sound" if fault is None else "simulating a fault"
    for number, path in enumerate(reporter.track(paths, label)):
        samples = simulate(
            machine,
            seconds,
            seed=Chance.of(fault or "normal", seed, number).key,
            snr_db=snr_db,
            fault=fault,
            severity=severity,
            gain_db=gain_db,
        )
        soundfile.write(path, samples, machine.sample_rate, subtype="PCM_16")
    return paths
