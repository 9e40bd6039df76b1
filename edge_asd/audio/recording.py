"""Reading recordings: any container, depth, rate and channel count that libsndfile knows, in bounded memory."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio.channels import Channel, check_channel, to_mono
from edge_asd.audio.resampling import Resampler
from edge_asd.errors import InputError

_log = logging.getLogger(__name__)

RATES = range(1_000, 1_000_001)
"""Sampling rates in hertz that a recording of a machine may have; others come from damaged headers."""
_BLOCK_VALUES = 1 << 22
_EXPECTED = "a recording (WAV, FLAC, OGG …)"


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """One channel of a recording, read whole."""

    path: Path
    samples: NDArray[np.float32]
    """Shape (n,); full scale is ±1.0 for every integer depth."""
    sample_rate: int
    """Hertz, of `samples`."""
    native_rate: int
    """Hertz, of the file."""
    channels: int
    """Channels of the file."""
    encoding: str
    """How the file holds a sample, in libsndfile's words, such as `PCM_16`."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


class RecordingReader:
    """An open recording, whose chosen channel is read block by block at its native rate.

    Parameters
    ----------
    path
        The file.
    channel
        Channel counted from 0, or `mix`.

    Raises
    ------
    InputError
        The file is missing, unreadable, empty or no audio, or lacks the channel.
    """

    def __init__(self, path: Path | str, *, channel: Channel = 0) -> None:
        self.path = Path(path)
        self._where = str(path)
        self._channel = channel
        self._soundfile = _import_soundfile()
        self._file = _open_regular(self.path)
        try:
            self._sound = self._open_sound()
            self._check_header()
        except BaseException:
            self.close()
            raise

    def _open_sound(self) -> Any:
        # libsndfile gets a descriptor, not a name: a name's suffix would make it guess, and hide why opening failed.
        try:
            return self._soundfile.SoundFile(self._file.fileno(), closefd=False)
        except self._soundfile.SoundFileError as error:
            if self.path.stat().st_size == 0:
                raise InputError(self._where, expected=_EXPECTED, found="an empty file") from error
            raise InputError(self._where, expected=_EXPECTED, found=f"none: {_reason(error)}") from error

    def _check_header(self) -> None:
        if self.native_rate not in RATES:
            expected = f"a sampling rate of {RATES[0]}–{RATES[-1]} Hz"
            raise InputError(self._where, expected=expected, found=f"{self.native_rate} Hz")
        check_channel(self._where, self._channel, self.channels)
        promised = _promised_more(self._sound.extra_info)
        if promised:
            _log.warning("%s: the recording is cut short (%s); what it holds is used", self._where, promised)

    @property
    def native_rate(self) -> int:
        """Sampling rate of the file in hertz."""
        return int(self._sound.samplerate)

    @property
    def channels(self) -> int:
        """Channels of the file."""
        return int(self._sound.channels)

    @property
    def encoding(self) -> str:
        """How the file holds a sample, in libsndfile's words, such as `PCM_16`."""
        return str(self._sound.subtype)

    def blocks(self, seconds: float = 1.0) -> Iterator[NDArray[np.float32]]:
        """Read on to the end.

        Parameters
        ----------
        seconds
            Longest block.

        Yields
        ------
        Samples of the chosen channel at the native rate, shape (n,), n ≥ 1.

        Raises
        ------
        InputError
            The file holds no samples, damaged ones, or samples that are not finite numbers.
        """
        frames = max(1, min(round(seconds * self.native_rate), _BLOCK_VALUES // self.channels))
        position = 0
        while len(block := self._read(frames)):
            samples = to_mono(block, self._channel)
            self._check_finite(samples, position)
            position += len(samples)
            yield samples
        if position == 0:
            raise InputError(self._where, expected="a recording with samples", found="one of zero length")

    def _read(self, frames: int) -> NDArray[np.float32]:
        try:
            block: NDArray[np.float32] = self._sound.read(frames, dtype="float32", always_2d=True)
        except self._soundfile.SoundFileError as error:
            raise InputError(self._where, expected="an undamaged recording", found=_reason(error)) from error
        return block

    def _check_finite(self, samples: NDArray[np.float32], position: int) -> None:
        finite = np.isfinite(samples)
        if not finite.all():
            time_s = (position + int(np.argmin(finite))) / self.native_rate
            found = f"NaN or infinity at {time_s:.3f} s"
            raise InputError(self._where, expected="samples that are finite numbers", found=found)

    def close(self) -> None:
        """Close the file."""
        sound = getattr(self, "_sound", None)
        if sound is not None:
            sound.close()
        self._file.close()

    def __enter__(self) -> RecordingReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def iter_blocks(
    path: Path | str, *, channel: Channel = 0, sample_rate: int | None = None, seconds: float = 1.0
) -> Iterator[NDArray[np.float32]]:
    """Read one channel of a recording block by block, in bounded memory.

    Parameters
    ----------
    path
        The file.
    channel
        Channel counted from 0, or `mix`.
    sample_rate
        Rate to resample to in hertz; the file's own where None.
    seconds
        Longest block read at a time.

    Yields
    ------
    Samples, shape (n,), n ≥ 1. Together they are what :func:`read_recording` gives, whatever `seconds` is.

    Raises
    ------
    InputError
        As for :func:`read_recording`.
    """
    with RecordingReader(path, channel=channel) as reader:
        resampler = Resampler(reader.native_rate, sample_rate or reader.native_rate)
        for block in reader.blocks(seconds):
            output = resampler.process(block)
            if len(output):
                yield output
        tail = resampler.flush()
        if len(tail):
            yield tail


def read_recording(path: Path | str, *, channel: Channel = 0, sample_rate: int | None) -> Recording:
    """Read one channel of a recording whole.

    Parameters
    ----------
    path
        The file.
    channel
        Channel counted from 0, or `mix` for the mean of all.
    sample_rate
        Rate to resample to in hertz; the file's own where None.

    Returns
    -------
    The recording; n samples of the file become :func:`~edge_asd.audio.output_length` samples.

    Raises
    ------
    InputError
        One line, for a file that is missing, a folder, unreadable, no audio, damaged, of zero length, without the
        channel, or that holds NaN or infinity.
    """
    with RecordingReader(path, channel=channel) as reader:
        resampler = Resampler(reader.native_rate, sample_rate or reader.native_rate)
        blocks = [resampler.process(block) for block in reader.blocks()]
        blocks.append(resampler.flush())
        return Recording(
            path=reader.path,
            samples=np.concatenate(blocks),
            sample_rate=resampler.target_rate,
            native_rate=reader.native_rate,
            channels=reader.channels,
            encoding=reader.encoding,
        )


def _import_soundfile() -> ModuleType:
    try:
        import soundfile
    except OSError as error:
        remedy = "install it: apt-get install libsndfile1"
        raise InputError("soundfile", expected="the libsndfile library", found="none", remedy=remedy) from error
    module: ModuleType = soundfile
    return module


def _open_regular(path: Path) -> BinaryIO:
    try:
        # Opening a pipe or a device would wait for its other end.
        if not stat.S_ISREG(path.stat().st_mode):
            found = "a folder" if path.is_dir() else "something that is no regular file"
            raise InputError(str(path), expected=_EXPECTED, found=found)
        return path.open("rb")
    except FileNotFoundError as error:
        raise InputError(str(path), expected=_EXPECTED, found="no such file") from error
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise InputError(str(path), expected=_EXPECTED, found=f"a file that cannot be opened: {found}") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).rstrip(".")


def _promised_more(parser_log: str) -> str:
    """What libsndfile's log says of a header that promises more data than the file holds; empty where all is well."""
    found = re.search(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", parser_log, re.MULTILINE)
    if not found:
        return ""
    promised, held = int(found[1]), int(found[2])
    # A program that writes into a pipe cannot know the size and puts a very large one.
    is_real = held < promised < 0x7FFF_0000
    return f"{held} of {promised} bytes" if is_real else ""
