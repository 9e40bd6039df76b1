"""Normal sound is taken once, and never from a dead microphone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from edge_asd.audio import Roll
from edge_asd.errors import InputError

SOUND = np.random.default_rng(0).standard_normal(1000).astype(np.float32)


@pytest.mark.parametrize("cuts", [[], [0], [1, 1, 500], [999]])
def test_samples_pass_through_and_are_known_again_however_they_are_cut(cuts: list[int]) -> None:
    roll = Roll()
    assert np.array_equal(np.concatenate(list(roll.enter(Path("a.wav"), [SOUND]))), SOUND)
    with pytest.raises(InputError, match=r"b\.wav: expected another recording, found the sound of a\.wav again"):
        list(roll.enter(Path("b.wav"), np.split(SOUND, cuts)))
    list(roll.enter(Path("c.wav"), np.split(SOUND[:-1], cuts[:1])))
    contents = b"".join(
        name + b"\0" + hashlib.sha256(samples.tobytes()).digest()
        for name, samples in ((b"a.wav", SOUND), (b"c.wav", SOUND[:-1]))
    )
    assert roll.sha256 == hashlib.sha256(contents).hexdigest()


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_from_end_to_end_is_no_sound(level: float) -> None:
    still = [np.full(10, level, np.float32)] * 3
    with pytest.raises(InputError, match="found silence from end to end"):
        list(Roll().enter(Path("dead.wav"), still))
    # One click is enough.
    list(Roll().enter(Path("click.wav"), [*still, np.ones(1, np.float32)]))
