from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_asd_export.progress import SILENT, reporting


def test_a_bar_shows_on_standard_error_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting() as reporter:
        assert list(reporter.track([3, 1, 2], "reading recordings")) == [3, 1, 2]
        with reporter.bar("fitting", 5) as advance:
            advance(2)
            advance()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "reading recordings" in captured.err
    assert "fitting" in captured.err


def test_a_full_standard_error_stops_no_work() -> None:
    script = """
from edge_asd_export.progress import reporting
with reporting() as reporter:
    reporter.say("it begins")
    print(*reporter.track([3, 1, 2], "reading recordings"))
"""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", script], check=False, stdout=subprocess.PIPE, stderr=full)
    assert (done.returncode, done.stdout) == (0, b"3 1 2\n")


def test_quiet_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting(quiet=True) as reporter:
        assert reporter is SILENT
        assert list(reporter.track(iter("ab"), "reading", total=2)) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_an_error_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), reporting() as reporter, reporter.bar("fitting", 5):
        raise KeyboardInterrupt
    assert "Traceback" not in capsys.readouterr().err
