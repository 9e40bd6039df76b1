from __future__ import annotations

import ctypes
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asd import clock


@given(st.floats(0, 4e9))
def test_stamps_are_rfc_3339_to_the_millisecond(seconds: float) -> None:
    stamp = clock.rfc3339(seconds)
    assert len(stamp) == len("2026-01-05T10:11:12.345Z")
    read = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()
    assert abs(read - seconds) < 0.0011


def test_a_stamp_known_by_heart() -> None:
    assert clock.rfc3339(1767607872.345) == "2026-01-05T10:11:12.345Z"


def test_the_boot_is_the_kernels() -> None:
    assert clock.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.mark.parametrize(
    ("kernel", "mark", "expected"), [(0, False, True), (5, True, False), (-1, True, True), (-1, False, False)]
)
def test_the_kernel_knows_whether_the_clock_was_set_and_else_a_mark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: int, mark: bool, expected: bool
) -> None:
    if mark:
        (tmp_path / "synchronized").touch()
    monkeypatch.setattr(clock, "_TIMESYNCD", tmp_path / "synchronized")
    monkeypatch.setattr(clock, "_adjtimex", lambda: lambda buffer: kernel)
    assert clock.clock_synced() is expected


def test_the_kernel_is_asked_and_nothing_is_changed() -> None:
    ask = clock._adjtimex()
    assert ask is not None
    answer = ctypes.create_string_buffer(512)
    assert ask(answer) in range(-1, 6)
    assert answer.raw[:4] == bytes(4)  # the modes: nothing to set


def test_numbers_go_on_after_a_restart() -> None:
    count = clock.numbers()
    first = count()
    assert count() == first + 1
    program = "from edge_asd.clock import numbers; print(numbers()())"
    later = int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
    assert later > first
