"""The recordings of a scenario: normal sound to learn from, and the stretch in which the fault grows."""

from __future__ import annotations

from pathlib import Path

import soundfile

from edge_asd.errors import InputError
from edge_asd_export.demo.scenario import Scenario
from edge_asd_export.progress import SILENT, Reporter
from edge_asd_export.simulation import stream


def write_stretch(path: Path, scenario: Scenario, reporter: Reporter = SILENT) -> None:
    """Write the stretch in which the fault grows as a 16-bit WAV file.

    Parameters
    ----------
    path
        File to write.
    scenario
        What is to be heard. The stretch is another one of the machine's life than any recording that is learnt from.
    reporter
        Shows how many seconds are done.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    machine, seconds = scenario.machine, scenario.lengths.seconds
    blocks = stream(
        machine,
        seconds,
        seed=scenario.seed,
        snr_db=scenario.snr_db,
        fault=scenario.fault,
        severity=scenario.course(),
        block=machine.sample_rate,
    )
    try:
        with soundfile.SoundFile(path, "w", machine.sample_rate, 1, "PCM_16") as file:
            for block in reporter.track(blocks, "simulating the fault", total=round(seconds)):
                file.write(block)
    except soundfile.LibsndfileError as error:
        raise InputError(
            str(path), expected="room to write a recording", found=error.error_string, remedy="give another folder"
        ) from error
