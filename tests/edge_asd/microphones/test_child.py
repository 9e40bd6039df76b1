"""The recording process: with a stand-in for PortAudio that the test plays itself, and as the real process it is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from edge_asd.capture.feed import child_command
from edge_asd.errors import CaptureError, InputError
from edge_asd.microphones.child import BlockQueue, RawBlock, Request, record
from edge_asd.microphones.wire import (
    HEADER_BYTES,
    Header,
    Opened,
    error_to_bytes,
    parse_error,
    parse_header,
    parse_opened,
    send,
)

FRAMES = 4800


class Library:
    """What is used of sounddevice: one microphone, whose stream the test feeds."""

    class PortAudioError(Exception):
        """As sounddevice's."""

    def __init__(self) -> None:
        self.devices = [{"name": "Fake: Mic (hw:1,0)", "max_input_channels": 2}]
        self.refusal = ""
        self.rates = {44_100, 48_000, 96_000}
        self.streams: list[dict[str, Any]] = []
        self.started = threading.Event()

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA", "default_input_device": 0, "devices": list(range(len(self.devices)))}]

    def query_devices(self, number: int) -> dict[str, Any]:
        device = self.devices[number]
        if isinstance(device["name"], bytes):
            device = {**device, "name": device["name"].decode()}
        return {"index": number, "hostapi": 0, "default_samplerate": 44_100.0, **device}

    def check_input_settings(self, *, samplerate: int, **_others: Any) -> None:
        if samplerate not in self.rates:
            raise self.PortAudioError("Invalid sample rate")

    def RawInputStream(self, **settings: Any) -> Any:  # noqa: N802
        if self.refusal:
            raise self.PortAudioError(self.refusal)
        self.streams.append(settings)
        return SimpleNamespace(start=self.started.set)

    def play(self, content: bytes, *, overflow: bool = False) -> None:
        buffer = bytearray(content)
        self.streams[0]["callback"](buffer, FRAMES, None, SimpleNamespace(input_overflow=overflow))
        # PortAudio uses its buffer again.
        buffer[:] = bytes(len(buffer))


class Recording:
    """`record` in a thread, and what it writes."""

    def __init__(self, library: Library, request: Request) -> None:
        self._reading, writing = os.pipe()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(library, request, writing))
        self._thread.start()

    def _run(self, library: Library, request: Request, writing: int) -> None:
        try:
            record(library, request, writing)
        except Exception as error:  # noqa: BLE001
            self.error = error
        finally:
            os.close(writing)

    def next(self) -> tuple[Header, bytes]:
        header = parse_header(self._take(HEADER_BYTES))
        return header, self._take(header.length)

    def _take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = os.read(self._reading, size - len(data))
            assert more, "the recording has ended"
            data += more
        return data

    def end(self) -> Exception | None:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.error

    def stop_reading(self) -> None:
        os.close(self._reading)


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def recording(library: Library) -> Iterator[Recording]:
    started = Recording(library, Request("Fake", 1, 16_000))
    assert library.started.wait(10)
    yield started
    library.streams[0]["finished_callback"]()
    started.end()


def test_it_is_opened_at_its_own_rate_with_all_channels(library: Library, recording: Recording) -> None:
    settings = library.streams[0]
    assert (settings["device"], settings["samplerate"], settings["channels"]) == (0, 44_100, 2)
    assert settings["dtype"] == "float32"
    header, payload = recording.next()
    assert (header.kind, parse_opened(payload)) == (b"O", Opened("Fake: Mic (hw:1,0)", 44_100, 2))


@pytest.mark.parametrize(
    ("wanted", "taken", "opened"),
    [
        (16_000, {44_100, 48_000}, 44_100),
        (48_000, {44_100, 48_000, 96_000}, 48_000),
        (48_000, {44_100, 96_000}, 96_000),
        (48_000, {16_000, 44_100}, 44_100),
        (16_000, {48_000}, 48_000),
        (16_000, {8000}, 8000),
        (16_000, set(), 44_100),
    ],
)
def test_a_rate_is_chosen_that_it_takes_and_that_is_enough(
    library: Library, wanted: int, taken: set[int], opened: int
) -> None:
    library.rates = taken
    recording = Recording(library, Request(None, 1, wanted))
    assert library.started.wait(10)
    assert library.streams[0]["samplerate"] == opened
    library.streams[0]["finished_callback"]()
    recording.end()


def test_what_is_played_is_written_and_numbered(library: Library, recording: Recording) -> None:
    recording.next()
    played = [bytes([number]) * FRAMES * 8 for number in range(5)]
    for block in played:
        library.play(block)
    for number, block in enumerate(played):
        assert recording.next() == (Header(b"S", len(block), number * FRAMES), block)


def test_what_portaudio_lost_is_told(library: Library, recording: Recording) -> None:
    recording.next()
    library.play(b"\1" * 8)
    library.play(b"\2" * 8, overflow=True)
    assert recording.next()[0].kind == b"S"
    assert recording.next()[0].kind == b"L"


def test_what_finds_no_room_shows_in_the_position() -> None:
    blocks = BlockQueue(1)
    blocks.put(b"a", FRAMES)
    blocks.put(b"b", FRAMES, overflowed=True)
    first = blocks.get(0)
    blocks.put(b"c", FRAMES)
    assert [first, blocks.get(0)] == [RawBlock(0, b"a", False), RawBlock(2 * FRAMES, b"c", True)]
    assert blocks.get(0) is None


def test_a_block_without_samples_is_none() -> None:
    blocks = BlockQueue(2)
    blocks.put(b"", 0, overflowed=True)
    assert blocks.get(0) is None
    blocks.put(b"a", FRAMES)
    assert blocks.get(0) == RawBlock(0, b"a", True)


def test_what_came_before_the_microphone_went_is_still_written(library: Library, recording: Recording) -> None:
    recording.next()
    library.play(b"\1" * 8)
    library.streams[0]["finished_callback"]()
    assert recording.next()[1] == b"\1" * 8
    assert str(recording.end()) == "mic:Fake: the microphone has gone"


def test_it_ends_when_nobody_reads_any_more(library: Library, recording: Recording) -> None:
    recording.stop_reading()
    library.play(b"\1" * 8)
    assert isinstance(recording.end(), BrokenPipeError)


def test_a_refusal_is_told_with_the_microphone_s_name(library: Library) -> None:
    library.refusal = "Device unavailable"
    error = Recording(library, Request(None, 1, 16_000)).end()
    assert isinstance(error, CaptureError)
    assert str(error) == "mic: 'Fake: Mic (hw:1,0)' cannot be opened (Device unavailable)"


def test_errors_come_through_the_pipe_as_they_are() -> None:
    wrong = InputError("mic:USB", expected="one microphone", found="'a'; 'b'", remedy="give the whole name")
    back = parse_error(error_to_bytes(wrong))
    assert (type(back), str(back)) == (InputError, str(wrong))
    back = parse_error(error_to_bytes(CaptureError("mic: gone")))
    assert (type(back), str(back)) == (CaptureError, "mic: gone")
    assert "ZeroDivisionError('x')" in str(parse_error(error_to_bytes(ZeroDivisionError("x"))))


def test_a_message_longer_than_the_pipe_arrives_whole() -> None:
    reading, writing = os.pipe()
    sent = bytes(range(256)) * 4096
    thread = threading.Thread(target=send, args=(writing, b"S", sent, 7))
    thread.start()
    with os.fdopen(reading, "rb") as pipe:
        assert parse_header(pipe.read(HEADER_BYTES)) == Header(b"S", len(sent), 7)
        assert pipe.read(len(sent)) == sent
    thread.join()
    os.close(writing)


@pytest.mark.parametrize("data", [b"x" * HEADER_BYTES, b"easdX" + bytes(15), b"easdS" + b"\xff" * 15])
def test_nonsense_is_no_header(data: bytes) -> None:
    with pytest.raises(CaptureError, match="talks nonsense"):
        parse_header(data)


def test_the_process_tells_why_it_cannot_record() -> None:
    command = child_command(Request("no microphone is called so", 1, 16_000))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    written = process.stdout.read()
    process.communicate(timeout=30)
    header = parse_header(written[:HEADER_BYTES])
    assert (header.kind, process.returncode) == (b"E", 0)
    assert str(parse_error(written[HEADER_BYTES:])).startswith("mic:no microphone is called so: expected a microphone")


def test_the_process_ends_with_its_parent_whatever_hangs() -> None:
    code = """
import time
from edge_asd.microphones import child
child.record = lambda *_: time.sleep(600)
child.main(['{"name": null, "channels": 1, "rate": 16000}'])
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0


def test_the_process_needs_no_numpy() -> None:
    code = "import sys, edge_asd.microphones.child, sounddevice; print(*{'numpy', 'msgspec'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout.strip() == ""
