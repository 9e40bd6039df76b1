"""What the daemon publishes with: takes states, events and health from any thread, and never makes it wait."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

from msgspec.structs import replace

from edge_asd.errors import InputError
from edge_asd.firmware import Mqtt
from edge_asd.publish.board import Board, Notice
from edge_asd.publish.clock import boot_id, clock_synced, numbers
from edge_asd.publish.courier import Courier, Patience
from edge_asd.publish.outbox import Outbox
from edge_asd.publish.pacing import Backoff, StateLimiter
from edge_asd.publish.payloads import (
    OFFLINE,
    ONLINE,
    Broker,
    Event,
    Health,
    Info,
    MessageType,
    Spool,
    State,
    checked,
    encode,
)
from edge_asd.publish.session import Login, Version
from edge_asd.publish.tls import tls_context
from edge_asd.publish.topics import Topics

_log = logging.getLogger(__name__)


class Statistics(NamedTuple):
    """How the publishing fares."""

    connected: bool
    """Whether the broker has accepted the connection."""
    spool: Spool
    """Events waiting."""
    broker: Broker
    """The connection."""


class Publisher:
    """A device on its broker, from entering the context to leaving it.

    Entering starts to connect and waits for nothing. While there is no connection, the newest of each retained message
    and all events are kept; after every connection all retained messages are sent again, and events in their order.
    Leaving sends what waits, for at most `stop_s` seconds, and a retained `offline`.

    Parameters
    ----------
    device
        Id of the device, and its client id.
    settings
        The broker.
    password
        Content of the password file; never shown.
    info
        First content of the info topic.
    state_interval_s
        Least seconds between two state messages of a source whose verdict does not change.
    outbox
        Where events wait, opened and closed with the publisher; in memory where left out.
    backoff
        Waits between attempts to connect; up to `settings.reconnect_max_s` where left out.
    patience
        Time limits.
    version
        MQTT version to speak; where left out it is found out, and is 5 if the broker has it.
    stop_s
        Seconds that leaving may take.

    Raises
    ------
    InputError
        When an id cannot be a part of a topic, the broker's name cannot be one, or a certificate cannot be read.
    """

    def __init__(
        self,
        device: str,
        settings: Mqtt,
        password: str | None,
        info: Info,
        *,
        state_interval_s: float = 10.0,
        outbox: Outbox | None = None,
        backoff: Backoff | None = None,
        patience: Patience | None = None,
        version: Version | None = None,
        stop_s: float = 5.0,
    ) -> None:
        self._device = device
        self._topics = Topics(settings.base_topic, device)
        self._state_interval_s = state_interval_s
        self._stop_s = stop_s
        self._lock = threading.Lock()
        self._numbers: dict[type, Callable[[], int]] = {kind: numbers() for kind in (Info, Health, State, Event)}
        self._limiters: dict[str, StateLimiter] = {}
        self._board = Board()
        self._outbox = outbox or Outbox()
        self._courier = Courier(
            login=self._login(settings, password),
            topics=self._topics,
            board=self._board,
            outbox=self._outbox,
            backoff=backoff or Backoff(settings.reconnect_max_s),
            patience=patience or Patience(),
            version=version,
        )
        self._board.put(self._availability(ONLINE))
        self.info(info)

    def _login(self, settings: Mqtt, password: str | None) -> Login:
        return Login(
            self._device,
            replace(settings, host=_checked_host(settings.host)),
            self._topics.availability(),
            OFFLINE,
            tls_context(settings.tls) if settings.tls else None,
            password,
        )

    def __enter__(self) -> Publisher:
        self._outbox.open()
        self._courier.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._courier.stop(self._availability(OFFLINE), self._stop_s)
        self._outbox.close()
        left = self._outbox.summary()
        if left.depth:
            lost = f"{left.in_memory} of them are lost" if left.in_memory else "they are kept for the next start"
            _log.warning("stopped with %d events that the broker has not acknowledged; %s", left.depth, lost)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._courier.online.is_set()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait for the connection, at most `timeout_s` seconds; say whether it stands."""
        return self._courier.online.wait(timeout_s)

    def statistics(self) -> Statistics:
        """Return how the publishing fares."""
        return Statistics(self.connected, self._outbox.summary(), self._courier.figures)

    def info(self, info: Info) -> None:
        """Publish what runs on the device."""
        self._put_up(self._topics.info(), info)

    def health(self, health: Health) -> None:
        """Publish how the device fares, with the publisher's own figures filled in."""
        figures = self.statistics()
        self._put_up(self._topics.health(), replace(health, spool=figures.spool, broker=figures.broker), qos=0)

    def state(self, state: State) -> None:
        """Publish the state of a source: at once when its verdict is another, else when the interval is over."""
        topic = self._topics.state(state.source)
        with self._lock:
            limiter = self._limiters.setdefault(state.source, StateLimiter(self._state_interval_s))
            due = limiter.due(state.verdict, time.monotonic())
        self._put_up(topic, state, due=due, kind=state.verdict)

    def event(self, event: Event) -> None:
        """Publish the beginning, course or end of an anomaly; it is kept until the broker has acknowledged it."""
        self._topics.event(event.source)
        with self._lock:
            self._outbox.put(self._sealed(event))
        self._courier.wake()

    def _put_up(
        self,
        topic: str,
        message: Info | Health | State,
        qos: int = 1,
        due: float = float("-inf"),
        kind: str = "",
    ) -> None:
        with self._lock:
            self._board.put(Notice(topic, encode(self._sealed(message)), qos, due, kind))
        self._courier.wake()

    def _sealed(self, message: MessageType) -> MessageType:
        return checked(
            replace(
                message,
                device=self._device,
                boot_id=boot_id(),
                seq=self._numbers[type(message)](),
                clock_synced=clock_synced(),
            )
        )

    def _availability(self, payload: str) -> Notice:
        return Notice(self._topics.availability(), payload.encode(), 1, float("-inf"))


def _checked_host(host: str) -> str:
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise InputError("mqtt.host", expected="a host name or an address", found=repr(host)) from error
    return host
