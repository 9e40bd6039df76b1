"""Messages to publish, and publishers that are in a hurry."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from edge_asd.clock import rfc3339
from edge_asd.firmware import Mqtt
from edge_asd.publish import BundleReference, Event, Info, Publisher, SourceInfo, State
from edge_asd.publish.pacing import Backoff
from edge_asd.ulid import new_ulid

BUNDLE = BundleReference(id="pump-3", sha256="ab" * 32)
WHEN = rfc3339(1_700_000_000.5)


@pytest.fixture
def info() -> Info:
    return Info(
        ts=WHEN,
        software={"edge-asd": "1.2.3"},
        sources=[SourceInfo(name="pump-3", source="mic", bundle=BUNDLE)],
        configuration={"device": "pi-07"},
    )


@pytest.fixture
def make_state() -> Callable[..., State]:
    def make(**changed: Any) -> State:
        fields: dict[str, Any] = {"source": "pump-3", "verdict": "normal", "score": 1.0, "threshold": 2.0}
        return State(**{"ts": WHEN, "window_s": 10, "microphone": "ok", "bundle": BUNDLE, **fields, **changed})

    return make


@pytest.fixture
def make_event() -> Callable[..., Event]:
    """Events that differ in id, and in a score that counts them."""
    scores = itertools.count(10)

    def make(**changed: Any) -> Event:
        fields: dict[str, Any] = {"type": "new", "source": "pump-3", "threshold": 9.0, "peak": 99.0, "window_s": 10}
        fields |= {"severity": "alarm", "since": WHEN, "ts": WHEN, "bundle": BUNDLE}
        return Event(**{"id": new_ulid(), "score": float(next(scores)), **fields, **changed})

    return make


@pytest.fixture
def make_publisher(info: Info) -> Callable[..., Publisher]:
    """Publishers on 127.0.0.1 that come back quickly; settings of the broker by name, the rest as in Publisher."""

    def make(
        port: int, *, password: str | None = None, mqtt: dict[str, Any] | None = None, **options: Any
    ) -> Publisher:
        settings = Mqtt(**{"host": "127.0.0.1", "port": port, "keepalive_s": 5, **(mqtt or {})})
        return Publisher(
            options.pop("device", "pi-07"),
            settings,
            password,
            info,
            **{"backoff": Backoff(0.3, first_s=0.05), **options},
        )

    return make
