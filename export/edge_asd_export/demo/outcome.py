"""What came of it: alarms before, during and after the fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edge_asd_export.demo.replay import Told
from edge_asd_export.demo.scenario import Scenario


class Span(NamedTuple):
    """An anomaly, from the message that told of it to the one that ended it, in seconds of the stretch."""

    start: float
    end: float


class Outcome(NamedTuple):
    """When anomalies were told of."""

    before: tuple[Span, ...]
    """Those that began before the fault."""
    during: tuple[Span, ...]
    """Those that began during the fault."""
    after: tuple[Span, ...]
    """Those that began after the repair."""

    @property
    def spans(self) -> tuple[Span, ...]:
        """All of them, in order."""
        return self.before + self.during + self.after

    @property
    def holds(self) -> bool:
        """Whether the fault was told of, and nothing before it."""
        return bool(self.during) and not self.before


def judge(scenario: Scenario, told: Sequence[Told]) -> Outcome:
    """Sort the anomalies by when they were told of."""
    spans = anomalies(told, scenario.lengths.seconds)
    return Outcome(
        before=tuple(span for span in spans if span.start < scenario.onset),
        during=tuple(span for span in spans if scenario.onset <= span.start < scenario.repaired),
        after=tuple(span for span in spans if span.start >= scenario.repaired),
    )


def anomalies(told: Sequence[Told], seconds: float) -> list[Span]:
    """Join the messages of one id to a span; one that nobody ended lasts to the end of the stretch."""
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    for event, at in told:
        starts.setdefault(event.id, at)
        if event.type == "end":
            ends[event.id] = at
    return [Span(start, ends.get(name, seconds)) for name, start in starts.items()]


def describe(scenario: Scenario, outcome: Outcome) -> str:
    """Return what happened, in a sentence or two."""
    began = f"the fault began at {_minute(scenario.onset)}"
    if outcome.before:
        return f"{_alarms(outcome.before)} before the fault: expected none; {began}"
    if not outcome.during:
        return f"expected an alarm during the fault, found none; {began} and ended at {_minute(scenario.repaired)}"
    first = outcome.during[0]
    severity = float(scenario.course()[round(first.start)])
    ended = outcome.spans[-1].end
    parts = [
        f"{began}; {_alarms(outcome.during)}, when it had grown to {100 * severity:.0f} %, and none before it",
        f"it was repaired at {_minute(scenario.repaired)}, and the last alarm ended at {_minute(ended)}",
    ]
    if outcome.after:
        parts.append(f"{_alarms(outcome.after)} after the repair")
    return "; ".join(parts)


def _alarms(spans: Sequence[Span]) -> str:
    noun = "1 alarm" if len(spans) == 1 else f"{len(spans)} alarms"
    return (
        f"{noun}, the first at {_minute(spans[0].start)}" if len(spans) > 1 else f"{noun} at {_minute(spans[0].start)}"
    )


def _minute(seconds: float) -> str:
    return f"minute {seconds / 60:.1f}"
