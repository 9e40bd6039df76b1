"""What a recording process writes, read with a time limit."""

from __future__ import annotations

import io
import select
import threading
import time

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import CaptureError
from edge_asd.microphones.wire import HEADER_BYTES, Header, parse_header

POLL_S = 0.25
"""Seconds between two looks at whether anybody still wants to read."""


class Pipe:
    """The reading end.

    Every method raises CaptureError when the process has ended, talks nonsense or writes nothing for too long, or when
    `stopping` is set.

    Parameters
    ----------
    stream
        Unbuffered.
    where
        How errors name the microphone.
    stopping
        Set when nobody wants to read any more.
    """

    def __init__(self, stream: io.FileIO, where: str, stopping: threading.Event) -> None:
        self._stream, self._where, self._stopping = stream, where, stopping
        self._poll = select.poll()
        self._poll.register(stream, select.POLLIN)
        self._limit = 0.0

    def header(self, limit: float) -> Header:
        """Wait for a header, at most `limit` seconds."""
        self._limit = limit
        return parse_header(self._read(HEADER_BYTES))

    def payload(self, header: Header) -> bytes:
        """Read what is not sound."""
        return self._read(header.length)

    def samples(self, header: Header, channels: int) -> NDArray[np.float32]:
        """Read sound straight into the array that is given."""
        samples = np.empty((header.length // (4 * channels), channels), np.float32)
        if samples.nbytes != header.length:
            raise CaptureError(f"{self._where}: the capture process gave half a sample")
        self._fill(samples.reshape(-1).view(np.uint8).data)
        return samples

    def _read(self, size: int) -> bytes:
        data = bytearray(size)
        self._fill(memoryview(data))
        return bytes(data)

    def _fill(self, rest: memoryview) -> None:
        deadline = time.monotonic() + self._limit
        while rest:
            if self._stopping.is_set():
                raise CaptureError(f"{self._where}: closed")
            if self._poll.poll(1000 * POLL_S):
                count = self._stream.readinto(rest)
                if not count:
                    raise CaptureError(f"{self._where}: the capture process has ended")
                rest = rest[count:]
            elif time.monotonic() >= deadline:
                raise CaptureError(f"{self._where}: no sound for {self._limit:g} s", state="stalled")
