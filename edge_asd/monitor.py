"""The daemon: listens to every source of a configuration and tells the broker, until it is asked to stop."""

from __future__ import annotations

import logging
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from edge_asd import golden
from edge_asd.audio import find_recordings
from edge_asd.bundle import Bundle, read_bundle
from edge_asd.capture import Feeds, Files, Microphone, Need, SourceAddress, parse_source
from edge_asd.configuration import read_secret, redacted, resolve_path
from edge_asd.firmware import Firmware, Spool
from edge_asd.interpreter import DelegateLibrary, Engine, find_runtime
from edge_asd.listener import Listener
from edge_asd.publish import BundleReference, Health, Info, Publisher, SourceInfo
from edge_asd.publish.clock import rfc3339
from edge_asd.publish.outbox import Outbox
from edge_asd.publish.spool import SpoolFile
from edge_asd.version import __version__
from edge_asd.vitals import cpu_temperature_c, resident_bytes

_log = logging.getLogger(__name__)

_POLL_S = 0.2
_JOIN_S = 5.0
_CONNECT_S = 2.0


def monitor(firmware: Firmware, where: Path, *, once: bool = False) -> int:
    """Run the daemon until SIGTERM or SIGINT, or, with `once`, until every source has ended.

    Parameters
    ----------
    firmware
        The configuration.
    where
        Its file: paths inside are relative to it.
    once
        End when every source has ended.

    Returns
    -------
    int
        0, or 2 where listening to a source failed.

    Raises
    ------
    InputError, CheckFailedError
        When a bundle, a secret or a source cannot be used; nothing has been published then.
    """
    started = time.monotonic()
    engines = {source.name: _engine(firmware, where) for source in firmware.sources}
    bundles = {source.name: _load(where, source.bundle, engines[source.name]) for source in firmware.sources}
    addresses = {source.name: parse_source(source.source, base=where.parent) for source in firmware.sources}
    for address in addresses.values():
        if isinstance(address, Files):
            find_recordings(address.path)
    password = read_secret(resolve_path(firmware.mqtt.password_file, where)) if firmware.mqtt.password_file else None
    version = None if firmware.mqtt.version == "auto" else firmware.mqtt.version
    publisher = Publisher(
        firmware.device,
        firmware.mqtt,
        password,
        _info(firmware, bundles),
        state_interval_s=firmware.state_interval_s,
        version=version,
        outbox=_outbox(firmware.spool),
    )
    with _stop_signals() as stopping, publisher:
        # What happens before the first connection counts as history; a recording at full speed would be all of it.
        publisher.wait_connected(_CONNECT_S)
        feeds = _feeds(firmware, addresses, bundles)
        listeners = [
            Listener(
                source,
                addresses[source.name],
                bundles[source.name],
                publisher,
                engine=engines[source.name],
                feeds=feeds,
            )
            for source in firmware.sources
        ]
        for listener in listeners:
            listener.start()
        _watch(listeners, publisher, firmware, stopping, started, once=once)
        for listener in listeners:
            listener.stop()
        for listener in listeners:
            listener.join(_JOIN_S)
    return 2 if any(listener.failure for listener in listeners) else 0


def _outbox(spool: Spool) -> Outbox:
    path = spool.path
    return Outbox(None if path is None else lambda: SpoolFile(Path(path), spool.max_bytes, spool.max_age_s))


def _load(where: Path, name: str, engine: Engine) -> Bundle:
    bundle = read_bundle(resolve_path(name, where))
    golden.require(bundle, engine=engine)
    return bundle


def _feeds(firmware: Firmware, addresses: dict[str, SourceAddress], bundles: dict[str, Bundle]) -> Feeds:
    return Feeds(
        Need(address.name, source.channel, bundles[source.name].recipe.sample_rate)
        for source in firmware.sources
        if isinstance(address := addresses[source.name], Microphone)
    )


def _engine(firmware: Firmware, where: Path) -> Engine:
    chosen = firmware.delegate
    if chosen is None:
        return Engine(firmware.threads)
    # A name alone is for the system's loader to find.
    path = str(resolve_path(chosen.library, where)) if "/" in chosen.library else chosen.library
    options = {name: str(value) for name, value in chosen.options.items()}
    return Engine(firmware.threads, DelegateLibrary(path, options, fallback=chosen.fallback == "cpu"))


def _watch(
    listeners: list[Listener],
    publisher: Publisher,
    firmware: Firmware,
    stopping: threading.Event,
    started: float,
    *,
    once: bool,
) -> None:
    due = started
    while not stopping.is_set() and not _is_over(listeners, once=once):
        if time.monotonic() >= due:
            due = time.monotonic() + firmware.health_interval_s
            publisher.health(_health(firmware, listeners, started))
        stopping.wait(_POLL_S)


def _is_over(listeners: list[Listener], *, once: bool) -> bool:
    # A source that has ended is no reason to end, one that failed may be mended by a restart once none is left.
    if any(listener.is_alive() for listener in listeners):
        return False
    return once or all(listener.failure for listener in listeners)


def _health(firmware: Firmware, listeners: list[Listener], started: float) -> Health:
    return Health(
        ts=rfc3339(time.time()),
        uptime_s=time.monotonic() - started,
        cpu_temperature_c=cpu_temperature_c(),
        rss_bytes=resident_bytes(),
        sources={source.name: listener.health() for source, listener in zip(firmware.sources, listeners, strict=True)},
    )


def _info(firmware: Firmware, bundles: dict[str, Bundle]) -> Info:
    runtime = find_runtime()
    software = {"edge-asd": __version__, "python": platform.python_version(), runtime.name: runtime.version}
    sources = [
        SourceInfo(
            name=source.name,
            source=source.source,
            bundle=BundleReference(id=Path(bundles[source.name].where).stem, sha256=bundles[source.name].sha256),
        )
        for source in firmware.sources
    ]
    return Info(ts=rfc3339(time.time()), software=software, sources=sources, configuration=redacted(firmware))


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    stopping = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
