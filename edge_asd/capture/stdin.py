"""Raw samples from standard input."""

from __future__ import annotations

import io
import logging
import select
import sys
from collections.abc import Iterator
from typing import Protocol

from edge_asd.audio import Channel, PcmDecoder, check_channel, to_mono
from edge_asd.capture.address import Stdin
from edge_asd.capture.items import Item
from edge_asd.capture.track import Track
from edge_asd.errors import CaptureError, InputError

_log = logging.getLogger(__name__)

STALLED_S = 5.0
"""Seconds without a byte after which the input counts as stalled."""
_BLOCK_S = 0.1
_HEADERS = {b"RIFF": "a WAV file", b"RIFX": "a WAV file", b"RF64": "a WAV file", b"fLaC": "a FLAC file"}
_HEADERS |= {b"OggS": "an Ogg file", b"FORM": "an AIFF file"}


class Stream(Protocol):
    """An unbuffered stream of bytes."""

    def fileno(self) -> int:
        """Return its descriptor; raises OSError where there is none."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most `size` bytes, none at the end, None when there is nothing yet."""


class StdinCapture:
    """Gives the sound of a raw stream until it ends.

    Parameters
    ----------
    address
        Form of the samples.
    sample_rate
        Rate of the samples that are given, in hertz.
    channel
        Channel to take, counted from 0, or `mix`.
    stream
        Where the bytes come from; standard input where left out.
    stalled_s
        Seconds without a byte after which it counts as stalled.

    Raises
    ------
    InputError
        When there is no such stream, it lacks the channel, or is a terminal; from the iterator, when it begins with a
        file's header, or stops within a sample.
    CaptureError
        From the iterator, when nothing arrives for `stalled_s`; another capture of the same stream then goes on.
    """

    def __init__(
        self,
        address: Stdin,
        *,
        sample_rate: int,
        channel: Channel,
        stream: Stream | None = None,
        stalled_s: float = STALLED_S,
    ) -> None:
        check_channel("stdin", channel, address.channels)
        self._stream = _standard_input() if stream is None else stream
        self._decoder = PcmDecoder(address.format, address.channels)
        self._track = Track(address.rate, sample_rate)
        self._channel, self._stalled_s = channel, stalled_s
        self._most = max(1, round(_BLOCK_S * address.rate)) * self._decoder.frame_bytes

    def __iter__(self) -> Iterator[Item]:
        data = self._read()
        _check_raw(data)
        while data:
            yield from self._track.process(to_mono(self._decoder.process(data), self._channel))
            data = self._read()
        yield from self._track.end()
        if self._decoder.pending:
            _log.warning("stdin: ends within a sample: the last %d bytes are left out", self._decoder.pending)

    def _read(self) -> bytes:
        """Return whole samples, whatever there is of at most a block; fewer bytes at the end, and then none.

        So whoever hears the stream next, after a stall or a reload, begins with a sample as well.
        """
        data = self._read_some(self._most)
        while data and (over := len(data) % self._decoder.frame_bytes):
            more = self._read_some(self._decoder.frame_bytes - over, within=True)
            if not more:
                break
            data += more
        return data

    def _read_some(self, most: int, *, within: bool = False) -> bytes:
        """Return some bytes, none at the end; `within` a sample, nobody could go on after a stall."""
        data = None
        while data is None:
            if not _wait(self._stream, self._stalled_s):
                nothing = f"nothing for {self._stalled_s:g} s"
                if within:
                    raise InputError("stdin", expected="the rest of a sample", found=nothing)
                raise CaptureError(f"stdin: {nothing}", state="stalled")
            data = self._stream.read(most)
        return data


def _standard_input() -> io.FileIO:
    try:
        stream = io.FileIO(sys.stdin.fileno(), closefd=False)
    except (AttributeError, OSError) as error:
        raise InputError("stdin", expected="raw samples on standard input", found="none that is open") from error
    if stream.isatty():
        raise InputError(
            "stdin",
            expected="raw samples on standard input",
            found="a terminal",
            remedy="pipe them in: arecord -t raw -f S16_LE -r 16000 | edge-asd …",
        )
    return stream


def _wait(stream: Stream, seconds: float) -> bool:
    """Wait until there is something to read, or the end; False when nothing came in time."""
    try:
        number = stream.fileno()
    except OSError:
        return True
    return bool(select.select([number], [], [], seconds)[0])


def _check_raw(data: bytes) -> None:
    header = _HEADERS.get(data[:4])
    if header:
        raise InputError(
            "stdin",
            expected="raw samples without a header",
            found=f"{header}'s header",
            remedy="give recordings as file:PATH, or convert: ffmpeg -i FILE -f s16le -ar 16000 -ac 1 -",
        )
