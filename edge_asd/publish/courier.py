"""The one thread that talks to the broker: it connects, sends, counts acknowledgements and comes back.

Everything that happens (a connection, a loss, an acknowledgement, something new to send, the wish to stop) arrives as a
report in one queue, and this thread alone acts on it; so none of its state needs a lock, and nobody else ever waits.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass

from edge_asd.publish import reasons
from edge_asd.publish.board import Board, Notice
from edge_asd.publish.dispatch import Dispatcher
from edge_asd.publish.inbox import Inbox
from edge_asd.publish.ledger import Ledger
from edge_asd.publish.mqtt import Login, Version
from edge_asd.publish.outbox import Outbox
from edge_asd.publish.pacing import Backoff, Flapping, Patience
from edge_asd.publish.payloads import Broker
from edge_asd.publish.requests import Reply
from edge_asd.publish.session import (
    Acknowledged,
    Connected,
    Lost,
    Opened,
    Received,
    Refused,
    Report,
    Session,
    Subscribed,
    Unreachable,
)
from edge_asd.publish.topics import Topics

_log = logging.getLogger(__name__)

_LOOK_AROUND_S = 1.0
_STABLE_S = 10.0
_SPARE_S = 5.0


@dataclass(frozen=True)
class _Wake:
    """There is something to send."""


@dataclass(frozen=True)
class _Stop:
    """Come to an end."""

    notice: Notice
    """Last word, if connected."""
    deadline: float
    """Monotonic time."""


class Courier:
    """Carries notices and events to the broker until it is stopped.

    Parameters
    ----------
    login
        Whom to connect to, and as whom.
    topics
        The device's topics.
    board, outbox
        Where notices and events wait.
    inbox
        Takes what comes in.
    backoff
        Waits between attempts to connect.
    patience
        Time limits.
    version
        MQTT version to speak; found out where None: 5 where the broker has it, for only then it tells what it refuses.
    """

    def __init__(
        self,
        *,
        login: Login,
        topics: Topics,
        board: Board,
        outbox: Outbox,
        inbox: Inbox,
        backoff: Backoff,
        patience: Patience,
        version: Version | None = None,
    ) -> None:
        self._login = login
        self._board = board
        self._outbox = outbox
        self._inbox = inbox
        self._ledger = Ledger(f"{login.settings.host}:{login.settings.port}")
        self._backoff = backoff
        self._patience = patience
        self._dispatcher = Dispatcher(topics, board, outbox, patience.refused_s, patience.too_large_s)
        self._reports: queue.SimpleQueue[Report | Reply | _Wake | _Stop] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mqtt-courier", daemon=True)
        self._awake = False
        self._flapping = Flapping()
        self._session: Session | None = None
        self._since = 0.0
        self._attempt_at = 0.0
        self._opened = False
        self._subscribed = False
        self._subscribe_last = False
        self._asked = self._settled = version
        self._guess: Version = "5"
        self._is_sure = False
        self._stop: _Stop | None = None
        self.online = threading.Event()
        """Set while the broker has accepted the connection."""

    # What other threads call.

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to send; never waits."""
        if not self._awake:
            self._awake = True
            self._reports.put(_Wake())

    def stop(self, notice: Notice, within_s: float) -> None:
        """Send what waits and a last `notice`, for at most `within_s` seconds; then disconnect and end the thread."""
        self._reports.put(_Stop(notice, time.monotonic() + within_s))
        self._thread.join(within_s + _SPARE_S)
        if self._thread.is_alive():
            _log.error("the MQTT thread does not end; it is left behind")

    def reply(self, reply: Reply) -> None:
        """Send an answer, if the broker is connected; never waits."""
        self._reports.put(reply)

    @property
    def figures(self) -> Broker:
        """How the connection fares."""
        return self._ledger.figures

    # The thread.

    def _run(self) -> None:
        while not self._is_done(time.monotonic()):
            try:
                self._take(self._next_report(), time.monotonic())
                self._tend(time.monotonic())
            except Exception:  # noqa: BLE001 - a guard: the loop must outlive any fault
                _log.exception("error in the MQTT thread; the connection is made afresh")
                self._end_session("error in this program, see the log", time.monotonic())
        self._leave()

    def _next_report(self) -> Report | Reply | _Wake | _Stop | None:
        now = time.monotonic()
        until = now + _LOOK_AROUND_S
        if self._session is None:
            until = min(until, self._attempt_at)
        if self.online.is_set():
            until = min(until, self._dispatcher.next_due())
        if self._stop:
            until = min(until, self._stop.deadline)
        try:
            return self._reports.get(timeout=max(0.0, until - now))
        except queue.Empty:
            return None

    def _take(self, report: Report | Reply | _Wake | _Stop | None, now: float) -> None:
        if isinstance(report, _Wake):
            self._awake = False
        elif isinstance(report, _Stop):
            self._prepare_to_stop(report)
        elif isinstance(report, Reply):
            self._dispatcher.reply(report)
        elif report is not None and report.session is self._session:
            self._take_from_session(report, now)

    def _take_from_session(self, report: Report, now: float) -> None:
        if isinstance(report, Acknowledged):
            self._on_acknowledged(report, now)
        elif isinstance(report, Received):
            self._inbox.take(report)
        elif isinstance(report, Subscribed):
            self._on_subscribed(report, now)
        elif isinstance(report, Opened):
            self._opened = True
            self._since = now
        elif isinstance(report, Connected):
            self._on_connected(report, now)
        elif isinstance(report, Refused):
            self._on_refused(report, now)
        elif isinstance(report, Unreachable):
            self._end_session(reasons.unreachable(report.error, encrypted=self._login.tls is not None), now)
        elif isinstance(report, Lost):
            self._on_lost(report, now)

    def _tend(self, now: float) -> None:
        session = self._session
        if session is None:
            if now >= self._attempt_at:
                self._connect(now)
        elif not session.is_alive() and self._reports.empty():
            # Its last reports have all been read, and none told of an end.
            self._dispatcher.end(reasons.UNKNOWN, now)
            self._end_session("the MQTT client's thread has died", now)
        elif self.online.is_set():
            self._tend_connection(session, now)
        elif self._opened and now - self._since > self._patience.answer_s:
            self._guess_again()
            self._end_session("it does not answer", now)
        elif not self._opened and now - self._since > self._patience.reach_s:
            self._end_session("it cannot be reached", now)

    def _tend_connection(self, session: Session, now: float) -> None:
        if self._dispatcher.waiting_s(now) > self._patience.acknowledgement_s:
            self._dispatcher.end(reasons.UNKNOWN, now)
            self._end_session("it is connected, and does not acknowledge", now)
            return
        if not self._subscribed and not (self._subscribe_last and not self._dispatcher.is_drained(now)):
            self._subscribe(session)
        for problem in self._dispatcher.send(session, now):
            self._ledger.refused(problem, now)

    def _subscribe(self, session: Session) -> None:
        session.subscribe(self._inbox.filters)
        self._subscribed = True
        # Until it is answered: a broker may end the connection at it, and what waits is to arrive all the same.
        self._subscribe_last = True

    def _connect(self, now: float) -> None:
        self._since = now
        self._opened = False
        self._session = Session(self._login, self._settled or self._guess, self._reports.put)
        self._session.open()

    # What happens to a session.

    def _on_connected(self, report: Connected, now: float) -> None:
        version = report.session.version
        if version != (self._settled or "5") and not self._is_sure:
            # Now that it is known to be alive: it may only have been starting when it did not answer under MQTT 5.
            self._is_sure = True
            self._speak("5", report.session, now)
            return
        waiting = self._outbox.summary().depth
        self._ledger.connected(version, waiting)
        self._since = now
        self._dispatcher.begin(report.window, report.largest)
        self._subscribed = False
        self.online.set()

    def _on_acknowledged(self, report: Acknowledged, now: float) -> None:
        problem = self._dispatcher.settle(report.mid, report.reason, now)
        if problem:
            self._ledger.refused(problem, now)

    def _on_subscribed(self, report: Subscribed, now: float) -> None:
        self._subscribe_last = False
        if not report.reason.is_failure:
            return
        problem = reasons.deaf(report.reason, report.topic)
        if report.topic in self._inbox.births:
            # Nothing is wrong with a plant that has no Home Assistant.
            _log.info("%s", problem)
        else:
            self._ledger.refused(problem, now)

    def _on_refused(self, report: Refused, now: float) -> None:
        unknown = report.reason.code == reasons.UNSUPPORTED_PROTOCOL and report.session.version == "5"
        if unknown and self._asked is None:
            _log.info("the broker at %s does not speak MQTT 5; going on with 3.1.1", self._ledger.address)
            self._settled = "3.1.1"
            self._speak("3.1.1", report.session, now)
        else:
            self._end_session(reasons.refused(report.reason), now)

    def _on_lost(self, report: Lost, now: float) -> None:
        device = self._login.device
        if not self.online.is_set():
            self._guess_again()
            encrypted = self._login.tls is not None
            self._end_session(reasons.unanswered(report.reason, report.detail, encrypted=encrypted), now)
        elif problem := self._dispatcher.end(report.reason, now):
            self._end_session(problem, now)
        elif self._flapping.lost(now - self._since, now) and not report.reason.is_specific:
            self._end_session(reasons.flapping(device), now)
        else:
            self._end_session(reasons.lost(report.reason, report.detail, device), now)

    def _guess_again(self) -> None:
        """Try the other version next: some brokers without MQTT 5 hang up on it, or fall silent, without a word."""
        self._guess = "3.1.1" if self._guess == "5" else "5"

    def _speak(self, version: Version, session: Session, now: float) -> None:
        """Connect afresh at once, under another version."""
        self._guess = version
        self._session = None
        self._attempt_at = now
        session.close(with_will=False)

    def _end_session(self, problem: str, now: float) -> None:
        """Give up the session, tell why, and plan the next attempt."""
        session, self._session = self._session, None
        if self.online.is_set():
            self._guess, self._is_sure = "5", False
            if now - self._since > _STABLE_S:
                self._backoff.reset()
                self._ledger.forgive()
        self.online.clear()
        wait_s = self._backoff.next()
        self._attempt_at = now + wait_s
        self._ledger.tell(problem, now, f"; next attempt in {wait_s:.1f} s")
        if session is not None:
            session.close(with_will=True)

    # Stopping.

    def _prepare_to_stop(self, stop: _Stop) -> None:
        self._stop = stop
        self._board.put(stop.notice)
        self._board.hurry()

    def _is_done(self, now: float) -> bool:
        if self._stop is None:
            return False
        if now >= self._stop.deadline:
            return True
        if self.online.is_set():
            return self._dispatcher.is_drained(now)
        # An attempt under way is waited for; another is worth it for events alone.
        return self._session is None and self._outbox.summary().depth == 0

    def _leave(self) -> None:
        session, self._session = self._session, None
        farewell = self.online.is_set() and self._dispatcher.is_drained(time.monotonic())
        self.online.clear()
        if session is not None and not farewell:
            _log.warning("stopped before the broker at %s had acknowledged everything", self._ledger.address)
        if session is not None:
            # Leaving politely suppresses the last will: only when our own farewell has arrived.
            session.close(with_will=not farewell)
        # What it has reported since would keep it, and paho's sockets with it.
        while not self._reports.empty():
            self._reports.get_nowait()
