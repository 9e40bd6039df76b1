"""The microphone's queue and its accounts, with a stream that the test plays itself."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_asd.capture import Block, CaptureError, Gap, Item, Microphone, open_capture, portaudio
from edge_asd.capture.microphone import ArrivalQueue, MicrophoneCapture
from edge_asd.errors import InputError

RATE = 48_000
FRAMES = 4800


class Library:
    """What is used of sounddevice: one microphone, whose stream the test feeds."""

    class PortAudioError(Exception):
        """As sounddevice's."""

    def __init__(self) -> None:
        self.devices = [{"name": "Fake: Mic (hw:1,0)", "max_input_channels": 2}]
        self.refusal = ""
        self.started = 0
        self.streams: list[Any] = []

    def _terminate(self) -> None:
        assert not any(stream.open for stream in self.streams), "an open stream would be ended"

    def _initialize(self) -> None:
        self.started += 1

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA", "default_input_device": 0}]

    def query_devices(self) -> list[dict[str, Any]]:
        common = {"hostapi": 0, "default_samplerate": float(RATE)}
        return [{"index": number, **common, **device} for number, device in enumerate(self.devices)]

    def InputStream(self, **settings: Any) -> Any:  # noqa: N802
        if self.refusal:
            raise self.PortAudioError(self.refusal)
        stream = FakeStream(settings)
        self.streams.append(stream)
        return stream


class FakeStream:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings, self.open = settings, True

    def start(self) -> None:
        pass

    def abort(self, *, ignore_errors: bool) -> None:
        assert ignore_errors

    def close(self, *, ignore_errors: bool) -> None:
        assert ignore_errors
        self.open = False

    def play(self, samples: np.ndarray, *, overflow: bool = False) -> None:
        buffer = samples.astype(np.float32)
        self.settings["callback"](buffer, len(buffer), None, SimpleNamespace(input_overflow=overflow))
        # PortAudio uses its buffer again.
        buffer[:] = np.nan


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    fake = Library()
    monkeypatch.setattr(portaudio, "_sounddevice", lambda: fake)
    return fake


@pytest.fixture
def opened(library: Library) -> Iterator[MicrophoneCapture]:
    with MicrophoneCapture("Fake", sample_rate=RATE, channel=1, stalled_s=0.3) as capture:
        yield capture


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (FRAMES, 2)).astype(np.float32)


def take(capture: MicrophoneCapture, count: int) -> list[Item]:
    return [item for _ in range(count) for item in capture.read()]


def test_it_is_opened_at_its_own_rate_with_all_channels(opened: MicrophoneCapture, library: Library) -> None:
    settings = library.streams[0].settings
    assert (settings["device"], settings["samplerate"], settings["channels"]) == (0, RATE, 2)
    assert settings["dtype"] == "float32"


def test_what_is_played_is_heard_and_numbered(opened: MicrophoneCapture, library: Library) -> None:
    played = [noise(seed) for seed in range(5)]
    for block in played:
        library.streams[0].play(block)
    items = take(opened, 5)
    for number, (item, block) in enumerate(zip(items, played, strict=True)):
        assert isinstance(item, Block)
        assert item.start == number * FRAMES
        np.testing.assert_array_equal(item.samples, block[:, 1])


def test_it_is_resampled_here(library: Library) -> None:
    with MicrophoneCapture(None, sample_rate=16_000, channel="mix") as capture:
        for seed in range(10):
            library.streams[0].play(noise(seed))
        items = take(capture, 10)
    heard = sum(len(item.samples) for item in items if isinstance(item, Block))
    assert 16_000 - 1600 < heard <= 16_000


def test_what_finds_no_room_is_a_gap_of_just_that_length(opened: MicrophoneCapture, library: Library) -> None:
    stream = library.streams[0]
    for seed in range(103):
        stream.play(noise(seed))
    first = take(opened, 1)
    stream.play(noise(103))
    rest = take(opened, 100)
    gaps = [item for item in rest if isinstance(item, Gap)]
    assert gaps == [Gap(3 * FRAMES, f"{3 * FRAMES} samples found no room: this machine is too slow")]
    blocks = [item for item in first + rest if isinstance(item, Block)]
    assert [block.start for block in blocks] == [FRAMES * number for number in [*range(100), 103]]
    np.testing.assert_array_equal(blocks[-1].samples, noise(103)[:, 1])


def test_what_portaudio_lost_is_a_gap_of_unknown_length(opened: MicrophoneCapture, library: Library) -> None:
    library.streams[0].play(noise())
    library.streams[0].play(noise(1), overflow=True)
    items = take(opened, 2)
    assert [type(item) for item in items] == [Block, Gap, Block]
    assert items[1] == Gap(None, "PortAudio lost samples: this machine is too busy")


def test_an_overflow_whose_block_found_no_room_is_told_with_the_next() -> None:
    arrivals = ArrivalQueue(1)
    arrivals.put(noise())
    arrivals.put(noise(), overflowed=True)
    first = arrivals.get(0)
    arrivals.put(noise())
    second = arrivals.get(0)
    assert first is not None
    assert second is not None
    assert (first.position, first.overflowed) == (0, False)
    assert (second.position, second.overflowed) == (2 * FRAMES, True)
    assert arrivals.get(0) is None


def test_no_sound_for_the_set_time_is_a_stall(opened: MicrophoneCapture, library: Library) -> None:
    library.streams[0].play(noise())
    opened.read()
    with pytest.raises(CaptureError, match=r"mic:Fake: no sound for 0\.3 s") as caught:
        opened.read()
    assert caught.value.state == "stalled"


def test_what_came_before_the_microphone_went_is_still_heard(opened: MicrophoneCapture, library: Library) -> None:
    library.streams[0].play(noise())
    library.streams[0].settings["finished_callback"]()
    assert len(opened.read()) == 1
    with pytest.raises(CaptureError, match="mic:Fake: the microphone has gone") as caught:
        opened.read()
    assert caught.value.state == "gone"


def test_a_microphone_that_comes_later_is_found_by_opening_again(library: Library) -> None:
    there, library.devices = library.devices, []
    capture = MicrophoneCapture("Fake", sample_rate=RATE, channel=0)
    with pytest.raises(CaptureError, match="found none"):
        capture.open()
    library.devices = there
    with capture:
        assert library.started == 2


def test_the_list_of_devices_is_not_made_anew_under_an_open_stream(opened: MicrophoneCapture, library: Library) -> None:
    before = library.started
    with open_capture(Microphone("Fake"), sample_rate=16_000):
        assert library.started == before
        assert all(stream.open for stream in library.streams)
    assert [stream.open for stream in library.streams] == [True, False]


def test_a_refusal_may_pass(library: Library) -> None:
    library.refusal = "Device unavailable"
    with pytest.raises(CaptureError, match=r"mic: 'Fake: Mic \(hw:1,0\)' cannot be opened \(Device unavailable\)"):
        MicrophoneCapture(None, sample_rate=RATE, channel=0).open()


def test_a_channel_that_is_not_there_never_comes(library: Library) -> None:
    with pytest.raises(InputError, match="expected channel 2, counted from 0, found 2 channels"):
        MicrophoneCapture("Fake", sample_rate=RATE, channel=2).open()
    assert not library.streams


def test_closing_twice_is_no_harm(opened: MicrophoneCapture, library: Library) -> None:
    opened.close()
    opened.close()
    assert not library.streams[0].open
