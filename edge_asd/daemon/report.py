"""What the daemon says of itself: what runs on the device, and how it fares."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from pathlib import Path

from edge_asd.clock import rfc3339
from edge_asd.configuration import redacted
from edge_asd.daemon.crew import Crew
from edge_asd.daemon.plan import Plan
from edge_asd.daemon.vitals import cpu_temperature_c, resident_bytes
from edge_asd.interpreter import find_runtime
from edge_asd.publish import BundleReference, Health, Info, Publisher, Reloads, SourceInfo
from edge_asd.publish.outbox import Outbox
from edge_asd.publish.spool import SpoolFile
from edge_asd.version import __version__


def start_publisher(plan: Plan, gone: Iterable[str]) -> Publisher:
    """Return a publisher for a plan, which connects when its context is entered; `gone` are sources it has no more."""
    mqtt, spool = plan.firmware.mqtt, plan.firmware.spool
    path = spool.path
    outbox = Outbox(None if path is None else lambda: SpoolFile(Path(path), spool.max_bytes, spool.max_age_s))
    return Publisher(
        plan.firmware.device,
        mqtt,
        plan.password,
        describe(plan),
        gone=gone,
        state_interval_s=plan.firmware.state_interval_s,
        version=None if mqtt.version == "auto" else mqtt.version,
        outbox=outbox,
    )


def describe(plan: Plan) -> Info:
    """Return what runs on the device."""
    runtime = find_runtime()
    software = {"edge-asd": __version__, "python": platform.python_version(), runtime.name: runtime.version}
    sources = [
        SourceInfo(
            name=name,
            source=post.source.source,
            bundle=BundleReference(id=Path(post.bundle.where).stem, sha256=post.bundle.sha256),
            hop_s=post.bundle.recipe.horizon.hop_seconds,
        )
        for name, post in plan.posts.items()
    ]
    return Info(ts=rfc3339(time.time()), software=software, sources=sources, configuration=redacted(plan.firmware))


def report(crew: Crew, started: float, reloads: Reloads) -> Health:
    """Return how the device fares that was started at this moment of the monotonic clock."""
    return Health(
        ts=rfc3339(time.time()),
        uptime_s=time.monotonic() - started,
        cpu_temperature_c=cpu_temperature_c(),
        rss_bytes=resident_bytes(),
        sources=crew.health(),
        reloads=reloads,
        evidence=crew.evidence(),
    )
