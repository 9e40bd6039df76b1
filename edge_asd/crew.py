"""The listeners of a plan: posted, relieved when the plan changes, and asked how they fare."""

from __future__ import annotations

import time

from edge_asd.capture import Feeds
from edge_asd.evidence import ClipStore, Recorder
from edge_asd.firmware import Evidence
from edge_asd.judgement import Audience
from edge_asd.listener import Listener
from edge_asd.plan import Plan, Post
from edge_asd.publish import EvidenceHealth, SourceHealth, State

_JOIN_S = 5.0


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
        self._posted: dict[str, tuple[Post, Listener]] = {}
        self._feeds = Feeds()

    @property
    def listeners(self) -> dict[str, Listener]:
        """The listeners, by the name of their source."""
        return {name: listener for name, (_, listener) in self._posted.items()}

    def follow(self, plan: Plan) -> None:
        """Listen as a plan has it: who does so already goes on."""
        kept = {
            name: (post, listener)
            for name, (post, listener) in self._posted.items()
            if name in plan.posts and listener.is_alive() and post.is_same_as(plan.posts[name])
        }
        _relieve([listener for name, (_, listener) in self._posted.items() if name not in kept])
        self._feeds.expect(plan.needs)
        self._posted = {name: kept.get(name) or self._post(post) for name, post in plan.posts.items()}

    def leave(self) -> None:
        """Cease to listen."""
        _relieve([listener for _, listener in self._posted.values()])

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

    def _post(self, post: Post) -> tuple[Post, Listener]:
        recorder = None
        if self._evidence.enabled:
            recorder = Recorder(post.source.name, post.bundle.recipe.sample_rate, self._evidence, self._store)
        listener = Listener(
            post.source,
            post.address,
            post.bundle,
            self._audience,
            engine=post.engine,
            feeds=self._feeds,
            recorder=recorder,
        )
        listener.start()
        return post, listener


def _relieve(listeners: list[Listener]) -> None:
    for listener in listeners:
        listener.stop()
    for listener in listeners:
        listener.join(_JOIN_S)
