from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_asd.bundle import read_bundle
from edge_asd.errors import CheckFailedError
from edge_asd_export.demo.broker import embedded_broker
from edge_asd_export.demo.folder import Address, Folder
from edge_asd_export.demo.hearing import Hearing, hear
from edge_asd_export.demo.replay import readable, replay, topics_of
from edge_asd_export.demo.subscriber import Message, Subscriber, subscribed


@pytest.fixture(scope="module")
def hearing(site: Folder) -> Hearing:
    return hear(site.stretch, read_bundle(site.bundle))


@pytest.fixture
def plant(site: Folder) -> Iterator[tuple[Address, Subscriber]]:
    with embedded_broker() as address, subscribed(address, topics_of(site)) as subscriber:
        yield address, subscriber


def daemons_of(folder: Folder) -> list[str]:
    """Return the processes that run on the folder's configuration."""
    commands = {path.parent.name: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()}
    return [number for number, command in commands.items() if str(folder.configuration).encode() in command]


def test_the_daemon_s_events_are_placed_in_the_stretch(
    site: Folder, hearing: Hearing, plant: tuple[Address, Subscriber], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Meant for the user's own daemon; this one would refuse it.
    monkeypatch.setenv("EDGE_ASD__MQTT__HOST", "elsewhere.invalid")
    shown: list[str] = []
    told = replay(site, hearing, *plant, shown.append)
    kinds = [event.type for event, _ in told]
    assert kinds[0] == "new"
    assert kinds[-1] == "end"
    assert set(kinds[1:-1]) <= {"update"}
    # Decisions fall twice a second here: the twentieth after the sound has gone wrong, then right again.
    assert told[0].at == pytest.approx(50, abs=1.0)
    assert told[-1].at == pytest.approx(91, abs=1.0)
    assert told[-1].event.reason == "recovered"
    assert shown[0].split() == ["edge-asd/demo-rotating/availability", "online"]
    assert shown[-1].split() == ["edge-asd/demo-rotating/availability", "offline"]
    assert shown[1].startswith(f"minute {told[0].at / 60:.1f}  edge-asd/demo-rotating/rotating/event\n")
    assert not daemons_of(site)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_daemon_ends_with_whoever_started_it(
    site: Folder, hearing: Hearing, plant: tuple[Address, Subscriber], sign: signal.Signals, tmp_path: Path
) -> None:
    folder = Folder(tmp_path, "rotating")
    # At the speed of the sound it would go on for two minutes.
    text = site.configuration.read_text().replace("?speed=max", "").replace("file:", f"file:{site.root}/")
    folder.configuration.write_text(text)
    folder.bundle.write_bytes(site.bundle.read_bytes())

    def interrupt(_text: str) -> None:
        assert daemons_of(folder)
        os.kill(os.getpid(), sign)
        time.sleep(10)

    before = signal.signal(sign, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            replay(folder, hearing, *plant, interrupt)
    finally:
        signal.signal(sign, before)
    assert not daemons_of(folder)


def test_a_daemon_that_fails_is_told_in_its_own_words(
    site: Folder, hearing: Hearing, plant: tuple[Address, Subscriber], tmp_path: Path
) -> None:
    folder = Folder(tmp_path, "rotating")
    folder.configuration.write_bytes(site.configuration.read_bytes())
    with pytest.raises(CheckFailedError, match=r"the daemon failed: edge-asd: .*replay\.wav: expected a recording"):
        replay(folder, hearing, *plant, print)


def test_a_daemon_that_heard_something_else_is_found_out(
    site: Folder, hearing: Hearing, plant: tuple[Address, Subscriber]
) -> None:
    other = hearing._replace(scores=hearing.scores * 1.01)
    with pytest.raises(CheckFailedError, match="offline, no decision after 0 s has it"):
        replay(site, other, *plant, print)
    assert not daemons_of(site)


def test_a_message_is_shown_whole_in_short_lines() -> None:
    payload = {"reason": "the µ-phone, it says, is gone", "ids": ["demo-rotating" * 3] * 8, "score": 4.5}
    text = readable(Message("a/b/event", json.dumps(payload, separators=(",", ":")).encode()), at=1590.0)
    head, *lines = text.splitlines()
    assert head == "minute 26.5  a/b/event"
    assert max(map(len, lines)) <= 100
    assert all(line.startswith("  ") for line in lines)
    assert json.loads(" ".join(line.strip() for line in lines)) == payload
