"""Quiet hours, held against a week written out minute by minute, and against known instants."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.firmware import QuietHours, Schedule, Weekday
from edge_asd.schedule import is_quiet

DAY = 24 * 60
WEEK = 7 * DAY
MONDAY = datetime(2026, 1, 5, tzinfo=timezone.utc).timestamp()
MINUTES = st.integers(0, DAY - 1)
DAYS = get_args(Weekday)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@given(st.lists(st.tuples(st.sets(st.integers(0, 6), min_size=1), MINUTES, MINUTES), min_size=1, max_size=3), st.data())
def test_a_minute_is_quiet_when_a_week_written_out_has_it_so(hours: list[Any], data: st.DataObject) -> None:
    quiet_minutes = set()
    for days, start, end in hours:
        length = end - start if end > start else end - start + DAY
        for day in days:
            quiet_minutes |= {(day * DAY + start + minute) % WEEK for minute in range(length)}
    schedule = Schedule(
        time_zone="UTC",
        quiet=[
            QuietHours(days=[DAYS[day] for day in days], start=clock(start), end=clock(end))
            for days, start, end in hours
        ],
    )
    edges = [0, *(edge + step for _, start, end in hours for edge in (start, end) for step in (-1, 0, 1))]
    for minute in edges + data.draw(st.lists(st.integers(0, WEEK - 1), max_size=20)):
        for day in range(7):
            at = (day * DAY + minute) % WEEK
            assert is_quiet(schedule, MONDAY + 60 * at + 59) == (at in quiet_minutes)


@pytest.mark.parametrize(
    ("instant", "quiet"),
    [
        ("2026-03-28T21:30:00+00:00", True),  # 22:30 in Vienna
        ("2026-03-28T20:30:00+00:00", False),
        ("2026-03-29T03:59:00+00:00", True),  # the clock was put forward at 1:00 UTC: 5:59
        ("2026-03-29T04:00:00+00:00", False),
        ("2026-03-29T20:00:00+00:00", True),
    ],
)
def test_the_time_zone_and_its_summer_time_count(instant: str, quiet: bool) -> None:
    schedule = Schedule(time_zone="Europe/Vienna", quiet=[QuietHours(start="22:00", end="06:00")])
    assert is_quiet(schedule, datetime.fromisoformat(instant).timestamp()) == quiet


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"quiet": []}, "quiet"),
        ({"quiet": [{"start": "22:00", "end": "24:00"}]}, "time of day"),
        ({"quiet": [{"start": 1320, "end": "06:00"}]}, "time of day"),
        ({"quiet": [{"start": "22:00", "end": "06:00", "days": ["monday"]}]}, "monday"),
        ({"time_zone": "Mars/Olympus", "quiet": [{"start": "22:00", "end": "06:00"}]}, "IANA time zone"),
        ({"time_zone": "../../etc/passwd", "quiet": [{"start": "22:00", "end": "06:00"}]}, "time zone"),
    ],
)
def test_what_is_no_schedule_is_refused(document: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse(document, Schedule, where="x")
