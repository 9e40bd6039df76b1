"""What a message says of its time: RFC 3339 stamps, the boot it belongs to, and whether the clock can be trusted.

A Raspberry Pi up to the 4 has no battery clock: after a power cut its messages bear a wrong date until a time server
has answered. So each message also says which boot it comes from and whether the clock was set then.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

_log = logging.getLogger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")
# adjtimex(2): the clock's state "not synchronized", as the kernel calls it.
_TIME_ERROR = 5
# struct timex has 208 bytes on 64-bit Linux, fewer on 32-bit; zeros ask for nothing to be changed.
_TIMEX_BYTES = 512


def rfc3339(seconds: float) -> str:
    """Return Unix time in seconds as UTC to the millisecond, such as `2026-01-05T10:11:12.345Z`."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@functools.cache
def boot_id() -> str:
    """Return the kernel's id of this boot; where there is none, an id of this process."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return str(uuid.uuid4())


def clock_synced() -> bool:
    """Say whether a time server has set this machine's clock.

    The kernel knows (`adjtimex`, which systemd-timesyncd, ntpd and chrony with `rtcsync` tell); where a container
    forbids the question, systemd-timesyncd's mark is looked for. What cannot be known counts as not synchronized.
    """
    ask = _adjtimex()
    state = ask(ctypes.create_string_buffer(_TIMEX_BYTES)) if ask else -1
    return state != _TIME_ERROR if state >= 0 else _TIMESYNCD.exists()


@functools.cache
def _adjtimex() -> Callable[[object], int] | None:
    function: Callable[[object], int] | None = getattr(ctypes.CDLL(None), "adjtimex", None)
    return function


def first_number() -> int:
    """Return where the numbers of a process's messages begin: milliseconds since boot.

    A daemon that is started afresh goes on with greater numbers, so that one boot never sees a number twice.
    """
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


def numbers() -> Callable[[], int]:
    """Return a counter that begins at :func:`first_number`; safe to call from any thread."""
    return itertools.count(first_number()).__next__
