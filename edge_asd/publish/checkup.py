"""Why a device does not get through to its broker: each step on the way tried by itself, up to the first that fails."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from edge_asd.firmware import Mqtt
from edge_asd.publish import reasons
from edge_asd.publish.mqtt import Login, Version
from edge_asd.publish.reasons import Reason
from edge_asd.publish.session import (
    Acknowledged,
    Connected,
    Lost,
    Received,
    Refused,
    Report,
    Session,
    Subscribed,
    Unreachable,
)
from edge_asd.publish.tls import tls_context
from edge_asd.publish.topics import CHECK, Topics

_REACH_S = 10.0
_ANSWER_S = 10.0
_ALERT_S = 0.5
_ROUND_TRIP_S = 3.0
_CHECK = b"edge-asd check-broker"


class Step(NamedTuple):
    """What came of one step."""

    name: str
    """`name`, `tcp`, `tls`, `mqtt`, `publish` or `subscribe`."""
    holds: bool
    """Whether the next can be tried."""
    words: str
    """What was found, or what is wrong and how to mend it."""


class _FailedError(Exception):
    """A step that does not hold, in words."""


def check_broker(settings: Mqtt, device: str, sources: list[str], password: str | None) -> Iterator[Step]:
    """Try each step in turn, and stop after the first that fails.

    The client id is the device's with `-check` behind it, so that a daemon that runs keeps its connection. Messages
    without content, not retained, are sent on the device's topics. As the daemon's is, the last will is to be retained,
    which not every broker takes; without content, it leaves nothing.

    Parameters
    ----------
    settings
        The broker.
    device
        Id of the device.
    sources
        Ids of its sources.
    password
        Content of the password file.

    Raises
    ------
    InputError
        When an id cannot be a part of a topic, or a certificate cannot be read.
    """
    context = tls_context(settings.tls) if settings.tls else None
    topics = Topics(settings.base_topic, device)
    login = Login(f"{device}-check", settings, topics.response("status"), "", context, password)
    written = [topics.availability(), topics.info(), topics.health(), topics.response("status")]
    written += [topic for source in sources for topic in (topics.state(source), topics.event(source))]
    with contextlib.ExitStack() as stack:
        talk = _Talk(login)
        stack.callback(talk.close)
        steps: list[tuple[str, Callable[[], str]]] = [
            ("name", lambda: _resolve(settings)),
            ("tcp", lambda: _reach(settings)),
            ("tls", lambda: _encrypt(settings, context) if context else "not asked for (mqtt.tls)"),
            ("mqtt", talk.connect),
            ("publish", lambda: talk.publish(written)),
            ("subscribe", lambda: talk.subscribe(topics)),
        ]
        for name, step in steps:
            try:
                yield Step(name, True, step())
            except _FailedError as error:
                yield Step(name, False, str(error))
                return


def _resolve(settings: Mqtt) -> str:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _FailedError(reasons.unreachable(error, encrypted=False)) from error
    return f"{settings.host} is {', '.join(dict.fromkeys(str(each[4][0]) for each in found))}"


def _reach(settings: Mqtt) -> str:
    with _connected(settings) as connection:
        return f"somebody answers at {connection.getpeername()[0]}, port {settings.port}"


def _connected(settings: Mqtt) -> socket.socket:
    try:
        return socket.create_connection((settings.host, settings.port), _REACH_S)
    except OSError as error:
        raise _FailedError(reasons.unreachable(error, encrypted=False)) from error


def _encrypt(settings: Mqtt, context: ssl.SSLContext) -> str:
    try:
        with (
            _connected(settings) as plain,
            context.wrap_socket(plain, server_hostname=settings.host) as encrypted,
        ):
            version = encrypted.version()
            # TLS 1.3 tells only after the handshake that it does not like the client's certificate, or misses one.
            encrypted.settimeout(_ALERT_S)
            with contextlib.suppress(TimeoutError):
                encrypted.recv(1)
            return f"{version}, its certificate is trusted"
    except OSError as error:
        raise _FailedError(reasons.unencrypted(error)) from error


class _Talk:
    """A session, and what it reports."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._settings = login.settings
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._session: Session | None = None

    def close(self) -> None:
        if self._session is not None:
            self._session.close(with_will=False)

    def connect(self) -> str:
        asked = self._settings.version
        return self._connect(["5", "3.1.1"] if asked == "auto" else [asked])

    def _connect(self, versions: list[Version]) -> str:
        for version in versions:
            self._session = Session(self._login, version, self._reports.put)
            self._session.open()
            report = self._next((Connected, Refused, Unreachable, Lost), _ANSWER_S)
            if isinstance(report, Connected):
                return f"connected as {self._login.device}, MQTT {version}"
            self._session.close(with_will=False)
            problem = self._problem(report)
            if not _may_be_the_version(report):
                break
        raise _FailedError(problem)

    def _problem(self, report: Report | None) -> str:
        encrypted = self._login.tls is not None
        if isinstance(report, Refused):
            return self._told(report.reason, reasons.refused(report.reason))
        if isinstance(report, Unreachable):
            return reasons.unreachable(report.error, encrypted=encrypted)
        if isinstance(report, Lost):
            return reasons.unanswered(report.reason, report.detail, encrypted=encrypted)
        return "what is there does not answer as an MQTT broker; check mqtt.port, and mqtt.tls if it wants encryption"

    def publish(self, topics: list[str]) -> str:
        session = self._connected_session()
        for topic in topics:
            # One by one: a broker that hangs up at what is forbidden does not say at which.
            session.publish(topic, b"", 1, retain=False)
            reason = self._answer(Acknowledged, f"a message on {topic}")
            if reason.is_failure:
                raise _FailedError(self._told(reason, reasons.rejected(reason, topic)))
        blind = "" if session.version == "5" else "; under MQTT 3.1.1 an access list may have refused them unseen"
        return f"{len(topics)} topics, from {topics[0]} to {topics[-1]}{blind}"

    def subscribe(self, topics: Topics) -> str:
        session = self._connected_session()
        session.subscribe((topics.requests(),), own=True)
        reason = self._answer(Subscribed, f"the subscription to {topics.requests()}")
        if reason.is_failure:
            raise _FailedError(self._told(reason, reasons.deaf(reason, topics.requests())))
        for birth in self._settings.home_assistant.births:
            # It may well be refused, in a plant without Home Assistant, but not cost the connection.
            session.subscribe((birth,))
            self._answer(Subscribed, f"the subscription to {birth}")
        return self._round_trip(session, topics)

    def _answer(self, kind: type[Acknowledged | Subscribed], doing: str) -> Reason:
        """Return what the broker answered to what was tried."""
        report = self._next((kind, Lost), _ANSWER_S)
        if isinstance(report, kind):
            return report.reason
        if isinstance(report, Lost):
            raise _FailedError(self._told(report.reason, reasons.stopped(doing, report.reason)))
        raise _FailedError(reasons.stopped(doing, None))

    def _told(self, reason: Reason, words: str) -> str:
        """Return why the broker refused something, and that the client id, which is not the daemon's, may be why."""
        hint = f"; where rules go by the client id, they have to allow {self._login.device!r} too"
        return words + (hint if reason.code == reasons.NOT_AUTHORIZED else "")

    def _round_trip(self, session: Session, topics: Topics) -> str:
        topic = topics.request(CHECK)
        mid = session.publish(topic, _CHECK, 1, retain=False)
        until = time.monotonic() + _ROUND_TRIP_S
        refused = False
        while (left := until - time.monotonic()) > 0:
            report = self._next((Acknowledged, Received), left)
            if isinstance(report, Received) and report.topic == topic:
                return "commands get through"
            if isinstance(report, Acknowledged) and report.mid == mid and report.reason.is_failure:
                refused = True
                break
        if refused:
            return "accepted; whether commands get through cannot be tried, for this user may not send any"
        if session.version == "5":
            raise _FailedError(f"accepted, yet nothing comes through: allow this user to read {topics.requests()}")
        return self._round_trip_under_5(topics)

    def _round_trip_under_5(self, topics: Topics) -> str:
        """Find out whether a command was refused or kept back, which MQTT 3.1.1 does not tell; the rules are the same.

        A broker without MQTT 5 leaves it open.
        """
        session = self._connected_session()
        session.close(with_will=False)
        try:
            self._connect(["5"])
        except _FailedError:
            return (
                "accepted, yet a command of our own did not come back: under MQTT 3.1.1 it cannot be told whether this "
                f"user may not send any, or may not read them; see that it may read {topics.requests()}"
            )
        return self.subscribe(topics)

    def _connected_session(self) -> Session:
        if self._session is None:
            raise _FailedError("not connected")
        return self._session

    def _next(self, kinds: tuple[type[Report], ...], within_s: float) -> Report | None:
        until = time.monotonic() + within_s
        while (left := until - time.monotonic()) > 0:
            try:
                report = self._reports.get(timeout=left)
            except queue.Empty:
                break
            if report.session is self._session and isinstance(report, kinds):
                return report
        return None


def _may_be_the_version(report: Report | None) -> bool:
    if isinstance(report, Refused):
        return report.reason.code == reasons.UNSUPPORTED_PROTOCOL
    return report is None or isinstance(report, Lost)
