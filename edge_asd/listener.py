"""One source of the daemon: what is heard becomes scores, verdicts and messages."""

from __future__ import annotations

import logging
import threading

from edge_asd.bundle import Bundle
from edge_asd.capture import Block, Capture, Feeds, Gap, SignalFault, SourceAddress, open_capture
from edge_asd.errors import CaptureError, EdgeAsdError, InputError
from edge_asd.firmware import Source
from edge_asd.interpreter import Engine
from edge_asd.judgement import Audience, Judgement
from edge_asd.pipeline import Pipeline
from edge_asd.publish import SourceHealth
from edge_asd.publish.payloads import DelegateHealth, Microphone
from edge_asd.scoring import too_short

_log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Seconds between two attempts to open a microphone that is not there."""
_WORDS: dict[SignalFault, str] = {"dropout": "interrupted", "silent": "silent", "clipped": "clipped"}


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
    engine
        What computes the bundle's nets; one thread of the processor where left out.
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
        engine: Engine | None = None,
        feeds: Feeds | None = None,
    ) -> None:
        super().__init__(name=f"listener-{source.name}", daemon=True)
        self._source, self._address = source, address
        self._recipe = bundle.recipe
        self._engine = engine or Engine()
        self._pipeline = Pipeline(bundle, engine=self._engine)
        self.judgement = Judgement(source, bundle, audience)
        """What is told; commands go there."""
        self._feeds = feeds
        self._stopping = threading.Event()
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
        return SourceHealth(
            microphone=self.judgement.microphone,
            frames_dropped=self._dropped,
            windows_scored=self._scored,
            delegate=_delegate_health(self._engine),
        )

    def _listen(self) -> None:
        self.judgement.start()
        while not self._stopping.is_set():
            try:
                self._hear_out()
                self._check_scored()
                self._lose("ended", "stopped" if self._stopping.is_set() else "the recording has ended")
                return
            except CaptureError as error:
                if self.judgement.microphone != error.state:
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
        raise too_short(self._source.source, self._seconds(), self._recipe)

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
            self.judgement.decide(score.value, self._seconds())

    def _miss(self, gap: Gap) -> None:
        _log.info("%s: %s", self._source.name, gap.reason)
        self._heard += gap.lost or 0
        self._dropped += gap.lost or 0
        self._pipeline.gap(gap.lost)

    def _lose(self, microphone: Microphone, reason: str) -> None:
        self.judgement.lose(microphone, reason, self._seconds())

    def _seconds(self) -> float:
        return self._heard / self._recipe.sample_rate


def _delegate_health(engine: Engine) -> DelegateHealth | None:
    if engine.delegate is None:
        return None
    return DelegateHealth(library=engine.delegate.path, active=engine.delegated, failure=engine.failure)
