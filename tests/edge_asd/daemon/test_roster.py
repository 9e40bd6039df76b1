"""Names of sources that were ever told of outlive a restart, and cost nothing where they cannot be kept."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge_asd.daemon.roster import Roster


def test_who_is_not_there_any_more_is_named_now_and_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "pi.spool.sources"
    roster = Roster(path)
    assert roster.gone(["pump", "fan"]) == frozenset()
    assert roster.gone(["pump"]) == {"fan"}
    assert Roster(path).gone(["belt"]) == {"fan", "pump"}
    assert Roster(path).gone(["fan", "belt"]) == {"pump"}


def test_without_a_file_memory_remembers() -> None:
    roster = Roster(None)
    roster.gone(["pump"])
    assert roster.gone([]) == {"pump"}


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b"\xff", b"[" * (1 << 17)])
def test_a_file_that_says_nothing_is_told_of_and_written_anew(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pi.spool.sources"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert Roster(path).gone(["pump"]) == frozenset()
    (said,) = caplog.messages
    assert str(path) in said
    assert Roster(path).gone([]) == {"pump"}


def test_what_cannot_be_a_part_of_a_topic_is_no_name(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text('["pump", "#", "../fan", ""]')
    assert Roster(path).gone([]) == {"pump"}


def test_what_cannot_be_written_is_remembered_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    roster = Roster(tmp_path / "file" / "names")
    roster.gone(["pump"])
    assert "cannot be noted" in caplog.text
    assert roster.gone([]) == {"pump"}
    (tmp_path / "file").unlink()
    roster.gone([])
    assert Roster(tmp_path / "file" / "names").gone([]) == {"pump"}
