"""What the daemon writes to standard error: lines for people, or JSON for machines, and never a flood of them."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping

from edge_asd.clock import rfc3339
from edge_asd.errors import LineFormatter
from edge_asd.firmware import Log

BURST = 10
"""Lines of one kind that are written within a window."""
WINDOW_S = 60.0
"""Seconds of that window."""

# As syslog has them; systemd's journal reads them from the beginning of a line.
_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


def configure_logs(settings: Log, environ: Mapping[str, str] = os.environ) -> None:
    """Have all log lines written as the settings say, instead of whatever was so before."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.format == "json":
        handler.setFormatter(JsonFormatter())
    elif environ.get("JOURNAL_STREAM"):
        handler.setFormatter(JournalFormatter())
    else:
        handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(RateLimit())
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)


class JsonFormatter(logging.Formatter):
    """One JSON object on each line: `ts`, `level`, `logger`, `thread`, `message` and, of an error, `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {
            "ts": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class JournalFormatter(LineFormatter):
    """A line without the time, which the journal knows, and with the priority that it reads from each."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        priority = next((given for level, given in _PRIORITIES.items() if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class RateLimit(logging.Filter):
    """Lets some lines of one kind through, counts the others, and says how many there were with the next one.

    A kind is a place in the program: what a line says of which microphone makes no other kind of it.

    Parameters
    ----------
    burst
        Lines of one kind in a window.
    window_s
        Seconds of the window.
    clock
        Seconds of a monotonic clock.
    """

    def __init__(
        self, burst: int = BURST, window_s: float = WINDOW_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._burst, self._window_s, self._clock = burst, window_s, clock
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, int], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is to be written."""
        now = self._clock()
        with self._lock:
            kind = self._kinds.setdefault((record.pathname, record.lineno), _Kind(now))
            if now >= kind.since + self._window_s:
                kind.since, kind.written = now, 0
            kind.written += 1
            if kind.written > self._burst:
                kind.held_back += 1
                return False
            held_back, kind.held_back = kind.held_back, 0
        if held_back:
            record.msg = f"{record.getMessage()} ({held_back} lines like this one were held back)"
            record.args = None
        return True


class _Kind:
    def __init__(self, since: float) -> None:
        self.since = since
        self.written = 0
        self.held_back = 0
