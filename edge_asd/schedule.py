"""Whether a machine is to be judged now, or its quiet hours are on."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta
from typing import get_args

from edge_asd.firmware import QuietHours, Schedule, Weekday

_DAYS: tuple[Weekday, ...] = get_args(Weekday)


def is_quiet(schedule: Schedule, wall: float) -> bool:
    """Return whether quiet hours are on.

    The clock on the wall counts: where it is put forward, quiet hours are as much shorter.

    Parameters
    ----------
    schedule
        When they are.
    wall
        Unix time in seconds.
    """
    zone = None if schedule.time_zone is None else zoneinfo.ZoneInfo(schedule.time_zone)
    now = datetime.fromtimestamp(wall, zone)
    clock = now.strftime("%H:%M")
    today = _DAYS[now.weekday()]
    yesterday = _DAYS[(now - timedelta(days=1)).weekday()]
    return any(_holds(quiet, clock, today, yesterday) for quiet in schedule.quiet)


def _holds(quiet: QuietHours, clock: str, today: Weekday, yesterday: Weekday) -> bool:
    if quiet.start < quiet.end:
        return today in quiet.days and quiet.start <= clock < quiet.end
    return (today in quiet.days and clock >= quiet.start) or (yesterday in quiet.days and clock < quiet.end)
