"""How the board and this process fare, read from Linux's own files."""

from __future__ import annotations

import os
from pathlib import Path

_THERMAL = Path("/sys/class/thermal")
_PROC = Path("/proc")


def cpu_temperature_c() -> float | None:
    """Return the processor's temperature in degrees Celsius; None where the board does not tell."""
    for zone in sorted(_THERMAL.glob("thermal_zone*")):
        try:
            kind = (zone / "type").read_text().strip().lower()
            if "cpu" in kind or "soc" in kind or "pkg" in kind:
                return int((zone / "temp").read_text()) / 1000.0
        except (OSError, ValueError):
            continue
    return None


def resident_bytes() -> int | None:
    """Return the resident memory of this process and its children, in bytes; None where the system does not tell."""
    try:
        pages = [_resident_pages(pid) for pid in (os.getpid(), *_children(os.getpid()))]
    except (OSError, ValueError):
        return None
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def _resident_pages(pid: int) -> int:
    return int((_PROC / str(pid) / "statm").read_text().split()[1])


def _children(pid: int) -> list[int]:
    tasks = (_PROC / str(pid) / "task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
