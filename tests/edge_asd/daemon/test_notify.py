"""What systemd hears, on a socket that stands in for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_asd.daemon.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def heard(systemd: socket.socket) -> list[str]:
    systemd.setblocking(False)
    found = []
    try:
        while True:
            found.append(systemd.recv(4096).decode())
    except BlockingIOError:
        return found


def test_it_is_told_line_by_line(systemd: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": systemd.getsockname()}).tell("READY=1", "STATUS=listening")
    assert heard(systemd) == ["READY=1\nSTATUS=listening"]


def test_an_abstract_socket_is_told_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0edge-asd-test-{os.getpid()}")
        Notifier({"NOTIFY_SOCKET": f"@edge-asd-test-{os.getpid()}"}).tell("STOPPING=1")
        assert heard(listening) == ["STOPPING=1"]


def test_pings_come_three_times_in_a_watchdog_s_period(systemd: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    notifier = Notifier({"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "30000000"})
    for _ in range(300):
        notifier.ping()
        now += 0.1
    assert heard(systemd) == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}])
def test_a_watchdog_that_is_not_ours_is_pinged_at_most_once(systemd: socket.socket, environ: dict[str, str]) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd.getsockname(), **environ})
    for _ in range(10):
        notifier.ping()
    assert len(heard(systemd)) <= 1


def test_without_systemd_or_with_one_that_is_gone_nothing_happens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Notifier({}).tell("READY=1")
    assert not caplog.records
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell("READY=1")
    assert "systemd cannot be told READY=1" in caplog.text
