"""One source of the daemon: what is heard becomes scores, verdicts and messages."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Protocol

from edge_asd.bundle import Bundle
from edge_asd.capture import Block, Capture, Feeds, Gap, SignalFault, SourceAddress, open_capture
from edge_asd.decision import Change, Decider, Moment, Outcome
from edge_asd.errors import CaptureError, EdgeAsdError, InputError
from edge_asd.firmware import Source
from edge_asd.pipeline import Pipeline, Score
from edge_asd.publish import BundleReference, Event, SourceHealth, State
from edge_asd.publish.clock import rfc3339
from edge_asd.publish.payloads import Microphone
from edge_asd.scoring import too_short

_log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Seconds between two attempts to open a microphone that is not there."""
_WORDS: dict[SignalFault, str] = {"dropout": "interrupted", "silent": "silent", "clipped": "clipped"}


class Audience(Protocol):
    """Whoever is told: the publisher, or a stand-in."""

    def state(self, state: State) -> None:
        """Take a source's state."""

    def event(self, event: Event) -> None:
        """Take an anomaly's beginning, course or end."""


class Listener(threading.Thread):
    """Listens to one source until it ends or is stopped.

    Parameters
    ----------
    source
        What to listen to, and how scores become a verdict.
    address
        Where its sound comes from.
    bundle
        What judges it; its self-test has passed.
    audience
        Whom to tell.
    threads
        Threads of each interpreter.
    feeds
        Microphones that other sources may listen to as well.
    """

    def __init__(
        self,
        source: Source,
        address: SourceAddress,
        bundle: Bundle,
        audience: Audience,
        *,
        threads: int = 1,
        feeds: Feeds | None = None,
    ) -> None:
        super().__init__(name=f"listener-{source.name}", daemon=True)
        self._source, self._address, self._audience = source, address, audience
        self._recipe = bundle.recipe
        self._reference = BundleReference(id=Path(bundle.where).stem, sha256=bundle.sha256)
        calibration = bundle.manifest.calibration
        given = source.decision.threshold
        self._threshold = calibration.threshold if given is None else given
        self._pipeline = Pipeline(bundle, threads=threads)
        self._decider = Decider(source.decision, calibration.centre)
        self._feeds = feeds
        self._stopping = threading.Event()
        self._microphone: Microphone = "starting"
        self._score: float | None = None
        self._heard = 0
        self._dropped = 0
        self._scored = 0
        self._faults: set[SignalFault] = set()
        self.failure: BaseException | None = None
        """What ended the listening, where it was not its source's end."""

    def run(self) -> None:
        """Listen; whatever goes wrong is kept in `failure` and told as `unknown`."""
        try:
            self._listen()
        except BaseException as error:  # noqa: BLE001 - a thread's error is the daemon's to report
            self.failure = error
            _log.error("%s: %s", self._source.name, error, exc_info=not isinstance(error, EdgeAsdError))
            self._lose("gone", f"listening failed: {error}")

    def stop(self) -> None:
        """Ask the listening to end; `join` waits for it."""
        self._stopping.set()

    def health(self) -> SourceHealth:
        """Return how this source fares."""
        return SourceHealth(microphone=self._microphone, frames_dropped=self._dropped, windows_scored=self._scored)

    def _listen(self) -> None:
        self._tell(self._decider.unknown("starting", self._now()))
        while not self._stopping.is_set():
            try:
                self._hear_out()
                self._check_scored()
                self._lose("ended", "stopped" if self._stopping.is_set() else "the recording has ended")
                return
            except CaptureError as error:
                if self._microphone != error.state:
                    _log.warning("%s: %s; tried again every %g s", self._source.name, error, RETRY_S)
                self._pipeline.gap()
                self._lose(error.state, str(error))
                self._stopping.wait(RETRY_S)

    def _hear_out(self) -> None:
        rate, channel = self._recipe.sample_rate, self._source.channel
        with open_capture(self._address, sample_rate=rate, channel=channel, feeds=self._feeds) as capture:
            self._follow(capture)

    def _check_scored(self) -> None:
        # A microphone never ends; of recordings that end without a decision, somebody has to be told.
        if self._scored or self._stopping.is_set():
            return
        if self._faults:
            raise InputError(
                self._source.source,
                expected=f"{self._recipe.horizon.seconds:g} s of a live signal",
                found=f"one that is {' and '.join(sorted(_WORDS[fault] for fault in self._faults))}",
                remedy="check the gain and the microphone that it was recorded with",
            )
        raise too_short(self._source.source, self._heard / self._recipe.sample_rate, self._recipe)

    def _follow(self, capture: Capture) -> None:
        for item in capture:
            if self._stopping.is_set():
                return
            if isinstance(item, Gap):
                self._miss(item)
            else:
                self._hear(item)

    def _hear(self, block: Block) -> None:
        self._heard += len(block.samples)
        if block.fault is not None:
            # What is no sound of the machine is not judged, nor any horizon that it lies in.
            self._pipeline.gap()
            self._faults.add(block.fault)
            if block.fault != "dropout":
                self._lose(block.fault, f"the microphone is {block.fault}")
            return
        self._lose("ok", f"heard, to be judged after {self._recipe.horizon.seconds:g} s")
        for score in self._pipeline.process(block.samples):
            self._scored += 1
            self._decide(score)

    def _miss(self, gap: Gap) -> None:
        _log.info("%s: %s", self._source.name, gap.reason)
        self._heard += gap.lost or 0
        self._dropped += gap.lost or 0
        self._pipeline.gap(gap.lost)

    def _decide(self, score: Score) -> None:
        self._score = score.value
        self._tell(self._decider.decide(score.value, self._threshold, self._now()))

    def _lose(self, microphone: Microphone, reason: str) -> None:
        """Say that nothing can be judged from now on, where that is news."""
        if self._microphone != microphone:
            self._microphone, self._score = microphone, None
            self._tell(self._decider.unknown(reason, self._now()), reason)

    def _now(self) -> Moment:
        return Moment(self._heard / self._recipe.sample_rate, time.time())

    def _tell(self, outcome: Outcome, reason: str | None = None) -> None:
        for change in outcome.changes:
            self._audience.event(self._event(change))
        self._audience.state(
            State(
                ts=rfc3339(time.time()),
                source=self._source.name,
                verdict=outcome.verdict,
                score=self._score,
                threshold=self._threshold,
                window_s=self._recipe.horizon.seconds,
                microphone=self._microphone,
                reason=reason,
                event=outcome.anomaly.id if outcome.anomaly else None,
                bundle=self._reference,
            )
        )

    def _event(self, change: Change) -> Event:
        anomaly = change.anomaly
        _log.warning(
            "%s: anomaly %s: score %.3g, threshold %.3g",
            self._source.name,
            change.type,
            anomaly.score,
            anomaly.threshold,
        )
        return Event(
            ts=rfc3339(change.at.wall),
            id=anomaly.id,
            type=change.type,
            source=self._source.name,
            score=anomaly.score,
            threshold=anomaly.threshold,
            peak=anomaly.peak,
            window_s=self._recipe.horizon.seconds,
            severity=anomaly.severity,
            since=rfc3339(anomaly.since.wall),
            reason=change.reason,
            bundle=self._reference,
        )
