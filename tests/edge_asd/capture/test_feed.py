"""Feeds of real processes that play a part: they sound, fall silent, crash, hang, or talk nonsense."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edge_asd.capture import Block, Feeds, Gap, Item, Microphone, Need, open_capture
from edge_asd.capture import feed as feed_module
from edge_asd.capture.feed import Feed, Subscription
from edge_asd.capture.microphone import MicrophoneCapture
from edge_asd.errors import CaptureError, InputError

RATE = 48_000
FRAMES = 4800

# Each part is played by a process that speaks the real one's language. Block n holds noise of seed n, in two channels.
PRELUDE = f"""
import os, sys, time
import numpy as np
from edge_asd.errors import CaptureError, InputError
from edge_asd.microphones.wire import Opened, error_to_bytes, opened_to_bytes, send

def opened():
    send(1, b"O", opened_to_bytes(Opened("Player", {RATE}, 2)))

def play(number, kind=b"S"):
    noise = np.random.default_rng(number).uniform(-0.5, 0.5, ({FRAMES}, 2)).astype(np.float32)
    send(1, kind, noise.tobytes(), number * {FRAMES})
"""


def command(part: str) -> list[str]:
    return [sys.executable, "-c", PRELUDE + part]


def noise(number: int) -> np.ndarray:
    return np.random.default_rng(number).uniform(-0.5, 0.5, (FRAMES, 2)).astype(np.float32)


def start(part: str, *, stalled_s: float = 1.0, start_s: float = 10.0) -> Feed:
    return Feed(command(part), "mic:player", stalled_s=stalled_s, start_s=start_s)


def hear_out(subscription: Subscription) -> tuple[list[int], Exception]:
    """Return the positions of all that is heard, and why it ended."""
    positions = []
    try:
        while True:
            positions.append(subscription.get().position)
    except (CaptureError, InputError) as error:
        return positions, error


def capture(part: str, channel: int = 1, rate: int = RATE) -> tuple[MicrophoneCapture, Feed]:
    feed = start(part)
    return MicrophoneCapture(feed.subscribe(), Need("player", channel, rate)), feed


def items_of(source: MicrophoneCapture) -> list[Item]:
    items: list[Item] = []
    with pytest.raises(CaptureError):
        items.extend(source)
    return items


def test_what_is_played_is_heard_and_numbered() -> None:
    source, _ = capture("opened(); [play(n) for n in range(5)]")
    items = items_of(source)
    assert len(items) == 5
    for number, item in enumerate(items):
        assert isinstance(item, Block)
        assert item.start == number * FRAMES
        np.testing.assert_array_equal(item.samples, noise(number)[:, 1])


def test_it_is_resampled_here() -> None:
    source, _ = capture("opened(); [play(n) for n in range(10)]", rate=16_000)
    heard = sum(len(item.samples) for item in items_of(source) if isinstance(item, Block))
    assert 16_000 - 1600 < heard <= 16_000


def test_lost_sound_is_a_gap_of_just_that_length() -> None:
    source, _ = capture("opened(); play(0); play(3); play(4, b'L')")
    assert [item if isinstance(item, Gap) else item.start for item in items_of(source)] == [
        0,
        Gap(
            2 * FRAMES,
            f"{2 * FRAMES} samples found no room: this machine is too slow",
            frames=2 * FRAMES,
            overflow=True,
        ),
        3 * FRAMES,
        Gap(None, "PortAudio lost samples: this machine is too busy", overflow=True),
        4 * FRAMES,
    ]


def test_what_is_lost_is_counted_in_frames_of_the_microphone_and_one_overflow_once() -> None:
    source, _ = capture("opened(); play(0); play(3, b'L')", rate=16_000)
    gaps = [item for item in items_of(source) if isinstance(item, Gap)]
    assert [(gap.lost, gap.frames, gap.overflow) for gap in gaps] == [
        (2 * FRAMES // 3, 2 * FRAMES, True),
        (None, 0, False),
    ]


def test_a_channel_that_is_not_there_never_comes() -> None:
    with pytest.raises(InputError, match="mic:Player: expected channel 2, counted from 0, found 2 channels"):
        capture("opened(); play(0); time.sleep(60)", channel=2)


def test_a_slow_listener_loses_sound_and_the_other_none() -> None:
    feed = start("opened(); [play(n) for n in range(150)]; play(150, b'L'); time.sleep(0.5)")
    slow, quick = feed.subscribe(), feed.subscribe()
    positions, _ = hear_out(quick)
    assert positions == [FRAMES * number for number in range(151)]
    late, _ = hear_out(slow)
    assert late == [FRAMES * number for number in range(100)]


def test_word_of_loss_waits_for_room() -> None:
    feed = start("time.sleep(60)")
    subscription = feed.subscribe()
    sound = feed_module.Arrival(0, noise(0), overflowed=False)
    for _ in range(100):
        subscription.put(sound)
    subscription.put(sound._replace(overflowed=True))
    assert not subscription.get().overflowed
    subscription.put(sound)
    assert [subscription.get().overflowed for _ in range(100)] == [False] * 99 + [True]
    feed.close()


@pytest.mark.parametrize(
    ("part", "state", "said"),
    [
        ("opened(); play(0); time.sleep(60)", "stalled", "mic:player: no sound for 1 s"),
        ("opened(); play(0); os.kill(os.getpid(), 19)", "stalled", "mic:player: no sound for 1 s"),
        ("opened(); play(0); os.write(1, b'easdS'); time.sleep(60)", "stalled", "mic:player: no sound for 1 s"),
        ("opened(); play(0); os.kill(os.getpid(), 11)", "gone", "mic:player: the capture process has ended"),
        ("opened(); play(0); os.write(1, b'x' * 20)", "gone", "the capture process talks nonsense"),
        ("opened(); play(0); send(1, b'S', b'1234')", "gone", "mic:player: the capture process gave half a sample"),
        ("opened(); play(0); send(1, b'E', error_to_bytes(CaptureError('it went')))", "gone", "it went"),
        ("opened(); play(0); send(1, b'E', b'{')", "gone", "mic:player: the feed failed"),
    ],
)
def test_whatever_becomes_of_the_process_what_came_before_is_heard(part: str, state: str, said: str) -> None:
    feed = start(part)
    positions, error = hear_out(feed.subscribe())
    assert positions == [0]
    assert isinstance(error, CaptureError)
    assert error.state == state
    assert str(error).startswith(said)


def test_a_process_that_never_opens_its_microphone_is_a_stall() -> None:
    feed = start("time.sleep(60)", start_s=0.5)
    with pytest.raises(CaptureError, match=r"no sound for 0\.5 s"):
        feed.subscribe().opened()


def test_what_can_never_be_is_told_as_such() -> None:
    feed = start("send(1, b'E', error_to_bytes(InputError('mic:x', expected='one', found='two')))")
    with pytest.raises(InputError, match="mic:x: expected one, found two"):
        feed.subscribe().opened()


def test_a_program_that_is_not_there_is_no_sound() -> None:
    feed = Feed(["/nowhere/python"], "mic:player")
    with pytest.raises(CaptureError, match="no process can be started"):
        feed.subscribe().opened()


def test_closing_kills_a_process_that_hangs() -> None:
    feed = start("opened(); send(1, b'S', np.float32([os.getpid()] * 2).tobytes()); time.sleep(60)")
    subscription = feed.subscribe()
    process = int(subscription.get().samples[0, 0])
    os.kill(process, 0)
    assert feed.unsubscribe(subscription)
    feed.close()
    wait_until_gone(process)


def wait_until_gone(process: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def player(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have microphones played by a part; the requests for them are kept."""
    requests: list[str] = []

    def scripted(words: list[str], where: str) -> Feed:
        requests.append(words[-1])
        part = "opened(); [(play(n), time.sleep(0.02)) for n in range(10_000)]"
        return Feed(command(part), where, stalled_s=1.0)

    monkeypatch.setattr(feed_module, "Feed", scripted)
    return requests


def test_sources_of_one_microphone_share_a_process_and_each_has_its_channel(player: list[str]) -> None:
    feeds = Feeds([Need("player", 0, 16_000), Need("player", 1, RATE)])
    heard: dict[int, Block] = {}

    def listen(channel: int, rate: int) -> None:
        with open_capture(Microphone("player"), sample_rate=rate, channel=channel, feeds=feeds) as source:
            heard[channel] = next(item for item in source if isinstance(item, Block))
            both.wait(20)

    both = threading.Barrier(2)
    threads = [threading.Thread(target=listen, args=(channel, RATE)) for channel in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert player == ['{"name": "player", "channels": 2, "rate": 48000}']
    for channel, block in heard.items():
        assert any(np.array_equal(block.samples, noise(number)[:, channel]) for number in range(1000))


def test_after_a_stall_the_next_to_ask_gets_a_new_process(player: list[str]) -> None:
    feeds = Feeds()
    need = Need("player", 0, RATE)
    with feeds.listen(need) as first:
        first.opened()
        with feeds.listen(need) as second:
            second.opened()
            assert len(player) == 1
        first._feed._end(CaptureError("as after a stall"))
        with feeds.listen(need) as third:
            third.opened()
            assert third.get().position >= 0
    assert len(player) == 2
