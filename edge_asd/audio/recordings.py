"""Reading recordings, whole or block by block, through libsndfile."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio.mixing import Channel, check_channel, to_mono
from edge_asd.audio.resampling import Resampler
from edge_asd.errors import InputError
from edge_asd.files import require_regular

_log = logging.getLogger(__name__)

RATES = range(1_000, 1_000_001)
"""Sampling rates that sound of a machine may have, in hertz; a damaged header gives others."""

_BLOCK_FRAMES = 1 << 16
_BLOCK_VALUES = 1 << 22
_OPEN_ENDED = 0x7FFF_0000
_OPEN_ENDED_64 = 1 << 62
# Of samples, as WAV, AIFF and AU have it; of the whole file, as the 64-bit kinds of WAV do.
_SIZE = re.compile(r"^\s*(?:data|SSND|Data Size|(?P<wide>Riff size|riff))\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)


class RecordingInfo(NamedTuple):
    """What a recording's header says."""

    path: Path
    native_rate: int
    """Sampling rate, in hertz."""
    channels: int
    frames: int
    """Length, in samples of each channel."""

    @property
    def seconds(self) -> float:
        """Length, in seconds."""
        return self.frames / self.native_rate


class Recording(NamedTuple):
    """A recording in memory."""

    path: Path
    samples: NDArray[np.float32]
    """Mono, full scale ±1, shape (n,)."""
    sample_rate: int
    """Rate of `samples`, in hertz."""
    native_rate: int
    """Rate of the file, in hertz."""
    channels: int = 1
    """Channels of the file."""

    @property
    def seconds(self) -> float:
        """Length, in seconds."""
        return len(self.samples) / self.sample_rate


def probe_recording(path: Path) -> RecordingInfo:
    """Read a recording's header.

    Raises
    ------
    InputError
        When it is missing, is no recording, has no samples, or a sampling rate that no recording has.
    """
    with _opened(path) as file:
        return RecordingInfo(path, file.samplerate, file.channels, file.frames)


def read_recording(path: Path, *, channel: Channel = 0, sample_rate: int | None = None) -> Recording:
    """Read a whole recording as mono.

    Parameters
    ----------
    path
        The file: WAV of 8 to 32 bits or float, FLAC, Ogg and whatever else libsndfile reads.
    channel
        Channel to take, counted from 0, or `mix`.
    sample_rate
        Rate to resample to, in hertz; the file's own where left out.

    Raises
    ------
    InputError
        When it is missing, is no recording, has no samples, is damaged, lacks the channel, or holds NaN or infinity.
        An uncompressed one that is merely cut short is read as far as it goes, with a warning in the log.
    """
    info = probe_recording(path)
    rate = sample_rate or info.native_rate
    samples = np.concatenate(list(read_blocks(path, channel=channel, sample_rate=rate)))
    return Recording(path, samples, rate, info.native_rate, info.channels)


def read_blocks(
    path: Path, *, channel: Channel = 0, sample_rate: int, frames: int = _BLOCK_FRAMES
) -> Iterator[NDArray[np.float32]]:
    """Read a recording block by block, in bounded memory; parameters and errors as `read_recording`.

    `frames` is the greatest length of a block before it is resampled. Joined, the blocks are what `read_recording`
    gives, whatever `frames` is; a block may be empty.
    """
    with _opened(path) as file:
        check_channel(str(path), channel, file.channels)
        _warn_if_cut_short(path, file)
        frames = max(1, min(frames, _BLOCK_VALUES // file.channels))
        resampler = Resampler(file.samplerate, sample_rate)
        position = 0
        while position < file.frames:
            block = _read(path, file, frames)
            if not len(block):
                raise InputError(
                    str(path),
                    expected=f"{file.frames} samples, as its header says",
                    found=f"{position}: it is cut short",
                    remedy="copy or record it again",
                )
            samples = to_mono(block, channel)
            _check_finite(path, samples, position, file.samplerate)
            position += len(block)
            yield resampler.process(samples)
        yield resampler.flush()


def cut_blocks(blocks: Iterable[NDArray[np.float32]], start: int, stop: int) -> Iterator[NDArray[np.float32]]:
    """Pass on samples `start` to `stop` of a recording's blocks, and take no block after those."""
    position = 0
    for block in blocks:
        yield block[max(0, start - position) : max(0, stop - position)]
        position += len(block)
        if position >= stop:
            return


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    soundfile = load_soundfile()
    if require_regular(path, "a recording") == 0:
        raise InputError(str(path), expected="a recording", found="an empty file")
    try:
        # Opened here, so that a missing or forbidden file is told apart from one that is no recording.
        with path.open("rb") as stream, soundfile.SoundFile(stream.fileno(), closefd=False) as file:
            _check_header(path, file)
            yield file
    except soundfile.SoundFileError as error:
        said = getattr(error, "error_string", str(error)).strip().rstrip(".")
        raise InputError(
            str(path), expected="a recording (WAV, FLAC, Ogg …)", found=f"something else ({said})"
        ) from error
    except OSError as error:
        raise InputError(str(path), expected="a recording", found=error.strerror or str(error)) from error


def _check_header(path: Path, file: Any) -> None:
    if file.frames <= 0:
        raise InputError(str(path), expected="a recording", found="no samples in it")
    if file.frames >= _OPEN_ENDED_64:
        raise InputError(
            str(path),
            expected="a recording whose header says how long it is",
            found="one that was written into a pipe",
            remedy="convert it: ffmpeg -i FILE NEW.flac",
        )
    if file.samplerate not in RATES:
        raise InputError(
            str(path), expected=f"a sampling rate of {RATES[0]} to {RATES[-1]} Hz", found=f"{file.samplerate} Hz"
        )


def _warn_if_cut_short(path: Path, file: Any) -> None:
    missing = _missing_bytes(file.extra_info)
    if missing:
        _warn_once(path, missing)


@functools.lru_cache(maxsize=1024)
def _warn_once(path: Path, missing: int) -> None:
    # A recording is read as often as it is of use, and told of once.
    _log.warning("%s: cut short: %d bytes fewer than its header says; the rest is used", path, missing)


def _missing_bytes(said: str) -> int:
    """Return how many bytes libsndfile's log says the header promised in vain."""
    found = _SIZE.search(said)
    if not found:
        return 0
    promised, held = int(found[2]), int(found[3])
    # A program that writes into a pipe does not know the length and puts the greatest there is.
    open_ended = promised >= (_OPEN_ENDED_64 if found["wide"] else _OPEN_ENDED)
    return 0 if open_ended else max(0, promised - held)


def _read(path: Path, file: Any, frames: int) -> NDArray[np.float32]:
    try:
        return np.asarray(file.read(frames, dtype="float32", always_2d=True))
    except RuntimeError as error:
        raise InputError(str(path), expected="a whole recording", found=f"a damaged one ({error})") from error


def load_soundfile() -> Any:
    """Return the library soundfile.

    Raises
    ------
    InputError
        When libsndfile is not installed.
    """
    try:
        import soundfile  # noqa: PLC0415 - a device may never see a file
    except OSError as error:
        raise InputError(
            "libsndfile",
            expected="the library that reads recordings",
            found=str(error),
            remedy="apt install libsndfile1",
        ) from error
    return soundfile


def _check_finite(path: Path, samples: NDArray[np.float32], position: int, rate: int) -> None:
    bad = ~np.isfinite(samples)
    if bad.any():
        second = (position + int(np.argmax(bad))) / rate
        raise InputError(
            str(path), expected="numbers", found=f"NaN or infinity at {second:.3f} s", remedy="leave it out"
        )
