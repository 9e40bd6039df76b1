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
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edge_asd.firmware import Mqtt
from edge_asd.publish.reasons import Reason

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_log = logging.getLogger(__name__)

Version = Literal["5", "3.1.1"]
"""MQTT version."""

WINDOW = 20
"""Most messages under way at once; paho queues what is more."""
_CLOSE_S = 1.0


@dataclass(frozen=True)
class Login:
    """What every session of one device needs."""

    device: str
    """Id of the device, and its client id."""
    settings: Mqtt
    """The broker."""
    will_topic: str
    """Topic of the last will."""
    will_payload: str
    """The last will, retained."""
    tls: ssl.SSLContext | None = None
    """Encryption; plain where None."""
    password: str | None = field(default=None, repr=False)
    """Password; never shown."""


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


@dataclass(frozen=True)
class Refused(Report):
    """The broker answered with a refusal."""

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
        self._client = _client(login, version)
        self._bind(self._client)

    def open(self) -> None:
        """Begin to connect, without waiting for it."""
        settings = self._login.settings
        self._client.connect_async(settings.host, settings.port, settings.keepalive_s)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> int:
        """Hand a message to paho; its number comes back in an :class:`Acknowledged` when `qos` is 1."""
        return self._client.publish(topic, payload, qos, retain).mid

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
            if self._has_ended():
                return
        _break_off(self._client.socket())
        self._has_ended()

    def _has_ended(self) -> bool:
        # Not by loop_stop(): it waits without a limit for a thread that may be stuck in a name server.
        if self._thread is None:
            return False
        self._thread.join(_CLOSE_S)
        return not self._thread.is_alive()

    def _bind(self, client: Client) -> None:
        client.on_pre_connect = _guarded(self._on_pre_connect)
        client.on_socket_open = _guarded(self._on_socket_open)
        client.on_connect = _guarded(self._on_connect)
        client.on_connect_fail = _guarded(self._on_connect_fail)
        client.on_disconnect = _guarded(self._on_disconnect)
        client.on_publish = _guarded(self._on_publish)
        client.on_log = _guarded(self._on_log)

    def _on_pre_connect(self, *_: object) -> None:
        self._thread = threading.current_thread()

    def _on_socket_open(self, _client: Client, _data: object, connection: object) -> None:
        if self._closed:
            # It was given up while it was still looking for the broker; it must not appear there now.
            _break_off(connection)
        self._report(Opened(self))

    def _on_connect(self, _client: Client, _data: object, _flags: object, code: Any, properties: Any) -> None:
        reason = _reason(code)
        if reason.is_failure:
            self._report(Refused(self, reason))
        else:
            self._report(Connected(self, min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))))

    def _on_connect_fail(self, *_: object) -> None:
        # paho calls this while it handles the exception, and does not pass it.
        self._report(Unreachable(self, sys.exc_info()[1] or OSError("unknown error")))

    def _on_disconnect(self, _client: Client, _data: object, _flags: object, code: Any, _properties: object) -> None:
        self._report(Lost(self, _reason(code), self._detail))

    def _on_publish(self, _client: Client, _data: object, mid: int, code: Any, _properties: object) -> None:
        self._report(Acknowledged(self, mid, _reason(code)))

    def _on_log(self, _client: Client, _data: object, level: int, text: str) -> None:
        if level == _mqtt().LogLevel.MQTT_LOG_ERR:
            self._detail = text


def _break_off(connection: object) -> None:
    if isinstance(connection, socket.socket):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _mqtt() -> Any:
    # paho takes 60 ms to import; the command line must start without.
    import paho.mqtt.enums  # noqa: PLC0415 - needs half of the start-up time

    return paho.mqtt.enums


def _reason(code: Any) -> Reason:
    return Reason(code.value, str(code))


def _client(login: Login, version: Version) -> Client:
    from paho.mqtt.client import Client  # noqa: PLC0415

    enums = _mqtt()
    protocol = enums.MQTTProtocolVersion.MQTTv5 if version == "5" else enums.MQTTProtocolVersion.MQTTv311
    client = Client(
        enums.CallbackAPIVersion.VERSION2, client_id=login.device, protocol=protocol, reconnect_on_failure=False
    )
    # Even so paho would wait before it gives up the first attempt.
    client.reconnect_delay_set(0, 0)
    client.max_inflight_messages_set(WINDOW)
    client.will_set(login.will_topic, login.will_payload, qos=1, retain=True)
    if login.settings.username is not None:
        client.username_pw_set(login.settings.username, login.password)
    if login.tls is not None:
        client.tls_set_context(login.tls)
    return client
