"""The daemon: listens to every source of a configuration and tells the broker, until it is asked to stop."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from edge_asd.clock import rfc3339
from edge_asd.daemon.changes import FileWatch
from edge_asd.daemon.control import Control, Skills
from edge_asd.daemon.crew import Crew
from edge_asd.daemon.logs import configure_logs
from edge_asd.daemon.notify import Notifier
from edge_asd.daemon.plan import Plan, make_plan
from edge_asd.daemon.recalibration import recalibrate
from edge_asd.daemon.report import describe, report, start_publisher
from edge_asd.daemon.roster import Roster
from edge_asd.daemon.web import Page, WebServer
from edge_asd.errors import EdgeAsdError
from edge_asd.firmware import Firmware, Web
from edge_asd.memory import limit_allocator, release_code
from edge_asd.publish import Clip, Health, Info, Publisher, Reloads
from edge_asd.publish.requests import CommandRefusedError

_log = logging.getLogger(__name__)

_POLL_S = 0.2
_CONNECT_S = 2.0
_CHANGE_S = 5.0
_RELEASE_S = (0.0, 20.0)
"""When the code that a start ran is let go of: once all is read, and once everything was done for a first time."""


def monitor(
    read: Callable[[], Firmware], where: Path, *, once: bool = False, options: frozenset[str] = frozenset()
) -> int:
    """Run the daemon until SIGTERM or SIGINT, or, with `once`, until every source has ended.

    SIGHUP, and a change of the configuration, a bundle, a certificate or the password, have it read anew.

    Parameters
    ----------
    read
        Reads the configuration.
    where
        Its file: paths inside are relative to it.
    once
        End when every source has ended.
    options
        Settings of the one source that options of their names gave, and not the file.

    Returns
    -------
    int
        0, or 2 where listening to a source failed.

    Raises
    ------
    InputError, CheckFailedError
        When a bundle, a secret or a source cannot be used; nothing has been published then.
    """
    limit_allocator()
    notifier = Notifier(os.environ)
    with _signals() as asked, Daemon(read, where, options) as daemon:
        notifier.tell("READY=1", f"STATUS=listening to {len(daemon.crew.listeners)} source(s)")
        while not asked.stop.is_set() and not daemon.is_over(once=once):
            if asked.reload.is_set():
                asked.reload.clear()
                if not daemon.begin_reload():
                    asked.reload.set()
            daemon.look_around()
            if not daemon.crew.stuck():
                notifier.ping()
            asked.stop.wait(_POLL_S)
        notifier.tell("STOPPING=1")
        failed = daemon.crew.failed()
    return 2 if failed else 0


class Daemon:
    """A configuration that is carried out, from entering the context to leaving it.

    Parameters
    ----------
    read
        Reads the configuration.
    where
        Its file.
    options
        Settings that options gave, as of :func:`monitor`.

    Raises
    ------
    InputError, CheckFailedError
        When it cannot be used; from entering as well.
    """

    def __init__(self, read: Callable[[], Firmware], where: Path, options: frozenset[str]) -> None:
        self._read, self._where, self._options = read, where, options
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._watch = FileWatch([where])
        firmware = read()
        configure_logs(firmware.log)
        self._plan = make_plan(firmware, where, self._watch.add, options)
        self._watch.keep(self._plan.files)
        self._roster = Roster(_roster_path(self._plan))
        self._reloads = Reloads()
        self._reloading: threading.Thread | None = None
        self._due = self._started
        self._releases: tuple[float, ...] = ()
        self._working = ExitStack()
        self._serving = ExitStack()

    def __enter__(self) -> Daemon:
        self._begin(self._plan, None)
        self._serve(self._plan.firmware.web)
        self._releases = _due_releases()
        return self

    def __exit__(self, *_exception: object) -> None:
        # What is being changed is waited for, for a while.
        self._lock.acquire(timeout=_CHANGE_S)
        self._serving.close()
        self._working.close()

    def look_around(self) -> None:
        """Publish the health where it is due, leave behind what was needed to start, and have what has changed read."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._plan.firmware.health_interval_s
            self._tell_health()
        changed = False
        with self._unless_changing() as settled:
            if settled:
                self._release()
                self.crew.replace_failed(time.monotonic())
                # It is told once: not while nobody would take it up.
                changed = not self._is_reloading() and self._watch.has_changed()
        if changed:
            _log.info("the configuration, a bundle, a certificate or the password has changed")
            self.begin_reload()

    def _release(self) -> None:
        if self._releases and time.monotonic() >= self._releases[0]:
            self._releases = self._releases[1:]
            release_code()

    def is_over(self, *, once: bool) -> bool:
        """Return whether nobody listens any more, as :meth:`Crew.is_over`; never while a plan is being changed."""
        with self._unless_changing() as settled:
            return settled and self.crew.is_over(once=once)

    @contextmanager
    def _unless_changing(self) -> Iterator[bool]:
        # While a plan is being changed, nobody may listen, and what is watched is read anew.
        settled = self._lock.acquire(blocking=False)
        try:
            yield settled
        finally:
            if settled:
                self._lock.release()

    def _tell_health(self) -> None:
        try:
            self._publisher.health(self.health())
        except Exception:  # noqa: BLE001 - a guard: a figure that is none must not end the listening
            _log.exception("the health could not be published")

    def begin_reload(self) -> bool:
        """Have configuration and bundles read anew, unless that is under way; return whether it was begun.

        A self-test takes its time, and a disk that hangs takes for ever: neither keeps the daemon from its duties.
        """
        if self._is_reloading():
            return False
        self._reloading = threading.Thread(target=self._try_reload, name="reload", daemon=True)
        self._reloading.start()
        return True

    def _is_reloading(self) -> bool:
        return self._reloading is not None and self._reloading.is_alive()

    def _try_reload(self) -> None:
        try:
            self.reload()
        except Exception as error:  # noqa: BLE001 - a guard: whatever is wrong with the new, the old goes on
            known = isinstance(error, (EdgeAsdError, OSError))
            _log.error("not reloaded, the old configuration goes on: %s", error, exc_info=not known)

    def reload(self) -> Plan:
        """Read configuration and bundles anew and carry them out, wholly or not at all; any thread may call.

        Returns
        -------
        Plan
            The new one.

        Raises
        ------
        InputError, CheckFailedError
            When they cannot be used; the old ones then go on.
        """
        with self._lock:
            # What is replaced while it is read has changed, and is read once more.
            watch = FileWatch(self._plan.files)
            try:
                plan = make_plan(self._read(), self._where, watch.add, self._options)
                self._change(plan)
                watch.keep(plan.files)
            except Exception as error:
                self._reloads = Reloads(
                    done=self._reloads.done,
                    refused=self._reloads.refused + 1,
                    last_error=str(error),
                    last_error_ts=rfc3339(time.time()),
                )
                raise
            finally:
                self._watch = watch
                self._due = time.monotonic()
            self._reloads = Reloads(done=self._reloads.done + 1, refused=self._reloads.refused)
            self._releases = _due_releases()
            _log.info("reloaded: %d source(s)", len(plan.posts))
            return plan

    def health(self) -> Health:
        """Return how the device fares, without what the publisher knows."""
        return report(self.crew, self._started, self._reloads)

    def info(self) -> Info:
        """Return what runs on the device."""
        return describe(self._plan)

    def page(self) -> Page:
        """Return what is shown over HTTP."""
        return Page(
            self.health(), self._publisher.statistics(), self.crew.states(), self.crew.stuck(), self.crew.failed()
        )

    def _begin(self, plan: Plan, predecessor: Crew | None) -> None:
        if self._roster.path != _roster_path(plan):
            self._roster = Roster(_roster_path(plan))
        publisher = start_publisher(plan, self._roster.gone(plan.posts))
        crew = Crew(publisher, plan.firmware.evidence)
        shift = crew.prepare(plan, predecessor)
        if predecessor is not None:
            self._publisher.hand_over(publisher)
        # One cannot talk to two brokers: nobody listens while the one is left for the other.
        self._working.close()
        self._publisher: Publisher = self._working.enter_context(publisher)
        # What happens before the first connection counts as history; a recording at full speed would be all of it.
        publisher.wait_connected(_CONNECT_S)
        self.crew = crew
        """Everyone who listens."""
        self._working.callback(crew.leave)
        crew.change(shift)
        skills = Skills(calibrate=self._told_to_calibrate, reload=self._told_to_reload, snapshot=self._snapshot)
        publisher.obey(Control(lambda: self.crew, publisher, self.health, skills))

    def _change(self, plan: Plan) -> None:
        web = self._plan.firmware.web
        if _telling(self._plan) == _telling(plan):
            self.crew.change(self.crew.prepare(plan))
            self._publisher.info(describe(plan), self._roster.gone(plan.posts))
        else:
            self._begin(plan, self.crew)
        self._plan = plan
        configure_logs(plan.firmware.log)
        if web != plan.firmware.web:
            self._serving.close()
            self._serve(plan.firmware.web)

    def _told_to_calibrate(self, source: str, seconds: float | None) -> float:
        post = self._plan.posts[source]
        return recalibrate(self.crew.listeners[source].judgement, post.bundle, post.source.decision, seconds)

    def _told_to_reload(self) -> dict[str, str]:
        return {name: post.bundle.sha256 for name, post in self.reload().posts.items()}

    def _snapshot(self, source: str) -> Clip:
        recorder = self.crew.listeners[source].recorder
        if recorder is None:
            raise CommandRefusedError("no clips are kept: see evidence.enabled in the configuration")
        clip = recorder.snapshot()
        if clip is None:
            raise CommandRefusedError(f"{source}: nothing was heard yet, or the clip could not be written")
        return clip

    def _serve(self, settings: Web) -> None:
        if settings.enabled:
            self._serving.enter_context(WebServer(settings, self.page))


def _due_releases() -> tuple[float, ...]:
    return tuple(time.monotonic() + seconds for seconds in _RELEASE_S)


def _roster_path(plan: Plan) -> Path | None:
    spool = plan.firmware.spool.path
    return None if spool is None else Path(f"{spool}.sources")


def _telling(plan: Plan) -> tuple[object, ...]:
    """Return what cannot be changed while the broker is talked to."""
    asked = plan.firmware
    return asked.device, asked.mqtt, asked.spool, asked.evidence, asked.state_interval_s, plan.credentials


class _Asked(NamedTuple):
    stop: threading.Event
    reload: threading.Event


@contextmanager
def _signals() -> Iterator[_Asked]:
    asked = _Asked(threading.Event(), threading.Event())

    def ask(number: int, _frame: FrameType | None) -> None:
        (asked.reload if number == signal.SIGHUP else asked.stop).set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
