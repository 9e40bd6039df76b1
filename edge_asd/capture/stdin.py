"""Raw samples from standard input."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Channel, Resampler, to_mono
from edge_asd.capture.address import SampleFormat, Stdin
from edge_asd.capture.items import Block, Gap
from edge_asd.errors import InputError

_BLOCK_S = 0.1
_BYTES = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}


def read_stdin(
    address: Stdin, *, sample_rate: int, channel: Channel, stream: io.BufferedReader | None = None
) -> Iterator[Block | Gap]:
    """Give the sound of a raw stream until it ends; samples that are no numbers become a gap.

    Raises
    ------
    InputError
        When the stream lacks the channel.
    """
    if channel != "mix" and channel >= address.channels:
        raise InputError("stdin", expected=f"channel {channel}, counted from 0", found=f"{address.channels} channel(s)")
    source = stream or io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
    frame_bytes = _BYTES[address.format] * address.channels
    resampler = Resampler(address.rate, sample_rate)
    rest = b""
    while data := source.read1(max(frame_bytes, round(_BLOCK_S * address.rate) * frame_bytes)):
        data = rest + data
        whole = len(data) - len(data) % frame_bytes
        rest = data[whole:]
        samples = to_mono(decode(data[:whole], address.format, address.channels), channel)
        if np.isfinite(samples).all():
            yield from _block(resampler.process(samples))
        else:
            yield from _block(resampler.flush())
            resampler = Resampler(address.rate, sample_rate)
            yield Gap(round(len(samples) * sample_rate / address.rate), "samples that are not numbers")
    yield from _block(resampler.flush())


def decode(data: bytes, form: SampleFormat, channels: int) -> NDArray[np.float32]:
    """Return raw samples as floats of full scale ±1, shape (n, channels)."""
    if form == "f32le":
        values = np.frombuffer(data, "<f4").astype(np.float32)
    elif form == "s24le":
        # The three bytes become the upper ones of four, which keeps the sign.
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        values = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    else:
        integers = np.frombuffer(data, "<i2" if form == "s16le" else "<i4")
        values = integers.astype(np.float32) / np.float32(-float(np.iinfo(integers.dtype).min))
    return values.reshape(-1, channels)


def _block(samples: NDArray[np.float32]) -> Iterator[Block]:
    if len(samples):
        yield Block(samples)
