from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_asd_export.material import Stretch
from edge_asd_export.oddities import odd_recordings
from tests.handmade import recipe


def stretches(count: int, odd: int | None = None) -> list[Stretch]:
    rng = np.random.default_rng(4)
    found = []
    for index in range(2 * count):
        bands = rng.normal(size=(20, 8)) + (30.0 if index // 2 == odd else 0.0)
        level = rng.normal(size=(20, 1))
        rows = {"bands": bands.astype(np.float32), "level": level.astype(np.float32)}
        found.append(Stretch(Path(f"{index // 2}.wav"), 0, rows))
    return found


def test_a_recording_unlike_the_others_is_named() -> None:
    notes = odd_recordings(recipe(), stretches(20, odd=7))
    assert len(notes) == 1
    assert notes[0].startswith("unlike the other recordings, listen to them: 7.wav (")


def test_like_recordings_and_few_ones_are_not_remarked_on() -> None:
    assert odd_recordings(recipe(), stretches(20)) == []
    assert odd_recordings(recipe(), stretches(5, odd=2)) == []
