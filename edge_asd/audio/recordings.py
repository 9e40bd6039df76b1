"""Reading recordings, whole or block by block, through libsndfile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio.mixing import Channel, to_mono
from edge_asd.audio.resampling import Resampler
from edge_asd.errors import InputError

SUFFIXES = frozenset(
    (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64")
)
"""Endings by which recordings are found in a folder."""

_BLOCK_FRAMES = 1 << 16


class RecordingInfo(NamedTuple):
    """What a recording's header says."""

    path: Path
    native_rate: int
    """Sampling rate, in hertz."""
    channels: int
    frames: int
    """Length, in samples of each channel."""


class Recording(NamedTuple):
    """A recording in memory."""

    path: Path
    samples: NDArray[np.float32]
    """Mono, full scale ±1, shape (n,)."""
    sample_rate: int
    """Rate of `samples`, in hertz."""
    native_rate: int
    """Rate of the file, in hertz."""


def find_recordings(path: Path) -> list[Path]:
    """Return the recordings of a folder and all below it, in the order of their names; a file stands for itself.

    Hidden files and folders are passed over.

    Raises
    ------
    InputError
        When `path` does not exist, or the folder holds no recording.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(str(path), expected="a recording or a folder of recordings", found="no such file or folder")
    found = sorted(entry for entry in path.rglob("*") if _is_recording(entry, path))
    if not found:
        raise InputError(
            str(path),
            expected="a folder of recordings (.wav, .flac, .ogg …)",
            found="none in it or below it",
            remedy="name the folder that holds them",
        )
    return found


def probe_recording(path: Path) -> RecordingInfo:
    """Read a recording's header.

    Raises
    ------
    InputError
        When it is missing, is no recording, or has no samples.
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
        When it is missing, is no recording, has no samples or not as many as its header says, lacks the channel, or
        holds NaN or infinity.
    """
    info = probe_recording(path)
    rate = sample_rate or info.native_rate
    samples = np.concatenate(list(read_blocks(path, channel=channel, sample_rate=rate)))
    return Recording(path, samples, rate, info.native_rate)


def read_blocks(
    path: Path, *, channel: Channel = 0, sample_rate: int, frames: int = _BLOCK_FRAMES
) -> Iterator[NDArray[np.float32]]:
    """Read a recording block by block, in bounded memory; parameters and errors as `read_recording`.

    `frames` is the length of a block before it is resampled.
    """
    with _opened(path) as file:
        _check_channel(path, channel, file.channels)
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
            _check_finite(path, block, position, file.samplerate)
            position += len(block)
            yield resampler.process(to_mono(block, channel))
        yield resampler.flush()


def _is_recording(entry: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in entry.relative_to(root).parts)
    return not hidden and entry.suffix.lower() in SUFFIXES and entry.is_file()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    soundfile = _soundfile()
    if path.is_dir():
        raise InputError(str(path), expected="a recording", found="a folder")
    try:
        # Opened here, so that a missing or forbidden file is told apart from one that is no recording.
        with path.open("rb") as stream, soundfile.SoundFile(stream.fileno(), closefd=False) as file:
            if file.frames <= 0:
                raise InputError(str(path), expected="a recording", found="no samples in it")
            yield file
    except soundfile.SoundFileError as error:
        said = getattr(error, "error_string", str(error)).strip().rstrip(".")
        raise InputError(
            str(path), expected="a recording (WAV, FLAC, Ogg …)", found=f"something else ({said})"
        ) from error
    except OSError as error:
        raise InputError(str(path), expected="a recording", found=error.strerror or str(error)) from error


def _read(path: Path, file: Any, frames: int) -> NDArray[np.float32]:
    try:
        return np.asarray(file.read(frames, dtype="float32", always_2d=True))
    except RuntimeError as error:
        raise InputError(str(path), expected="a whole recording", found=f"a damaged one ({error})") from error


def _soundfile() -> Any:
    try:
        import soundfile  # noqa: PLC0415 - a device that listens to a microphone never reads a file
    except OSError as error:
        raise InputError(
            "libsndfile",
            expected="the library that reads recordings",
            found=str(error),
            remedy="apt install libsndfile1",
        ) from error
    return soundfile


def _check_channel(path: Path, channel: Channel, channels: int) -> None:
    if channel != "mix" and channel >= channels:
        raise InputError(
            str(path),
            expected=f"channel {channel}, counted from 0",
            found=f"{channels} channel{'s' if channels > 1 else ''}",
            remedy="choose another channel, or mix",
        )


def _check_finite(path: Path, block: NDArray[np.float32], position: int, rate: int) -> None:
    bad = ~np.isfinite(block).all(axis=1)
    if bad.any():
        second = (position + int(np.argmax(bad))) / rate
        raise InputError(
            str(path), expected="numbers", found=f"NaN or infinity at {second:.3f} s", remedy="leave it out"
        )
