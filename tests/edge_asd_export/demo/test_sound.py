from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asd.errors import InputError
from edge_asd_export.demo.scenario import Lengths, Scenario
from edge_asd_export.demo.sound import write_stretch
from edge_asd_export.simulation import Machine, simulate

SCENARIO = Scenario(Machine("sliding", sample_rate=8000), "dry-rail", 3.0, 5, Lengths(1, 10.0, 60.0))


def test_the_fault_is_heard_from_its_onset_to_its_repair_and_no_longer(tmp_path: Path) -> None:
    write_stretch(tmp_path / "stretch.wav", SCENARIO)
    heard, rate = soundfile.read(tmp_path / "stretch.wav", dtype="float32")
    well = simulate(SCENARIO.machine, 60.0, seed=5, snr_db=3.0)
    assert (rate, len(heard)) == (8000, 60 * 8000)
    difference = np.abs(heard - well).reshape(60, 8000).max(axis=1)
    # 16 bits are half a step off at most; what the fault set ringing dies away within a second of its repair.
    assert difference[:20].max() <= 1 / 32768
    assert difference[55:].max() <= 1 / 32768
    assert (difference[30:54] > 10 / 32768).all()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing/stretch\.wav: expected room to write a recording"):
        write_stretch(tmp_path / "missing" / "stretch.wav", SCENARIO)
