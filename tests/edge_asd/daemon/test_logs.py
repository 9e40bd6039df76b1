"""Lines of the log: for people, for the journal, for machines; and how many of them."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys

import pytest

from edge_asd.daemon.logs import JournalFormatter, JsonFormatter, RateLimit
from edge_asd.errors import LineFormatter


def record(text: str = "%s: gone", *words: object, level: int = logging.WARNING, line: int = 7) -> logging.LogRecord:
    return logging.LogRecord("edge_asd.daemon.listener", level, "listener.py", line, text, words, None)


def test_json_is_one_object_on_one_line() -> None:
    line = JsonFormatter().format(record("%s: gone\nand \x1b[31m\u201cred\u201d", "pump-3"))
    assert "\n" not in line
    document = json.loads(line)
    assert document["message"] == "pump-3: gone\nand \x1b[31m\u201cred\u201d"
    assert (document["level"], document["logger"]) == ("warning", "edge_asd.daemon.listener")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["ts"])


def test_json_bears_the_traceback() -> None:
    try:
        raise ValueError("x")
    except ValueError:
        failed = logging.LogRecord("a", logging.ERROR, "f", 1, "failed", (), sys.exc_info())
    assert "ValueError: x" in json.loads(JsonFormatter().format(failed))["traceback"]


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7), (5, 7)],
)
def test_the_journal_reads_the_priority_of_each_line(level: int, priority: int) -> None:
    failed = record("one", level=level)
    failed.exc_text = "Traceback\n  two"
    said = [f"<{priority}>{line}" for line in ("one", "Traceback", "  two")]
    assert JournalFormatter().format(failed).splitlines() == said


def test_a_name_of_a_file_breaks_no_line() -> None:
    told = record("next recording: %s", "a\n2026-11-27 ERROR all is lost\x1b[31m.wav")
    written_out = "next recording: a\\n2026-11-27 ERROR all is lost\\x1b[31m.wav"
    assert LineFormatter("%(levelname)s %(message)s").format(told) == f"WARNING {written_out}"
    assert JournalFormatter().format(told) == f"<4>{written_out}"


def test_a_flood_is_held_back_and_counted() -> None:
    now = [0.0]
    limit = RateLimit(burst=3, window_s=60, clock=lambda: now[0])
    assert [limit.filter(record("%s", number)) for number in range(100)] == [True] * 3 + [False] * 97
    assert limit.filter(record("other", line=8))
    now[0] = 60.0
    after = record("%s: gone", "pump-3")
    assert limit.filter(after)
    assert after.getMessage() == "pump-3: gone (97 lines like this one were held back)"
    plain = record("%s: gone", "pump-3")
    assert limit.filter(plain)
    assert plain.getMessage() == "pump-3: gone"


@pytest.mark.parametrize(
    ("settings", "journal", "expected"),
    [
        ("Log(format='json')", "", r'\{"ts": "[^"]+", "level": "warning".*"message": "heard"\}\n'),
        ("Log()", "8:1", "<4>heard\n"),
        ("Log()", "", r"\d{4}-\d\d-\d\d [\d:,]+ WARNING heard\n"),
        ("Log(level='error')", "", ""),
    ],
)
def test_they_are_written_as_configured(settings: str, journal: str, expected: str) -> None:
    code = f"""
import logging
from edge_asd.firmware import Log
from edge_asd.daemon.logs import configure_logs
configure_logs(Log(), {{}})
configure_logs({settings}, {{"JOURNAL_STREAM": "{journal}"}})
logging.getLogger("edge_asd.x").warning("heard")
"""
    written = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert re.fullmatch(expected, written.stderr)
