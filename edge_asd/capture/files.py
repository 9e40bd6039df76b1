"""Recordings as a source, at the speed of the sound or as fast as possible."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Channel, find_recordings, probe_recording, read_blocks
from edge_asd.capture.address import Files
from edge_asd.capture.items import Block, Gap
from edge_asd.errors import InputError

_log = logging.getLogger(__name__)

_BLOCK_S = 0.1


def play(
    address: Files,
    *,
    sample_rate: int,
    channel: Channel,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Block | Gap]:
    """Give the sound of recordings, one after another, with a gap between two.

    The pace is kept by counting samples from the start, so it does not drift. Of several recordings, one that cannot be
    read is logged and passed over.

    Raises
    ------
    InputError
        When there is no recording, or none that can be read.
    """
    pace = _Pace(sample_rate, clock, sleep) if address.real_time else None
    paths = find_recordings(address.path)
    played = False
    for path in paths:
        try:
            for index, samples in enumerate(_blocks(path, sample_rate, channel)):
                if played and index == 0:
                    yield Gap(None, f"next recording: {path.name}")
                played = True
                if pace:
                    pace.wait_for(len(samples))
                yield Block(samples)
        except InputError as error:
            if len(paths) == 1:
                raise
            _log.warning("passed over: %s", error)
    if not played:
        raise InputError(
            str(address.path), expected="recordings", found=f"{len(paths)} files, none of which can be read"
        )


def _blocks(path: Path, sample_rate: int, channel: Channel) -> Iterator[NDArray[np.float32]]:
    frames = max(1, round(_BLOCK_S * probe_recording(path).native_rate))
    return (block for block in read_blocks(path, channel=channel, sample_rate=sample_rate, frames=frames) if len(block))


class _Pace:
    def __init__(self, sample_rate: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._sample_rate, self._clock, self._sleep = sample_rate, clock, sleep
        self._start: float | None = None
        self._samples = 0

    def wait_for(self, samples: int) -> None:
        """Wait until a microphone would have heard these samples to their end."""
        if self._start is None:
            self._start = self._clock()
        self._samples += samples
        ahead = self._start + self._samples / self._sample_rate - self._clock()
        if ahead > 0:
            self._sleep(ahead)
