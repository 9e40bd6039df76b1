"""Recordings as a source, at the speed of the sound or as fast as possible."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edge_asd.audio import Channel, find_recordings, probe_recording, read_blocks
from edge_asd.capture.address import Files
from edge_asd.capture.items import Block, Gap, Item
from edge_asd.capture.track import Track
from edge_asd.errors import InputError

_log = logging.getLogger(__name__)

_BLOCK_S = 0.1


class FilesCapture:
    """Gives the sound of recordings, one after another, with a gap between two.

    The pace is kept by counting samples from the start, so it does not drift. Of several recordings, one that cannot be
    read is logged, counted and passed over.

    Parameters
    ----------
    address
        The recording or folder, and how fast.
    sample_rate
        Rate of the samples that are given, in hertz.
    channel
        Channel to take, counted from 0, or `mix`.

    Raises
    ------
    InputError
        When there is no recording, and, from the iterator, when none can be read.
    """

    def __init__(
        self,
        address: Files,
        *,
        sample_rate: int,
        channel: Channel,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address, self._sample_rate, self._channel = address, sample_rate, channel
        self._clock, self._sleep = clock, sleep
        self._paths = find_recordings(address.path)
        self._start: float | None = None
        self._heard = 0
        self.unreadable = 0
        """Recordings passed over so far."""

    def __iter__(self) -> Iterator[Item]:
        for path in self._paths:
            try:
                yield from self._play(path)
            except InputError as error:
                if len(self._paths) == 1:
                    raise
                yield self._pass_over(path, error)
        self._check_any_heard()

    def _play(self, path: Path) -> Iterator[Item]:
        rate = probe_recording(path).native_rate
        blocks = read_blocks(path, channel=self._channel, sample_rate=rate, frames=round(_BLOCK_S * rate))
        first = next(blocks)
        if self._heard:
            yield Gap(None, f"next recording: {path.name}")
        track = Track(rate, self._sample_rate, start=self._heard)
        for samples in itertools.chain([first], blocks):
            yield from self._paced(track.process(samples))
        yield from self._paced(track.end())

    def _paced(self, items: list[Item]) -> Iterator[Item]:
        for item in items:
            if isinstance(item, Block):
                self._heard += len(item.samples)
                self._wait()
            yield item

    def _pass_over(self, path: Path, error: InputError) -> Gap:
        self.unreadable += 1
        _log.warning("passed over: %s", error)
        return Gap(None, f"unreadable recording: {path.name}")

    def _check_any_heard(self) -> None:
        if self._heard == 0:
            raise InputError(
                str(self._address.path),
                expected="recordings",
                found=f"{self.unreadable} files, none of which can be read",
                remedy="the log says what is wrong with each",
            )
        if self.unreadable:
            _log.warning(
                "%s: %d of %d recordings could not be read", self._address.path, self.unreadable, len(self._paths)
            )

    def _wait(self) -> None:
        """Wait until a microphone would have heard what is to be given to its end."""
        if not self._address.real_time:
            return
        if self._start is None:
            self._start = self._clock()
        ahead = self._start + self._heard / self._sample_rate - self._clock()
        if ahead > 0:
            self._sleep(ahead)
