"""Raw samples from a stream."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asd.audio import Channel, Resampler
from edge_asd.capture import Block, Gap, Item, Stdin
from edge_asd.capture.stdin import StdinCapture, Stream
from edge_asd.errors import CaptureError, InputError

RATE = 16_000


def noise(length: int, channels: int = 1) -> np.ndarray:
    values = np.random.default_rng(0).integers(-30_000, 30_000, (length, channels))
    return values.astype("<i2")


def capture(data: bytes | Stream, address: Stdin = Stdin(), channel: Channel = 0, **how: float) -> list[Item]:  # noqa: B008
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    return list(StdinCapture(address, sample_rate=RATE, channel=channel, stream=stream, **how))


def samples_of(items: list[Item]) -> np.ndarray:
    position = 0
    for item in items:
        assert isinstance(item, Block)
        assert item.start == position
        position += len(item.samples)
    return np.concatenate([item.samples for item in items if isinstance(item, Block)])


def test_samples_are_heard_as_they_were_written() -> None:
    raw = noise(40_000)
    np.testing.assert_array_equal(samples_of(capture(raw.tobytes())), raw[:, 0].astype(np.float32) / 32768)


def test_blocks_are_bounded() -> None:
    assert max(len(item.samples) for item in capture(noise(40_000).tobytes()) if isinstance(item, Block)) == RATE // 10


@pytest.mark.parametrize("channel", [0, 2, "mix"])
def test_rate_and_channel_are_those_asked_for(channel: Channel) -> None:
    raw = noise(48_000, 3)
    floats = raw.astype(np.float32) / 32768
    mono = np.asarray(floats.mean(axis=1) if channel == "mix" else floats[:, channel], np.float32)
    resampler = Resampler(48_000, RATE)
    expected = np.concatenate([resampler.process(mono), resampler.flush()])
    got = samples_of(capture(raw.tobytes(), Stdin(48_000, "s16le", 3), channel))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


class Drip:
    """A stream that gives as few bytes as it likes, and sometimes none yet."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes = io.BytesIO(data), iter(sizes)

    def fileno(self) -> int:
        raise io.UnsupportedOperation

    def read(self, size: int, /) -> bytes | None:
        few = next(self._sizes, size)
        return self._data.read(min(few, size)) if few else None


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 70), max_size=60), form=st.sampled_from(["s16le", "s24le"]))
def test_reads_that_end_anywhere_change_no_sample(sizes: list[int], form: str) -> None:
    data = noise(3000, 2).tobytes()
    address = Stdin(8000, form, 2)  # type: ignore[arg-type]
    np.testing.assert_array_equal(samples_of(capture(Drip(data, sizes), address)), samples_of(capture(data, address)))


def test_floats_that_are_no_numbers_become_a_gap() -> None:
    floats = np.zeros(4800, "<f4")
    floats[2000] = np.nan
    items = capture(floats.tobytes(), Stdin(format="f32le"))
    gaps = [item for item in items if isinstance(item, Gap)]
    assert {gap.reason for gap in gaps} == {"samples that are no numbers"}
    assert sum(gap.frames for gap in gaps) == 1601
    assert next(item.start for item in items if isinstance(item, Block) and item.start >= 2000) == 3601


def test_an_end_within_a_sample_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(samples_of(capture(noise(100).tobytes() + b"\x01"))) == 100
    assert [record.getMessage() for record in caplog.records] == [
        "stdin: ends within a sample: the last 1 bytes are left out"
    ]


def test_nothing_at_all_gives_nothing() -> None:
    assert capture(b"") == []


@pytest.mark.parametrize(
    ("head", "what"), [(b"RIFF", "a WAV file"), (b"fLaC", "a FLAC file"), (b"OggS", "an Ogg file")]
)
def test_a_file_with_a_header_is_refused(head: bytes, what: str) -> None:
    with pytest.raises(InputError, match=f"expected raw samples without a header, found {what}'s header"):
        capture(head + bytes(1000))


def test_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="stdin: expected channel 2"):
        capture(b"", Stdin(channels=2), 2)


@contextmanager
def pipe() -> Iterator[tuple[io.FileIO, io.FileIO]]:
    reading, writing = os.pipe()
    with io.FileIO(reading, "r") as source, io.FileIO(writing, "w") as sink:
        yield source, sink


def test_a_stalled_pipe_is_told_and_goes_on_with_the_next_capture() -> None:
    raw = noise(2000)
    with pipe() as (source, sink):
        sink.write(raw[:1000].tobytes())
        heard = []
        with pytest.raises(CaptureError, match=r"stdin: nothing for 0\.05 s") as caught:
            heard += [*StdinCapture(Stdin(), sample_rate=RATE, channel=0, stream=source, stalled_s=0.05)]
        assert caught.value.state == "stalled"
        sink.write(raw[1000:].tobytes())
        sink.close()
        items = capture(source)
    np.testing.assert_array_equal(samples_of(items), raw[1000:, 0].astype(np.float32) / 32768)


def test_a_pipe_stalled_within_a_sample_cannot_go_on() -> None:
    with pipe() as (source, sink):
        sink.write(noise(10).tobytes() + b"\x01")
        with pytest.raises(InputError, match="the rest of a sample"):
            capture(source, stalled_s=0.05)


def test_whoever_goes_on_after_another_begins_with_a_whole_sample() -> None:
    address, raw = Stdin(format="s24le", channels=2), np.arange(6000, dtype=np.uint8).tobytes()
    with pipe() as (source, sink):
        sink.write(raw[:1000])
        first = iter(StdinCapture(address, sample_rate=RATE, channel=0, stream=source))
        more = threading.Timer(0.1, sink.write, [raw[1000:]])
        more.start()
        heard = [next(first)]
        more.join()
        sink.close()
        # A reload: the source has another listener now.
        heard += capture(source, address)
    blocks = [item.samples for item in heard if isinstance(item, Block)]
    np.testing.assert_array_equal(np.concatenate(blocks), samples_of(capture(raw, address)))


def test_a_slow_writer_is_waited_for() -> None:
    raw = noise(4000)
    with pipe() as (source, sink):

        def write() -> None:
            for piece in np.array_split(raw, 7):
                sink.write(piece.tobytes())
            sink.close()

        writer = threading.Thread(target=write)
        writer.start()
        items = capture(source, stalled_s=10)
        writer.join()
    np.testing.assert_array_equal(samples_of(items), raw[:, 0].astype(np.float32) / 32768)


PROGRAM = """
import sys
from edge_asd.capture import open_capture, parse_source
with open_capture(parse_source("stdin?rate=8000"), sample_rate=16000) as capture:
    print(sum(len(block.samples) for block in capture))
"""


def test_standard_input_itself_is_heard() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=noise(12_345).tobytes(), capture_output=True, check=True, timeout=60
    )
    assert int(done.stdout) == 24_690


def test_a_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="stdin: expected raw samples on standard input, found none that is open"):
        StdinCapture(Stdin(), sample_rate=RATE, channel=0)


def test_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with io.FileIO(master, "r+"), io.FileIO(slave, "r+") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(InputError, match="found a terminal"):
            StdinCapture(Stdin(), sample_rate=RATE, channel=0)
