"""One attempt at a connection: a paho client that is used once and thrown away when it ends.

paho can connect again by itself, and then keeps messages of its own from one connection to the next, waits without
jitter, cannot change the protocol's version and does not come back from an error in its thread. So a session is set to
end with its connection, and every message that matters stays in our own keeping until it is acknowledged.

paho's callbacks run in its network thread; each only hands a :class:`Report` to whoever owns the session, so that all
thinking happens in one thread of ours.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_asd.publish import mqtt
from edge_asd.publish.mqtt import WINDOW, Login, Version
from edge_asd.publish.reasons import Reason

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_log = logging.getLogger(__name__)

_CLOSE_S = 1.0


@dataclass(frozen=True)
class Report:
    """Something that happened to a session."""

    session: Session


@dataclass(frozen=True)
class Opened(Report):
    """There is somebody at the other end; whether it is a broker is to be seen."""


@dataclass(frozen=True)
class Connected(Report):
    """The broker accepted the connection."""

    window: int
    """Most messages the broker wants under way at once."""
    largest: int | None = None
    """Most bytes of a packet that the broker takes; None where it tells nothing."""


@dataclass(frozen=True)
class Refused(Report):
    """The broker answered with a refusal, or would not take what we send."""

    reason: Reason


@dataclass(frozen=True)
class Unreachable(Report):
    """No connection came about."""

    error: BaseException


@dataclass(frozen=True)
class Lost(Report):
    """The connection ended."""

    reason: Reason
    detail: str
    """What paho logged of it."""


@dataclass(frozen=True)
class Acknowledged(Report):
    """The broker answered a message."""

    mid: int
    """Number of the message within the session."""
    reason: Reason


@dataclass(frozen=True)
class Subscribed(Report):
    """The broker answered a subscription."""

    topic: str
    """Its filter."""
    reason: Reason


@dataclass(frozen=True)
class Received(Report):
    """A message came in."""

    topic: str
    payload: bytes
    retained: bool
    """Whether it is, or will be, retained by the broker; under 3.1.1 only what was retained before shows."""
    reply_topic: str | None
    correlation: bytes | None


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Keep an exception in a callback from killing paho's thread; the log tells of it."""

    @functools.wraps(callback)
    def guard(*args: Any) -> None:
        try:
            callback(*args)
        except Exception:  # noqa: BLE001 - an exception here would kill the network thread
            _log.exception("error in %s of the MQTT client", callback.__name__)

    return guard


class Session:
    """A connection to the broker, from the attempt to its end.

    Parameters
    ----------
    login
        Whom to connect to, and as whom.
    version
        MQTT version to speak.
    report
        Takes what happens; called from paho's thread, must not wait.
    """

    def __init__(self, login: Login, version: Version, report: Callable[[Report], None]) -> None:
        self.version: Version = version
        self._login = login
        self._report = report
        self._thread: threading.Thread | None = None
        self._closed = False
        self._detail = ""
        self._filters: tuple[str, ...] = ()
        self._client = mqtt.client(login, version)
        self._bind()

    def open(self) -> None:
        """Begin to connect, without waiting for it."""
        settings = self._login.settings
        # What is larger than any request the broker keeps to itself, where it speaks MQTT 5.
        limit = mqtt.properties("CONNECT", MaximumPacketSize=mqtt.LARGEST_PACKET_BYTES) if self.version == "5" else None
        self._client.connect_async(settings.host, settings.port, settings.keepalive_s, properties=limit)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool, correlation: bytes | None = None) -> int:
        """Hand a message to paho; its number comes back in an :class:`Acknowledged` when `qos` is 1."""
        with_correlation = correlation is not None and self.version == "5"
        properties = mqtt.properties("PUBLISH", CorrelationData=correlation) if with_correlation else None
        return self._client.publish(topic, payload, qos, retain, properties).mid

    def subscribe(self, filters: tuple[str, ...], *, own: bool = False) -> None:
        """Ask for messages that come from now on, `own` ones or not; not for what is retained.

        Where it is asked again, the broker has to have answered before.
        """
        self._filters = filters
        if self.version == "5":
            self._client.subscribe([(each, mqtt.live_messages(own=own)) for each in filters])
        else:
            self._client.subscribe([(each, 1) for each in filters])

    def is_alive(self) -> bool:
        """Whether paho's thread still runs, or has not begun to connect yet."""
        return self._thread is None or self._thread.is_alive()

    def close(self, *, with_will: bool) -> None:
        """End the session within two seconds, come what may.

        Parameters
        ----------
        with_will
            Break the connection off, so that the broker publishes the last will; else take leave, which suppresses it.
        """
        self._closed = True
        if not with_will:
            self._client.disconnect()
        if with_will or not self._has_ended():
            _break_off(self._client.socket())
        if self._has_ended():
            # paho closes its sockets when the client goes; without callbacks nothing goes round in a circle, and it
            # goes with this session, not whenever the garbage collector comes by.
            self._unbind()

    def _has_ended(self) -> bool:
        # Not by loop_stop(): it waits without a limit for a thread that may be stuck in a name server.
        if self._thread is None:
            return False
        self._thread.join(_CLOSE_S)
        return not self._thread.is_alive()

    def _bind(self) -> None:
        client = self._client
        client.on_pre_connect = _guarded(self._on_pre_connect)
        client.on_socket_open = _guarded(self._on_socket_open)
        client.on_connect = _guarded(self._on_connect)
        client.on_connect_fail = _guarded(self._on_connect_fail)
        client.on_disconnect = _guarded(self._on_disconnect)
        client.on_publish = _guarded(self._on_publish)
        client.on_subscribe = _guarded(self._on_subscribe)
        client.on_message = _guarded(self._on_message)
        client.on_log = _guarded(self._on_log)

    def _unbind(self) -> None:
        client = self._client
        client.on_pre_connect = client.on_socket_open = client.on_connect = client.on_connect_fail = None
        client.on_disconnect = client.on_publish = client.on_subscribe = client.on_message = client.on_log = None

    def _on_pre_connect(self, *_: object) -> None:
        self._thread = threading.current_thread()

    def _on_socket_open(self, _client: Client, _data: object, connection: object) -> None:
        if self._closed:
            # It was given up while it was still looking for the broker; it must not appear there now.
            _break_off(connection)
        self._report(Opened(self))

    def _on_connect(self, _client: Client, _data: object, _flags: object, code: Any, properties: Any) -> None:
        reason = mqtt.reason(code, properties)
        lacking = reason if reason.is_failure else mqtt.shortcoming(properties)
        if lacking is not None:
            self._report(Refused(self, lacking))
        else:
            window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
            self._report(Connected(self, window, getattr(properties, "MaximumPacketSize", None)))

    def _on_connect_fail(self, *_: object) -> None:
        # paho calls this while it handles the exception, and does not pass it.
        self._report(Unreachable(self, sys.exc_info()[1] or OSError("unknown error")))

    def _on_disconnect(self, _client: Client, _data: object, _flags: object, code: Any, properties: object) -> None:
        self._report(Lost(self, mqtt.reason(code, properties), self._detail))

    def _on_publish(self, _client: Client, _data: object, mid: int, code: Any, properties: object) -> None:
        self._report(Acknowledged(self, mid, mqtt.reason(code, properties)))

    def _on_subscribe(self, _client: Client, _data: object, _mid: int, codes: list[Any], properties: object) -> None:
        for topic, code in zip(self._filters, codes, strict=False):
            self._report(Subscribed(self, topic, mqtt.reason(code, properties)))

    def _on_message(self, _client: Client, _data: object, message: Any) -> None:
        given = message.properties
        reply_topic = getattr(given, "ResponseTopic", None)
        correlation = getattr(given, "CorrelationData", None)
        self._report(Received(self, message.topic, message.payload, message.retain, reply_topic, correlation))

    def _on_log(self, _client: Client, _data: object, level: int, text: str) -> None:
        if level == mqtt.enums().LogLevel.MQTT_LOG_ERR:
            self._detail = text


def _break_off(connection: object) -> None:
    if isinstance(connection, socket.socket):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
