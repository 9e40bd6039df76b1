"""A microphone as a source, through PortAudio."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Channel, check_channel, to_mono
from edge_asd.capture import portaudio
from edge_asd.capture.items import CaptureError, Item
from edge_asd.capture.portaudio import MicrophoneInfo, find_microphone
from edge_asd.capture.track import Track

STALLED_S = 5.0
"""Seconds without a sample after which a microphone counts as stalled; the first may take two."""
_BLOCK_S = 0.1
_POLL_S = 0.25
_QUEUE_BLOCKS = 100
_BUFFER_S = 0.5
"""What PortAudio is asked to buffer: a decision may wait, a sample must not be lost while Python is busy."""
_HARDWARE_CHANNELS = 16


class Arrival(NamedTuple):
    """Sound as PortAudio gave it."""

    position: int
    """Number of the first sample since the stream was opened, with those that found no room."""
    samples: NDArray[np.float32]
    """Shape (n, channels)."""
    overflowed: bool
    """PortAudio lost samples before these, nobody knows how many."""


class ArrivalQueue:
    """Blocks from PortAudio's thread to ours: bounded, and what finds no room is counted."""

    def __init__(self, blocks: int = _QUEUE_BLOCKS) -> None:
        self._queue: queue.Queue[Arrival] = queue.Queue(blocks)
        self._position = 0
        self._overflowed = False

    def put(self, samples: NDArray[np.float32], *, overflowed: bool = False) -> None:
        """Take a block, shape (n, channels), which the caller will overwrite; never wait."""
        self._overflowed |= overflowed
        if not self._queue.full():
            # Only this thread puts: there is room until it has.
            self._queue.put_nowait(Arrival(self._position, samples.copy(), self._overflowed))
            self._overflowed = False
        self._position += len(samples)

    def get(self, timeout_s: float) -> Arrival | None:
        """Return the next block; None when nothing comes in time."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None


class MicrophoneCapture:
    """An open microphone: `open`, `read` again and again, `close`; or a context manager that gives blocks and gaps.

    It is opened at its own rate and resampled here: many USB microphones refuse any other.

    Parameters
    ----------
    name
        The microphone's name or a part of it; the system's default where left out.
    sample_rate
        Rate of the samples that are given, in hertz.
    channel
        Channel to listen to, counted from 0, or `mix`.
    stalled_s
        Seconds without a sample after which it counts as stalled.
    """

    def __init__(self, name: str | None, *, sample_rate: int, channel: Channel, stalled_s: float = STALLED_S) -> None:
        self._where = f"mic:{name}" if name else "mic"
        self._name = name
        self._sample_rate, self._channel, self._stalled_s = sample_rate, channel, stalled_s
        self._stream: Any = None

    def open(self) -> None:
        """Find the microphone and start it.

        Raises
        ------
        InputError
            When PortAudio is not installed, several microphones fit, or the one that does lacks the channel.
        CaptureError
            When none fits, or it cannot be opened.
        """
        self._arrivals = ArrivalQueue()
        self._stopped = threading.Event()
        self._position = 0
        with portaudio.fresh() as library:
            found = find_microphone(self._name, portaudio.microphones(library))
            check_channel(f"mic:{found.name}", self._channel, found.channels)
            self._track = Track(found.default_rate, self._sample_rate)
            try:
                self._stream = portaudio.start(
                    library,
                    device=found.number,
                    samplerate=found.default_rate,
                    channels=channels_to_open(found, self._channel),
                    dtype="float32",
                    blocksize=round(_BLOCK_S * found.default_rate),
                    latency=_BUFFER_S,
                    callback=self._hear,
                    finished_callback=self._stopped.set,
                )
            except library.PortAudioError as error:
                raise CaptureError(f"{self._where}: {found.name!r} cannot be opened ({error})") from error

    def read(self) -> list[Item]:
        """Wait for sound, and return what came: blocks, and gaps where sound was lost.

        Raises
        ------
        CaptureError
            When nothing comes for `stalled_s`, or the microphone has gone.
        """
        deadline = time.monotonic() + self._stalled_s
        while (arrival := self._arrivals.get(_POLL_S)) is None:
            # Whether PortAudio calls the stream active says nothing: sound arrives, or it does not.
            if self._stopped.is_set():
                raise CaptureError(f"{self._where}: the microphone has gone")
            if time.monotonic() >= deadline:
                raise CaptureError(f"{self._where}: no sound for {self._stalled_s:g} s", state="stalled")
        return [*self._gaps(arrival), *self._track.process(to_mono(arrival.samples, self._channel))]

    def close(self) -> None:
        """Stop the microphone, if it is open."""
        stream, self._stream = self._stream, None
        if stream is not None:
            portaudio.stop(stream)

    def _gaps(self, arrival: Arrival) -> list[Item]:
        lost = arrival.position - self._position
        self._position = arrival.position + len(arrival.samples)
        items: list[Item] = []
        if lost:
            items += self._track.gap(lost, f"{lost} samples found no room: this machine is too slow")
        if arrival.overflowed:
            items += self._track.gap(None, "PortAudio lost samples: this machine is too busy")
        return items

    def _hear(self, samples: NDArray[np.float32], _frames: int, _times: Any, status: Any) -> None:
        # PortAudio's own thread: copy, and nothing else.
        self._arrivals.put(samples, overflowed=status.input_overflow)

    def __enter__(self) -> MicrophoneCapture:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Item]:
        while True:
            yield from self.read()


def channels_to_open(found: MicrophoneInfo, channel: Channel) -> int:
    """Return how many channels to open for one of them.

    A sound card often takes nothing but all it has. A sound server's device names some great number, and mixes to
    whatever it is asked for.
    """
    if found.channels <= _HARDWARE_CHANNELS:
        return found.channels
    return 2 if channel == "mix" else channel + 1
