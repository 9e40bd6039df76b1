"""Scores to a verdict: hysteresis in counts of decisions, and the anomalies that come of it.

A :class:`Decider` is a pure state machine: it reads no clock and touches nothing outside, so the same decisions give
the same verdicts, live or replayed. Its rules:

- *Entering.* `enter` decisions in a row with a score at or above the threshold begin an anomaly, at the last of them.
  They also have to span `min_duration_s` of sound, and lie `cooldown_s` after the last anomaly ended: a
  run that began in between makes an anomaly as soon as that time is over.
- *Leaving.* `exit` decisions in a row with a score below the exit level end it. The exit level lies
  `exit_fraction` of the way from the bundle's typical normal score (the centre) up to the threshold; it is never above
  the threshold.
- *Unknown.* Where the machine cannot be heard, the verdict is `unknown` at once, an anomaly in progress ends with the
  reason given, and both counts start afresh: a run of decisions must be unbroken. A NaN score counts as not hearing.
- *Latching.* With `latch`, an anomaly goes on until it is acknowledged, whatever the scores: one that has recovered
  ends at the acknowledgement, one that was acknowledged before ends when it recovers. Nor does an unknown end it
  before; the verdict is `unknown` all the same, and `anomaly` again with the next decision. Acknowledged while the
  machine cannot be heard, it ends; and so it does when nobody listens any more.
- *Before the first answer*, and after an unknown, the verdict stays `unknown` until one decision falls below the
  threshold (`normal`) or the run is complete (`anomaly`): what has looked anomalous ever since it could be heard is
  never called normal. An anomaly that is still there after an unknown is a new one, with a new id.
- *Severity* measures how far the score is above the centre, in units of the way from the centre to the threshold
  (the *excess*: 1 at the threshold, whatever the scale of the scores). `warning` below :data:`ALARM_EXCESS`, `alarm`
  from there on; within one anomaly it never falls.
- *Updates* are few: one when the severity rises, and one whenever the excess has grown to more than
  :data:`UPDATE_GROWTH` times what was last told.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge_asd.firmware import Decision
from edge_asd.ulid import new_ulid

Verdict = Literal["normal", "anomaly", "unknown"]
Severity = Literal["warning", "alarm"]
ChangeType = Literal["new", "update", "end"]

ALARM_EXCESS = 1.5
"""Excess from which an anomaly is an alarm: half as far again from the typical normal score as the threshold is."""
UPDATE_GROWTH = 1.5
"""Growth of the excess since the last message, as a factor, that is worth another message."""
RECOVERED = "recovered"
"""Reason of an anomaly's end when the scores fell below the exit level."""
ACKNOWLEDGED = "acknowledged"
"""Reason of a latched anomaly's end when it was acknowledged after it had recovered."""
NAN_SCORE = "score is not a number"
"""Reason of an `unknown` for a NaN score."""


class Moment(NamedTuple):
    """When a decision was made; the deciding only passes it through."""

    seconds: float
    """Seconds of sound since the source started, from counted samples."""
    wall: float
    """Unix time in seconds."""


class Anomaly(NamedTuple):
    """An anomaly as it stood at its last decision."""

    id: str
    """ULID; the same from its beginning to its end."""
    since: Moment
    """First decision at or above the threshold of the run that began it."""
    score: float
    """Score of the last decision; finite."""
    threshold: float
    """Threshold of the last decision."""
    peak: float
    """Greatest score so far; finite."""
    severity: Severity
    """Greatest severity so far."""
    acknowledged: bool = False
    """Whether somebody has taken note of it."""


@dataclass(frozen=True)
class Change:
    """What is to be told of an anomaly."""

    type: ChangeType
    """`new` once, then any number of `update`, then `end` once."""
    at: Moment
    """The decision, or the loss of hearing, that made it."""
    anomaly: Anomaly
    """The anomaly at that moment."""
    reason: str | None = None
    """Why it ended: :data:`RECOVERED`, :data:`ACKNOWLEDGED`, or why the machine cannot be heard; None unless `type` is
    `end`."""


class Outcome(NamedTuple):
    """Answer to one decision."""

    verdict: Verdict
    """Verdict from this decision on."""
    changes: tuple[Change, ...]
    """What to tell, in order; mostly nothing."""
    anomaly: Anomaly | None
    """The anomaly in progress."""


class _Run(NamedTuple):
    """Decisions in a row at or above the threshold that have not made an anomaly yet."""

    length: int
    since: Moment
    peak: float


class Decider:
    """Verdict of one source.

    Parameters
    ----------
    settings
        Counts and exit fraction; its `threshold` is not read here, each decision brings the threshold it was made with.
    centre
        The bundle's typical normal score.
    new_id
        Gives the id of a new anomaly.
    """

    def __init__(self, settings: Decision, centre: float, new_id: Callable[[], str] = new_ulid) -> None:
        self._settings = settings
        self._centre = centre
        self._new_id = new_id
        self._verdict: Verdict = "unknown"
        self._run: _Run | None = None
        self._calm = 0
        self._anomaly: Anomaly | None = None
        self._told = 0.0
        self._ended = -math.inf

    def decide(self, score: float, threshold: float, at: Moment) -> Outcome:
        """Take one decision: its anomaly score (any float), the threshold it is held against, and when it was made."""
        if math.isnan(score):
            return self.unknown(NAN_SCORE, at)
        score = min(max(float(score), -sys.float_info.max), sys.float_info.max)
        if self._anomaly is None:
            return self._watch(score, threshold, at)
        return self._follow(self._anomaly, score, threshold, at)

    def unknown(self, reason: str, at: Moment) -> Outcome:
        """Say that the machine cannot be heard, and why."""
        anomaly = self._anomaly
        if anomaly is None or anomaly.acknowledged or not self._settings.latch:
            return self.end(reason, at)
        self._verdict = "unknown"
        self._forget(at)
        self._anomaly = anomaly
        return self._outcome()

    def end(self, reason: str, at: Moment) -> Outcome:
        """Say that nobody listens any more, and why."""
        self._verdict = "unknown"
        anomaly = self._anomaly
        self._forget(at)
        return self._outcome((Change("end", at, anomaly, reason),) if anomaly else ())

    def acknowledge(self, at: Moment, anomaly_id: str | None = None) -> Outcome:
        """Take note of the anomaly in progress, if it has this id or none is given.

        That is told once; a latched anomaly may end with it.
        """
        if self._anomaly is None or self._anomaly.acknowledged or anomaly_id not in (None, self._anomaly.id):
            return self._outcome()
        self._anomaly = self._anomaly._replace(acknowledged=True)
        if self._verdict == "unknown" or self._calm >= self._settings.exit:
            return self._recover(self._anomaly, at, ACKNOWLEDGED)
        return self._outcome((Change("update", at, self._anomaly),))

    def standing(self) -> Outcome:
        """Return the verdict as it stands, with nothing new to tell."""
        return self._outcome()

    def exit_level(self, threshold: float) -> float:
        """Score below which a decision counts towards the end of an anomaly."""
        return min(threshold, self._centre + self._settings.exit_fraction * (threshold - self._centre))

    def _watch(self, score: float, threshold: float, at: Moment) -> Outcome:
        if score < threshold:
            self._run = None
            self._verdict = "normal"
            return self._outcome()
        run = self._run or _Run(0, at, score)
        self._run = _Run(run.length + 1, run.since, max(run.peak, score))
        lasted = at.seconds - self._run.since.seconds >= self._settings.min_duration_s
        rested = at.seconds - self._ended >= self._settings.cooldown_s
        if self._run.length < self._settings.enter or not lasted or not rested:
            return self._outcome()
        return self._begin(self._run, score, threshold, at)

    def _begin(self, run: _Run, score: float, threshold: float, at: Moment) -> Outcome:
        self._told = self._excess(run.peak, threshold)
        severity = _severity(self._told)
        self._anomaly = Anomaly(self._new_id(), run.since, score, threshold, run.peak, severity)
        self._verdict = "anomaly"
        return self._outcome((Change("new", at, self._anomaly),))

    def _follow(self, before: Anomaly, score: float, threshold: float, at: Moment) -> Outcome:
        excess = self._excess(score, threshold)
        severity: Severity = "alarm" if before.severity == "alarm" else _severity(excess)
        peak = max(before.peak, score)
        self._anomaly = before._replace(score=score, threshold=threshold, peak=peak, severity=severity)
        self._verdict = "anomaly"
        self._calm = self._calm + 1 if score < self.exit_level(threshold) else 0
        if self._calm >= self._settings.exit and (not self._settings.latch or self._anomaly.acknowledged):
            return self._recover(self._anomaly, at, RECOVERED)
        if severity == before.severity and excess <= UPDATE_GROWTH * self._told:
            return self._outcome()
        self._told = max(self._told, excess)
        return self._outcome((Change("update", at, self._anomaly),))

    def _recover(self, anomaly: Anomaly, at: Moment, reason: str) -> Outcome:
        self._forget(at)
        if self._verdict == "anomaly":
            self._verdict = "normal"
        return self._outcome((Change("end", at, anomaly, reason),))

    def _forget(self, at: Moment) -> None:
        if self._anomaly is not None:
            self._ended = at.seconds
        self._anomaly = None
        self._run = None
        self._calm = 0

    def _excess(self, score: float, threshold: float) -> float:
        span = threshold - self._centre
        return (score - self._centre) / span if span > 0 else 1.0

    def _outcome(self, changes: tuple[Change, ...] = ()) -> Outcome:
        return Outcome(self._verdict, changes, self._anomaly)


def _severity(excess: float) -> Severity:
    return "alarm" if excess >= ALARM_EXCESS else "warning"
