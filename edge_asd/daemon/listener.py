"""One source of the daemon: what is heard becomes scores, verdicts and messages."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from typing import Literal

from edge_asd.bandwidth import BandwidthWatch
from edge_asd.bundle import Bundle
from edge_asd.capture import Block, Capture, Feeds, Gap, Levels, SignalFault, SourceAddress, open_capture
from edge_asd.capture import Microphone as MicrophoneAddress
from edge_asd.capture.watch import DROPOUT_S
from edge_asd.daemon.judgement import Audience, Judgement
from edge_asd.errors import CaptureError, EdgeAsdError, InputError
from edge_asd.evidence import Recorder
from edge_asd.explanation import Explanation
from edge_asd.firmware import Source
from edge_asd.interpreter import Engine
from edge_asd.liveness import no_live_signal, too_short
from edge_asd.pipeline import Pipeline
from edge_asd.publish import Disturbances, SourceHealth
from edge_asd.publish.payloads import DelegateHealth, Microphone

_log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Seconds between two attempts to open a microphone that is not there."""
_LONGEST_TRY_S = 45.0
"""Seconds that an attempt to hear may take: opening a microphone on a slow board, and a stall after it."""
_SPARE_S = 7.0


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
    recorder
        Keeps the sound of anomalies; nothing is kept where left out.
    over
        Whether the source was heard to its end before, so that there is nothing more to listen to.
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
        recorder: Recorder | None = None,
        over: bool = False,
    ) -> None:
        super().__init__(name=f"listener-{source.name}", daemon=True)
        self._source, self._address = source, address
        self._recipe = bundle.recipe
        self._engine = engine or Engine()
        self._pipeline = Pipeline(bundle, engine=self._engine)
        self._bandwidth = BandwidthWatch(bundle)
        self.judgement = Judgement(source, bundle, audience, recorder)
        """What is told; commands go there."""
        self._feeds = feeds
        self.recorder = recorder
        """What keeps the sound of anomalies, and takes snapshots."""
        self._stopping = threading.Event()
        self._over = over
        self._heard = 0
        # Samples that the pipeline was not given, and does not count.
        self._kept_back = 0
        self._dropped = 0
        self._scored = 0
        self._unscored = 0
        # A stretch that stands still is a dropout only after a while; until then, no horizon may be judged that
        # holds its beginning.
        self._hold = round(DROPOUT_S * self._recipe.sample_rate)
        self._held: deque[tuple[float, int, Explanation]] = deque()
        # In an unbroken stream, decisions are a hop apart after the first horizon; what falls silent for good is
        # found to be so within the spare time.
        spare = round(_SPARE_S * self._recipe.sample_rate)
        self._most_unscored = 2 * self._recipe.horizon_samples + self._recipe.hop_samples + spare
        self._patience_s = self._most_unscored / self._recipe.sample_rate + _SPARE_S
        self._progress = time.monotonic()
        self._faults: set[SignalFault] = set()
        self._fault: SignalFault | None = None
        self._levels: Levels | None = None
        self._disturbances: Counter[str] = Counter()
        self.failure: BaseException | None = None
        """What ended the listening, where it was not its source's end."""

    def run(self) -> None:
        """Listen; whatever goes wrong is kept in `failure` and told as `unknown`."""
        try:
            self._listen()
        except BaseException as error:  # noqa: BLE001 - a thread's error is the daemon's to report
            self.failure = error
            _log.error("%s: %s", self._source.name, error, exc_info=not isinstance(error, EdgeAsdError))
            self._leave("gone", f"listening failed: {error}")
        # Whoever joins this thread may go on to take the audience away.
        self.judgement.settle()

    @property
    def has_ended(self) -> bool:
        """Whether the source was heard to its end."""
        return self._over

    def stop(self) -> None:
        """Ask the listening to end; `join` waits for it."""
        self._stopping.set()

    def health(self) -> SourceHealth:
        """Return how this source fares."""
        levels = self._levels
        return SourceHealth(
            microphone=self.judgement.microphone,
            frames_dropped=self._dropped,
            windows_scored=self._scored,
            delegate=_delegate_health(self._engine),
            level_dbfs=levels.level_dbfs if levels else None,
            dc_offset=levels.dc_offset if levels else None,
            clipped_share=levels.clipped_share if levels else None,
            disturbances=Disturbances(**self._disturbances),
        )

    def is_stuck(self, now: float) -> bool:
        """Return whether it neither scores nor says why it does not, at this moment of the monotonic clock.

        Hearing, it has to score a window once for each horizon and hop; not hearing, it has to try again.
        """
        limit = self._patience_s if self.judgement.microphone == "ok" else _LONGEST_TRY_S
        return self.is_alive() and now - self._progress > limit

    def _listen(self) -> None:
        self.judgement.start()
        while not self._over and not self._stopping.is_set():
            try:
                self._hear_out()
                self._decide(self._heard)
                self._check_scored()
                self._over = not self._stopping.is_set()
                break
            except InputError as error:
                # A microphone that was heard once and then cannot be told from another may be heard again.
                if not (self._heard and isinstance(self._address, MicrophoneAddress)):
                    raise
                self._wait_for_microphone("gone", error)
            except CaptureError as error:
                self._wait_for_microphone(error.state, error)
        self._leave("ended", "the recording has ended" if self._over else "stopped")

    def _wait_for_microphone(self, state: Literal["gone", "stalled"], error: EdgeAsdError) -> None:
        if self._stopping.is_set():
            return
        if self.judgement.microphone != state:
            self._disturbances[state] += 1
            _log.warning("%s: %s; tried again every %g s", self._source.name, error, RETRY_S)
        self._pipeline.gap()
        self._held.clear()
        self._unscored = 0
        self._levels = None
        self._report(state, str(error))
        self._stopping.wait(RETRY_S)

    def _hear_out(self) -> None:
        rate, channel = self._recipe.sample_rate, self._source.channel
        with open_capture(
            self._address, sample_rate=rate, channel=channel, feeds=self._feeds, stopping=self._stopping
        ) as capture:
            self._follow(capture)

    def _check_scored(self) -> None:
        # A microphone never ends; of recordings that end without a decision, somebody has to be told.
        if self._scored or self._stopping.is_set():
            return
        if self._faults:
            raise no_live_signal(self._source.source, self._faults, self._recipe.horizon.seconds)
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
        self._count(len(block.samples))
        self._levels = block.levels or self._levels
        if block.native_rate is not None:
            self._bandwidth.take(self._source.name, block.native_rate)
        if block.fault is not None and block.fault != self._fault:
            self._disturbances[block.fault] += 1
        self._fault = block.fault
        if self.recorder is not None:
            self.recorder.hear(block.samples)
        if block.fault is not None:
            # What is no sound of the machine is not judged, nor any horizon that it lies in.
            self._pipeline.gap()
            self._kept_back += len(block.samples)
            self._held.clear()
            self._faults.add(block.fault)
            if block.fault != "dropout":
                self._report(block.fault, f"the microphone is {block.fault}")
                self._unscored = 0
            return
        if self._unscored <= self._most_unscored:
            self._report("ok", f"heard, to be judged after {self._recipe.horizon.seconds:g} s")
        for score in self._pipeline.process(block.samples):
            self._scored += 1
            self._unscored = 0
            self._progress = time.monotonic()
            notable = score.value >= self.judgement.threshold
            explanation = self._pipeline.explain() if notable else Explanation()
            self._held.append((score.value, self._kept_back + score.end, explanation))
        self._decide(self._heard - self._hold)

    def _decide(self, until: int) -> None:
        """Tell of the horizons that end at this sample or before; none of them ends in a dropout, then."""
        while self._held and self._held[0][1] <= until:
            score, end, explanation = self._held.popleft()
            self._report("ok", "heard")
            self.judgement.decide(score, end / self._recipe.sample_rate, explanation)

    def _miss(self, gap: Gap) -> None:
        self._decide(self._heard)
        if gap.overflow:
            self._disturbances["overflow"] += 1
        _log.info("%s: %s", self._source.name, gap.reason)
        self._count(gap.lost or 0)
        self._dropped += gap.frames
        self._pipeline.gap(gap.lost)

    def _count(self, samples: int) -> None:
        self._heard += samples
        self._unscored += samples
        if self._unscored > self._most_unscored and self.judgement.microphone in {"ok", "interrupted"}:
            # Each interruption has the horizon begin anew: it may go on so for ever.
            seconds = self._unscored / self._recipe.sample_rate
            self._report("interrupted", f"not heard for long enough to judge in the last {seconds:.0f} s")

    def _report(self, microphone: Microphone, reason: str) -> None:
        if microphone != "ok":
            self._progress = time.monotonic()
        self.judgement.report(microphone, reason, self._seconds())

    def _leave(self, microphone: Microphone, reason: str) -> None:
        self._progress = time.monotonic()
        self._levels = None
        self.judgement.leave(microphone, reason, self._seconds())

    def _seconds(self) -> float:
        return self._heard / self._recipe.sample_rate


def _delegate_health(engine: Engine) -> DelegateHealth | None:
    if engine.delegate is None:
        return None
    return DelegateHealth(library=engine.delegate.path, active=engine.delegated, failure=engine.failure)
