from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge_asd.publish.pacing import Backoff, Flapping, StateLimiter


def sent(interval_s: float, made: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """What goes out when a newer message takes the place of one that is not due yet."""
    limiter = StateLimiter(interval_s)
    out: list[tuple[float, str]] = []
    waiting: tuple[float, str] | None = None
    for now, verdict in made:
        if waiting and waiting[0] <= now:
            out.append(waiting)
        waiting = (limiter.due(verdict, now), verdict)
        if waiting[0] <= now:
            out.append(waiting)
            waiting = None
    return [*out, waiting] if waiting else out


STEPS = st.lists(st.tuples(st.floats(0.1, 8), st.sampled_from(["normal", "normal", "anomaly", "unknown"])), min_size=1)


@given(st.floats(0.5, 20), STEPS)
def test_at_most_one_state_in_an_interval_unless_the_verdict_changes(
    interval_s: float, steps: list[tuple[float, str]]
) -> None:
    now, made = 0.0, []
    for step, verdict in steps:
        now += step
        made.append((now, verdict))
    out = sent(interval_s, made)
    for before, after in itertools.pairwise(out):
        assert after[1] != before[1] or after[0] - before[0] >= interval_s * (1 - 1e-9)
    changes = [made[0]] + [new for old, new in itertools.pairwise(made) if new[1] != old[1]]
    assert set(changes) <= set(out)  # each change goes out at once
    assert out[-1][1] == made[-1][1]  # the newest goes out in the end
    assert out[-1][0] <= made[-1][0] + interval_s


def test_an_interval_of_nothing_withholds_nothing() -> None:
    assert sent(0, [(1, "normal"), (2, "normal"), (3, "normal")]) == [(1, "normal"), (2, "normal"), (3, "normal")]


def test_waits_double_up_to_the_longest_and_begin_again() -> None:
    waits = Backoff(10, first_s=1, draw=lambda: 1.0)
    assert [waits.next() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    waits.reset()
    assert waits.next() == 1


@given(st.integers(1, 20))
def test_waits_are_scattered_over_half_their_bound(count: int) -> None:
    highest, lowest, drawn = Backoff(60, draw=lambda: 1.0), Backoff(60, draw=lambda: 0.0), Backoff(60)
    for _ in range(count):
        high, low, wait = highest.next(), lowest.next(), drawn.next()
        assert low == high / 2
        assert low <= wait <= high


def test_a_plant_does_not_come_back_all_at_once() -> None:
    assert len({Backoff(60).next() for _ in range(20)}) == 20


def test_three_short_connections_within_a_minute_are_flapping() -> None:
    flapping = Flapping()
    assert [flapping.lost(1, now) for now in (0, 2, 4, 6)] == [False, False, True, True]
    assert not flapping.lost(600, 700)
    assert not flapping.lost(1, 702)


def test_short_connections_far_apart_are_not() -> None:
    flapping = Flapping()
    assert [flapping.lost(1, now) for now in (0, 40, 80)] == [False, False, False]
