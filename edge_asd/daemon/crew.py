"""The listeners of a plan: posted, relieved when the plan changes, and asked how they fare."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import NamedTuple

from edge_asd.capture import Feeds, Microphone
from edge_asd.daemon.judgement import Audience
from edge_asd.daemon.listener import Listener
from edge_asd.daemon.plan import Plan, Post
from edge_asd.errors import EdgeAsdError
from edge_asd.evidence import ClipStore, Recorder
from edge_asd.firmware import Evidence
from edge_asd.publish import EvidenceHealth, SourceHealth, State

_log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""Seconds after which a microphone whose listener has failed is listened to by another."""
_JOIN_S = 5.0
"""Seconds that all who cease to listen may take together."""


class Shift(NamedTuple):
    """Who is to listen for a plan."""

    plan: Plan
    kept: dict[str, Listener]
    """Those who do so already, by the name of their source."""
    fresh: dict[str, Listener]
    """Those who are to begin."""
    before: Mapping[str, Listener]
    """Those whose place they take, by the name of their source."""


class Crew:
    """Everyone who listens.

    Parameters
    ----------
    audience
        Whom they tell.
    evidence
        What they keep of anomalies.
    """

    def __init__(self, audience: Audience, evidence: Evidence) -> None:
        self._audience = audience
        self._evidence = evidence
        self._store = ClipStore(evidence)
        if evidence.enabled:
            self._store.try_out()
        self._posts: dict[str, Post] = {}
        self._failed_at: dict[str, float] = {}
        self._feeds = Feeds()
        self.listeners: dict[str, Listener] = {}
        """The listeners, by the name of their source; replaced, never changed."""

    def prepare(self, plan: Plan, predecessor: Crew | None = None) -> Shift:
        """Return who is to listen as a plan has it: who does so already goes on. Nobody begins, or ends, by that.

        Parameters
        ----------
        plan
            What to listen to.
        predecessor
            The crew whose place this one takes, where it is another.

        Raises
        ------
        InputError
            When a source cannot be listened to so.
        """
        kept = {
            name: listener
            for name, listener in self.listeners.items()
            if listener.failure is None and self._is_posted(name, plan)
        }
        before = predecessor or self
        fresh = {
            name: self._listener(post, over=before.is_over_for(name, plan))
            for name, post in plan.posts.items()
            if name not in kept
        }
        return Shift(plan, kept, fresh, before.listeners)

    def is_over_for(self, name: str, plan: Plan) -> bool:
        """Return whether a source of a plan was heard to its end."""
        return self._is_posted(name, plan) and self.listeners[name].has_ended

    def _is_posted(self, name: str, plan: Plan) -> bool:
        return name in self.listeners and name in plan.posts and self._posts[name].is_same_as(plan.posts[name])

    def change(self, shift: Shift) -> None:
        """Have those listen who were prepared."""
        _relieve([listener for name, listener in self.listeners.items() if name not in shift.kept])
        self._feeds.expect(shift.plan.needs)
        self._posts = shift.plan.posts
        self._failed_at = {}
        self.listeners = {name: shift.kept.get(name) or shift.fresh[name] for name in self._posts}
        for name, listener in shift.fresh.items():
            # Only now: commands were obeyed until their listeners were relieved.
            if name in shift.before:
                listener.judgement.succeed(shift.before[name].judgement)
            listener.start()

    def leave(self) -> None:
        """Cease to listen."""
        _relieve(list(self.listeners.values()))
        self._store.close()

    def replace_failed(self, now: float) -> None:
        """Listen anew to microphones whose listener failed a while before this moment of the monotonic clock."""
        for name in self.failed():
            failed_at = self._failed_at.setdefault(name, now)
            if isinstance(self._posts[name].address, Microphone) and now - failed_at >= AGAIN_S:
                del self._failed_at[name]
                self._replace(name)

    def _replace(self, name: str) -> None:
        try:
            listener = self._listener(self._posts[name])
        except EdgeAsdError as error:
            _log.error("%s: cannot be listened to again: %s", name, error)
            return
        _log.warning("%s: listened to again, after its listener had failed", name)
        listener.judgement.succeed(self.listeners[name].judgement)
        self.listeners = {**self.listeners, name: listener}
        listener.start()

    def evidence(self) -> EvidenceHealth:
        """Return how the keeping of clips fares."""
        return self._store.health()

    def health(self) -> dict[str, SourceHealth]:
        """Return how each source fares."""
        return {name: listener.health() for name, listener in self.listeners.items()}

    def states(self) -> dict[str, State]:
        """Return the verdict of each source that was told last."""
        states = {name: listener.judgement.state for name, listener in self.listeners.items()}
        return {name: state for name, state in states.items() if state is not None}

    def failed(self) -> dict[str, str]:
        """Return what is wrong with each source that is listened to no more though it has not ended."""
        return {name: str(listener.failure) for name, listener in self.listeners.items() if listener.failure}

    def stuck(self) -> list[str]:
        """Return the sources whose listener neither scores nor says why it does not."""
        now = time.monotonic()
        return [name for name, listener in self.listeners.items() if listener.is_stuck(now)]

    def is_over(self, *, once: bool) -> bool:
        """Return whether nobody listens any more: with `once` that is the end, else only where all have failed.

        A source that has ended is no reason to end; failures may be mended by a restart once no source is left.
        """
        listeners = self.listeners.values()
        if any(listener.is_alive() for listener in listeners):
            return False
        return once or all(listener.failure for listener in listeners)

    def _listener(self, post: Post, *, over: bool = False) -> Listener:
        recorder = None
        if self._evidence.enabled:
            recorder = Recorder(post.source.name, post.bundle.recipe.sample_rate, self._evidence, self._store)
        return Listener(
            post.source,
            post.address,
            post.bundle,
            self._audience,
            engine=post.engine,
            feeds=self._feeds,
            recorder=recorder,
            over=over,
        )


def _relieve(listeners: list[Listener]) -> None:
    for listener in listeners:
        listener.stop()
    deadline = time.monotonic() + _JOIN_S
    for listener in listeners:
        listener.join(max(0.0, deadline - time.monotonic()))
    for listener in listeners:
        # A command may have ended the anomaly of one who listens no more.
        listener.judgement.settle()
