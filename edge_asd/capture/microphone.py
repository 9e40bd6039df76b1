"""A microphone as a source, through PortAudio."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Channel, Resampler, to_mono
from edge_asd.capture.items import Block, CaptureError, Gap
from edge_asd.errors import InputError

STALLED_S = 5.0
"""Seconds without a sample after which a microphone counts as stalled; the first may take two."""
_BLOCK_S = 0.1
_QUEUE_BLOCKS = 100


class MicrophoneInfo(NamedTuple):
    """A microphone of this machine."""

    number: int
    """PortAudio's number of it, which another boot may change."""
    name: str
    host_api: str
    channels: int
    default_rate: int
    """Sampling rate that it prefers, in hertz."""


def list_microphones() -> list[MicrophoneInfo]:
    """Return the microphones that PortAudio sees.

    Raises
    ------
    InputError
        When PortAudio is not installed.
    """
    sounddevice = _sounddevice()
    apis = [str(api["name"]) for api in sounddevice.query_hostapis()]
    return [
        MicrophoneInfo(
            int(device["index"]),
            str(device["name"]),
            apis[device["hostapi"]],
            int(device["max_input_channels"]),
            round(device["default_samplerate"]),
        )
        for device in sounddevice.query_devices()
        if device["max_input_channels"] > 0
    ]


def find_microphone(name: str | None, microphones: list[MicrophoneInfo]) -> MicrophoneInfo:
    """Return the microphone of exactly this name, else the only one whose name contains it; the first without a name.

    Raises
    ------
    InputError
        When several fit: the message lists them.
    CaptureError
        When none fits; one may yet be plugged in.
    """
    seen = "; ".join(repr(microphone.name) for microphone in microphones) or "none"
    if name is None:
        if microphones:
            return next((m for m in microphones if m.name == "default"), microphones[0])
        raise CaptureError("mic: expected a microphone, found none")
    exact = [microphone for microphone in microphones if microphone.name == name]
    partial = [microphone for microphone in microphones if name.casefold() in microphone.name.casefold()]
    fitting = exact[:1] or partial
    if not fitting:
        raise CaptureError(f"mic:{name}: expected a microphone of that name, found {seen}")
    if len(fitting) > 1:
        several = "; ".join(repr(microphone.name) for microphone in fitting)
        raise InputError(f"mic:{name}", expected="one microphone", found=several, remedy="give the whole name")
    return fitting[0]


class BlockQueue:
    """Blocks from PortAudio's thread to ours: bounded, and what does not fit is counted."""

    def __init__(self, blocks: int = _QUEUE_BLOCKS) -> None:
        self._queue: queue.Queue[NDArray[np.float32] | int] = queue.Queue(blocks)
        self._lost = 0

    def put(self, samples: NDArray[np.float32]) -> None:
        """Take a block, shape (n, channels), which the caller will overwrite; never wait."""
        try:
            if self._lost:
                self._queue.put_nowait(self._lost)
                self._lost = 0
            self._queue.put_nowait(samples.copy())
        except queue.Full:
            self._lost += len(samples)

    def get(self, timeout_s: float) -> NDArray[np.float32] | int | None:
        """Return the next block, or the number of samples that were lost before it; None when nothing comes in time."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None


class MicrophoneCapture:
    """An open microphone: a context manager that gives blocks and gaps.

    It is opened at its own rate and resampled here: many USB microphones refuse any other.
    """

    def __init__(self, name: str | None, *, sample_rate: int, channel: Channel, stalled_s: float = STALLED_S) -> None:
        self._name = name
        self._sample_rate, self._channel, self._stalled_s = sample_rate, channel, stalled_s
        self._blocks = BlockQueue()
        self._stream: Any = None

    def __enter__(self) -> MicrophoneCapture:
        sounddevice = _sounddevice()
        found = find_microphone(self._name, list_microphones())
        if self._channel != "mix" and self._channel >= found.channels:
            raise InputError(
                f"mic:{found.name}", expected=f"channel {self._channel}", found=f"{found.channels} channel(s)"
            )
        channels = found.channels if self._channel == "mix" else self._channel + 1
        self._rate = found.default_rate
        try:
            self._stream = sounddevice.InputStream(
                device=found.number,
                samplerate=self._rate,
                channels=channels,
                dtype="float32",
                blocksize=round(_BLOCK_S * self._rate),
                callback=self._hear,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            self._close()
            raise CaptureError(f"mic:{found.name}: cannot be opened ({error})") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def __iter__(self) -> Iterator[Block | Gap]:
        resampler = Resampler(self._rate, self._sample_rate)
        while True:
            item = self._blocks.get(self._stalled_s)
            if item is None:
                raise CaptureError(f"mic:{self._name or 'default'}: no sound for {self._stalled_s:g} s")
            if isinstance(item, int):
                yield Block(resampler.flush())
                resampler = Resampler(self._rate, self._sample_rate)
                yield Gap(
                    round(item * self._sample_rate / self._rate), f"{item} samples dropped: this machine is too slow"
                )
            else:
                yield Block(resampler.process(to_mono(item, self._channel)))

    def _hear(self, samples: NDArray[np.float32], _frames: int, _times: Any, _status: Any) -> None:
        # PortAudio's own thread: copy, and nothing else.
        self._blocks.put(samples)

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
            self._stream = None


def _sounddevice() -> Any:
    try:
        import sounddevice  # noqa: PLC0415 - a device that reads files needs no PortAudio
    except OSError as error:
        raise InputError(
            "PortAudio",
            expected="the library that opens microphones",
            found=str(error),
            remedy="apt install libportaudio2",
        ) from error
    return sounddevice
