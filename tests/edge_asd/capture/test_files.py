"""Recordings as a source: their samples, their pace, and the gaps between them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asd.audio import Channel, read_recording
from edge_asd.capture import Block, Files, Gap, Item, open_capture
from edge_asd.capture.files import FilesCapture
from edge_asd.errors import InputError

RATE = 16_000


def noise(path: Path, seconds: float, rate: int = RATE, channels: int = 1) -> Path:
    samples = np.random.default_rng(len(path.name)).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    soundfile.write(path, samples, rate)
    return path


def heard(path: Path, sample_rate: int = RATE, channel: Channel = 0) -> list[Item]:
    with open_capture(Files(path, real_time=False), sample_rate=sample_rate, channel=channel) as capture:
        return list(capture)


def samples_of(items: list[Item]) -> np.ndarray:
    return np.concatenate([item.samples for item in items if isinstance(item, Block)])


def gaps_of(items: list[Item]) -> list[Gap]:
    return [item for item in items if isinstance(item, Gap)]


def check_numbering(items: list[Item]) -> None:
    position = 0
    for item in items:
        if isinstance(item, Gap):
            position += item.lost or 0
        else:
            assert item.start == position
            assert item.samples.dtype == np.float32
            position += len(item.samples)


@pytest.mark.parametrize(("rate", "channel"), [(16_000, 0), (44_100, 1), (48_000, "mix"), (8_000, 0)])
def test_a_recording_is_heard_as_it_is_read(tmp_path: Path, rate: int, channel: Channel) -> None:
    path = noise(tmp_path / "a.wav", 1.03, rate, 2)
    items = heard(path, channel=channel)
    assert not gaps_of(items)
    check_numbering(items)
    np.testing.assert_array_equal(samples_of(items), read_recording(path, channel=channel, sample_rate=RATE).samples)


def test_the_recordings_of_a_folder_are_heard_one_after_another_with_a_gap_between(tmp_path: Path) -> None:
    paths = [
        noise(tmp_path / "1.wav", 0.5),
        noise(tmp_path / "20.flac", 0.35, 44_100),
        noise(tmp_path / "300.wav", 0.2),
    ]
    items = heard(tmp_path)
    check_numbering(items)
    assert gaps_of(items) == [Gap(None, f"next recording: {path.name}") for path in paths[1:]]
    expected = [read_recording(path, sample_rate=RATE).samples for path in paths]
    np.testing.assert_array_equal(samples_of(items), np.concatenate(expected))


def test_a_damaged_recording_is_logged_counted_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noise(tmp_path / "a.wav", 0.5)
    (tmp_path / "b.wav").write_text("not a sound")
    noise(tmp_path / "c.wav", 0.5)
    capture = FilesCapture(Files(tmp_path, real_time=False), sample_rate=RATE, channel=0)
    with caplog.at_level(logging.WARNING):
        items = list(capture)
    assert [gap.reason for gap in gaps_of(items)] == ["unreadable recording: b.wav", "next recording: c.wav"]
    assert len(samples_of(items)) == RATE
    assert capture.unreadable == 1
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith(f"passed over: {tmp_path / 'b.wav'}: expected a recording")
    assert said[1] == f"{tmp_path}: 1 of 3 recordings could not be read"


def test_a_recording_damaged_in_its_middle_is_heard_up_to_there(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    samples[9000] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    noise(tmp_path / "b.wav", 0.5)
    items = heard(tmp_path)
    check_numbering(items)
    assert [gap.reason for gap in gaps_of(items)] == ["unreadable recording: a.wav", "next recording: b.wav"]
    before = samples_of(items[: [type(item) for item in items].index(Gap)])
    np.testing.assert_array_equal(before, samples[: len(before)].astype(np.float32))
    assert 7000 < len(before) <= 9000


def test_a_single_damaged_recording_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "b.wav"
    path.write_text("not a sound")
    with pytest.raises(InputError, match=r"b\.wav: expected a recording"):
        heard(path)


def test_a_folder_of_damaged_recordings_is_an_error(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_text("not a sound")
    with pytest.raises(InputError, match="found 2 files, none of which can be read"):
        heard(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_nothing_to_hear_is_an_error_before_anything_is_heard(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(InputError),
        open_capture(Files(tmp_path / name, real_time=False), sample_rate=RATE),
    ):
        pytest.fail("the source was opened")


class Clock:
    """Time that only sleeping, and a slow listener, let pass."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


def paced(path: Path, clock: Clock) -> Iterator[Item]:
    return iter(FilesCapture(Files(path), sample_rate=RATE, channel=0, clock=clock, sleep=clock.sleep))


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_at_real_time_a_sample_is_given_when_a_microphone_would_have_heard_it(tmp_path: Path, rate: int) -> None:
    noise(tmp_path / "a.wav", 2.0, rate)
    noise(tmp_path / "b.wav", 1.0, rate)
    clock = Clock()
    for item in paced(tmp_path, clock):
        if isinstance(item, Block):
            end = item.start + len(item.samples)
            assert clock.now == pytest.approx(1000 + end / RATE, abs=1e-6)
    assert clock.now == pytest.approx(1003)
    assert max(clock.slept) < 0.25


def test_a_listener_that_was_slow_is_caught_up_with_and_nothing_is_lost(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 3.0)
    clock = Clock()
    total = 0
    for number, item in enumerate(paced(path, clock)):
        assert isinstance(item, Block)
        total += len(item.samples)
        if number == 5:
            clock.now += 1.0
    assert total == 3 * RATE
    assert clock.now == pytest.approx(1003)


def test_as_fast_as_possible_never_sleeps(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 1.0)
    clock = Clock()
    address = Files(path, real_time=False)
    list(FilesCapture(address, sample_rate=RATE, channel=0, clock=clock, sleep=clock.sleep))
    assert not clock.slept


def test_silence_and_clipping_are_seen_at_the_rate_of_the_recording(tmp_path: Path) -> None:
    rate = 48_000
    rng = np.random.default_rng(0)
    clipped = np.clip(3 * rng.standard_normal(3 * rate), -1, 1)
    constant = np.full(7 * rate, 0.01)
    live = 0.1 * rng.standard_normal(2 * rate)
    soundfile.write(tmp_path / "a.wav", np.concatenate([live, clipped, constant, live]), rate, subtype="PCM_24")
    faults = {}
    for item in heard(tmp_path / "a.wav"):
        assert isinstance(item, Block)
        faults[item.start / RATE] = item.fault
    seen = [faults[max(start for start in faults if start <= second)] for second in (1.5, 4.5, 9, 11.5, 13.5)]
    assert seen == [None, "clipped", "dropout", "silent", None]
