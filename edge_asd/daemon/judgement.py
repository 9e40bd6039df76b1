"""What is told of one source: its scores held against a threshold, its verdict, its anomalies.

The listener's thread brings scores and losses; commands come from other threads. One lock joins them: whoever is told
must not wait.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from pathlib import Path
from typing import Protocol

from edge_asd.bundle import Bundle
from edge_asd.calibration.alarms import threshold_of
from edge_asd.clock import rfc3339
from edge_asd.decision import NAN_SCORE, Change, Decider, Moment, Outcome
from edge_asd.errors import InputError
from edge_asd.evidence import Recorder, Saving, Teller
from edge_asd.explanation import Explanation
from edge_asd.firmware import Source
from edge_asd.publish import BundleReference, Clip, Event, State
from edge_asd.publish.payloads import Band, Microphone, Slice
from edge_asd.schedule import is_quiet

_log = logging.getLogger(__name__)

QUIET = "quiet hours"
"""Reason of an `unknown` while a schedule has it so."""
DISARMED = "disarmed"
"""Reason of an `unknown` while nobody wants to be told."""
UNDECIDED = "too few decisions yet"
"""Reason of an `unknown` that the decisions so far do not end."""

_GATHER_SPARE = 1.5
"""How much longer than the sound lasts one waits for it."""
_GATHER_DELAY_S = 2.0
"""Seconds after which what was heard is judged at the latest: what is held back, resampled and computed."""


class Audience(Protocol):
    """Whoever is told: the publisher, or a stand-in."""

    def state(self, state: State) -> None:
        """Take a source's state."""

    def event(self, event: Event) -> None:
        """Take an anomaly's beginning, course or end."""


class _Gathering:
    """Scores that somebody waits for."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.scores: list[float] = []
        self.problem: str | None = None
        self.over = threading.Event()


class Judgement:
    """Verdict of one source, and whoever is told of it.

    Parameters
    ----------
    source
        How scores become a verdict, and when.
    bundle
        What gives the scores.
    audience
        Whom to tell.
    recorder
        Keeps the sound of anomalies; nothing is kept where left out.
    """

    def __init__(self, source: Source, bundle: Bundle, audience: Audience, recorder: Recorder | None = None) -> None:
        calibration = bundle.manifest.calibration
        self.name = source.name
        self._source, self._audience, self._recorder = source, audience, recorder
        self._teller = Teller(audience.event)
        self._window_s = bundle.recipe.horizon.seconds
        self._hop_s = bundle.recipe.horizon.hop_seconds
        self.reference = BundleReference(id=Path(bundle.where).stem, sha256=bundle.sha256)
        """What gives the scores."""
        self.configured = threshold_of(bundle, source.decision)
        """Threshold before a command sets another."""
        self._threshold = self.configured
        self._armed = True
        self._decider = Decider(source.decision, calibration.centre)
        self._lock = threading.Lock()
        self._microphone: Microphone = "starting"
        self._unheard: str | None = "starting"
        self._score: float | None = None
        self._explanation = Explanation()
        self._heard = 0.0
        self._state: State | None = None
        self._gathering: _Gathering | None = None
        self._shown: str | None = None

    # What the listener's thread calls.

    def start(self) -> None:
        """Tell that nothing was heard yet."""
        with self._lock:
            self._tell(self._decider.unknown("starting", self._now()), "starting")

    def decide(self, score: float, heard: float, explanation: Explanation | None = None) -> None:
        """Take a score, made after so many seconds of sound, and what stood out."""
        with self._lock:
            self._score, self._heard = score if math.isfinite(score) else None, heard
            self._explanation = explanation or Explanation()
            self._gather(self._score, heard)
            now = self._now()
            reason = self._why_not(now)
            if reason is None:
                outcome = self._decider.decide(score, self._threshold, now)
                self._tell(outcome, NAN_SCORE if math.isnan(score) else UNDECIDED)
                self._show(outcome, now)
            else:
                self._tell(self._decider.unknown(reason, now), reason)

    def report(self, microphone: Microphone, reason: str, heard: float) -> None:
        """Take how the microphone is and why; where that is news, nothing can be judged for now."""
        with self._lock:
            self._heard = heard
            if self._microphone != microphone:
                self._cannot_hear(microphone, reason)
                self._tell(self._decider.unknown(reason, self._now()), reason)

    def leave(self, microphone: Microphone, reason: str, heard: float) -> None:
        """Take that nobody listens any more, and why: an anomaly in progress ends, latched or not."""
        with self._lock:
            self._heard = heard
            self._cannot_hear(microphone, reason)
            self._tell(self._decider.end(reason, self._now()), reason)

    def succeed(self, other: Judgement) -> None:
        """Go on with what commands have set on another of this source, as far as it holds for what judges here."""
        with self._lock:
            self._armed = other.armed
            if (self.reference, self.configured) == (other.reference, other.configured):
                self._threshold = other.threshold

    # What any thread may call.

    def settle(self) -> None:
        """Wait until every event is told; the end of an anomaly may wait for its clip, for some seconds."""
        self._teller.settle()

    @property
    def microphone(self) -> Microphone:
        """State of the microphone."""
        return self._microphone

    @property
    def state(self) -> State | None:
        """What was told last; None before anything was."""
        return self._state

    @property
    def threshold(self) -> float:
        """Threshold in force."""
        return self._threshold

    @property
    def armed(self) -> bool:
        """Whether anomalies are told."""
        return self._armed

    def set_threshold(self, threshold: float | None) -> None:
        """Hold scores against another threshold from now on; None for the configured one, or the bundle's own."""
        with self._lock:
            self._threshold = self.configured if threshold is None else threshold
            self._restate(self._state.reason if self._state else None)

    def arm(self, *, armed: bool) -> None:
        """Have anomalies told, or the verdict be `unknown` instead; an anomaly in progress then ends unless latched."""
        with self._lock:
            self._armed = armed
            if armed:
                self._restate(self._unheard or self._why_not(self._now()) or UNDECIDED)
            else:
                self._tell(self._decider.unknown(DISARMED, self._now()), DISARMED)

    def acknowledge(self, event: str | None = None) -> str | None:
        """Take note of the anomaly in progress, if it has this id, and return its id; None where there is none."""
        with self._lock:
            outcome = self._decider.acknowledge(self._now(), event)
            if outcome.changes:
                self._tell(outcome, self._state.reason if self._state else None)
            return outcome.changes[0].anomaly.id if outcome.changes else None

    def gather(self, seconds: float) -> list[float]:
        """Wait for so many seconds of unbroken sound, and return the scores of its decisions.

        Raises
        ------
        InputError
            When the machine cannot be heard for so long, or somebody gathers already.
        """
        with self._lock:
            if self._gathering is not None:
                raise _not_heard(self.name, "a calibration that is under way")
            if self._microphone != "ok":
                raise _not_heard(self.name, f"a microphone that is {self._microphone}")
            gathering = self._gathering = _Gathering(self._heard + seconds)
        # It is over at the first decision by which so much was heard: up to a hop later.
        gathering.over.wait(_GATHER_SPARE * (seconds + self._hop_s) + self._window_s + _GATHER_DELAY_S)
        with self._lock:
            self._gathering = None
        if gathering.problem is not None:
            raise _not_heard(self.name, gathering.problem)
        if not gathering.over.is_set():
            raise _not_heard(self.name, "too little of it in that time")
        return gathering.scores

    def _cannot_hear(self, microphone: Microphone, reason: str) -> None:
        self._microphone, self._score = microphone, None
        self._unheard = None if microphone == "ok" else reason
        if self._gathering is not None:
            self._gathering.problem = reason
            self._gathering.over.set()

    def _restate(self, reason: str | None) -> None:
        # A microphone that is gone brings no decision that would tell what a command has set.
        if self._state is not None:
            self._tell(self._decider.standing(), reason)

    def _gather(self, score: float | None, heard: float) -> None:
        gathering = self._gathering
        if gathering is None:
            return
        if score is not None:
            gathering.scores.append(score)
        if heard >= gathering.until:
            gathering.over.set()

    def _why_not(self, now: Moment) -> str | None:
        if not self._armed:
            return DISARMED
        quiet = self._source.schedule is not None and is_quiet(self._source.schedule, now.wall)
        return QUIET if quiet else None

    def _now(self) -> Moment:
        return Moment(self._heard, time.time())

    def _tell(self, outcome: Outcome, reason: str | None) -> None:
        """Tell what came of it; the reason counts where the verdict is `unknown`."""
        for change in outcome.changes:
            self._teller.event(self._event(change), self._finish(change))
        self._state = State(
            ts=rfc3339(time.time()),
            source=self._source.name,
            verdict=outcome.verdict,
            score=self._score,
            threshold=self._threshold,
            window_s=self._window_s,
            microphone=self._microphone,
            armed=self._armed,
            reason=reason if outcome.verdict == "unknown" else None,
            event=outcome.anomaly.id if outcome.anomaly else None,
            acknowledged=outcome.anomaly is not None and outcome.anomaly.acknowledged,
            bundle=self.reference,
        )
        self._audience.state(self._state)

    def _show(self, outcome: Outcome, now: Moment) -> None:
        """Tell of the clip of the anomaly in progress, once, as soon as it is written."""
        anomaly = outcome.anomaly
        if anomaly is None or self._recorder is None or self._shown == anomaly.id:
            return
        if self._recorder.clip(anomaly.id) is not None:
            self._teller.event(self._event(Change("update", now, anomaly)))

    def _finish(self, change: Change) -> Saving | None:
        """End the clip of an anomaly that has ended; its event waits for that on its way."""
        if self._recorder is None or change.type != "end":
            return None
        return self._recorder.finish(change.anomaly.id)

    def _clip(self, change: Change) -> Clip | None:
        if self._recorder is None or change.type == "end":
            return None
        name = change.anomaly.id
        if change.type == "new":
            self._recorder.begin(name)
            return None
        clip = self._recorder.clip(name)
        if clip is not None:
            self._shown = name
        return clip

    def _event(self, change: Change) -> Event:
        anomaly, stands_out = change.anomaly, self._explanation
        ended = change.type == "end"
        line = f"{self.name}: anomaly {change.type}: score {anomaly.score:.3g}, threshold {anomaly.threshold:.3g}"
        # So many updates that they are held back must not hold back a beginning or an end.
        if change.type == "update":
            _log.info(line)
        else:
            _log.warning(line)
        return Event(
            ts=rfc3339(change.at.wall),
            id=anomaly.id,
            type=change.type,
            source=self._source.name,
            score=anomaly.score,
            threshold=anomaly.threshold,
            peak=anomaly.peak,
            window_s=self._window_s,
            severity=anomaly.severity,
            since=rfc3339(anomaly.since.wall),
            reason=change.reason,
            acknowledged=anomaly.acknowledged,
            bands=[] if ended else [Band(hz=(band.low_hz, band.high_hz), z=band.z) for band in stands_out.bands],
            moments=[] if ended else [Slice(s=(each.start_s, each.end_s), z=each.z) for each in stands_out.moments],
            bundle=self.reference,
            clip=self._clip(change),
        )


def _not_heard(source: str, found: str) -> InputError:
    return InputError(source, expected="sound to be heard without a break", found=found)
