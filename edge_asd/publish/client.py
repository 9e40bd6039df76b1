"""What the daemon publishes with: takes states, events and health from any thread, and never makes it wait."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from edge_asd.clock import boot_id, clock_synced, numbers, rfc3339
from edge_asd.firmware import Mqtt
from edge_asd.publish.board import Board, Notice
from edge_asd.publish.commands import Commands, Controls
from edge_asd.publish.courier import Courier
from edge_asd.publish.discovery import discovery
from edge_asd.publish.inbox import Inbox
from edge_asd.publish.mqtt import Login, Version
from edge_asd.publish.outbox import Outbox
from edge_asd.publish.pacing import Backoff, Patience, StateLimiter
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
    decode,
    encode,
)
from edge_asd.publish.requests import CommandRefusedError, Incoming, Reply, Response, StatusData, Transaction
from edge_asd.publish.tls import tls_context
from edge_asd.publish.topics import Topics, is_id

_log = logging.getLogger(__name__)

RESTARTED = "restarted"
"""Reason of the end of an anomaly that a power cut or a kill has left without one."""


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

    Entering opens the spool, for as long as the disk takes, and starts to connect, which it does not wait for. While
    there is no connection, the newest of each retained message and all events are kept; after every connection all
    retained messages are sent again, and events in their order. Leaving sends what waits, for at most `stop_s` seconds,
    and a retained `offline`.

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
    gone
        Sources that the device told of before and has no more.
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
        When an id cannot be a part of a topic, or a certificate cannot be read.
    """

    def __init__(
        self,
        device: str,
        settings: Mqtt,
        password: str | None,
        info: Info,
        *,
        gone: Iterable[str] = (),
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
        self._numbers: dict[type, Callable[[], int]] = {
            kind: numbers() for kind in (Info, Health, State, Event, Response)
        }
        self._limiters: dict[str, StateLimiter] = {}
        self._gone: frozenset[str] = frozenset()
        self._board = Board()
        self._outbox = outbox or Outbox()
        self._commands = Commands(settings.commands, self._answer)
        self._home = settings.home_assistant
        self._courier = Courier(
            login=self._login(settings, password),
            topics=self._topics,
            board=self._board,
            outbox=self._outbox,
            inbox=Inbox(self._topics, self._commands.take, self._home.births, self._board.renew),
            backoff=backoff or Backoff(settings.reconnect_max_s),
            patience=patience or Patience(acknowledgement_s=settings.acknowledge_s),
            version=version,
        )
        self._carrier = self._courier
        self._board.put(self._availability(ONLINE))
        self.info(info, gone)

    def _login(self, settings: Mqtt, password: str | None) -> Login:
        return Login(
            self._device,
            settings,
            self._topics.availability(),
            OFFLINE,
            tls_context(settings.tls) if settings.tls else None,
            password,
        )

    def __enter__(self) -> Publisher:
        self._outbox.open()
        for event in self._outbox.unended():
            # A power cut or a kill ended the listening: whoever was told of the beginning is told of the end.
            self.event(replace(event, type="end", ts=rfc3339(time.time()), reason=RESTARTED, bands=[], moments=[]))
        self._courier.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._commands.stop()
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

    def obey(self, controls: Controls) -> None:
        """Carry out the commands that come in, from now on; before, they are refused."""
        self._commands.obey(controls)

    def hand_over(self, successor: Publisher) -> None:
        """Have another send the answers to commands that are under way: a reload may put it in this one's place."""
        self._carrier = successor._courier

    def status(self) -> StatusData:
        """Return the health and the states given last, as they are published.

        Raises
        ------
        CommandRefusedError
            When no health has been given yet.
        """
        health = self._board.newest(self._topics.health())
        if health is None:
            raise CommandRefusedError("the device is starting; try again later")
        with self._lock:
            sources = list(self._limiters)
        payloads = {source: self._board.newest(self._topics.state(source)) for source in sources}
        return StatusData(
            health=decode(health, Health),
            states={source: decode(payload, State) for source, payload in payloads.items() if payload is not None},
        )

    def info(self, info: Info, gone: Iterable[str] = ()) -> None:
        """Publish what runs on the device, and take down what was told of sources that it has `gone` from."""
        self._gone = (self._gone | set(gone)).difference(source.name for source in info.sources)
        with self._lock:
            for source in self._gone:
                self._limiters.pop(source, None)
                # An empty retained message has the broker forget the topic (MQTT 5, 3.3.1.3).
                self._board.put(Notice(self._topics.state(source), b"", 1, float("-inf")))
        self._put_up(self._topics.info(), info)
        if self._home.enabled:
            self._board.put(self._discovery(info))
            self._courier.wake()

    def health(self, health: Health) -> None:
        """Publish how the device fares, with the publisher's own figures filled in."""
        figures = self.statistics()
        self._put_up(self._topics.health(), replace(health, spool=figures.spool, broker=figures.broker), qos=0)

    def state(self, state: State) -> None:
        """Publish the state of a source: at once when its verdict is another, else when the interval is over."""
        topic = self._topics.state(state.source)
        with self._lock:
            limiter = self._limiters.setdefault(state.source, StateLimiter(self._state_interval_s))
        self._put_up(topic, state, due=lambda: limiter.due(state.verdict, time.monotonic()), kind=state.verdict)

    def event(self, event: Event) -> None:
        """Publish the beginning, course or end of an anomaly; it is kept until the broker has acknowledged it."""
        self._topics.event(event.source)
        with self._lock:
            self._outbox.put(self._sealed(event))
        self._courier.wake()

    def _answer(self, incoming: Incoming, transaction: Transaction, answer: dict[str, Any] | str) -> None:
        refused = isinstance(answer, str)
        response = Response(
            ts=rfc3339(time.time()),
            command=incoming.command,
            status="error" if refused else "ok",
            data=None if isinstance(answer, str) else answer,
            error=answer if isinstance(answer, str) else None,
            transaction=transaction,
        )
        payload = encode(self._sealed(response))
        for topic in self._reply_topics(incoming):
            self._carrier.reply(Reply(topic, payload, incoming.correlation))

    def _reply_topics(self, incoming: Incoming) -> set[str]:
        topics = set()
        if is_id(incoming.command):
            topics.add(self._topics.response(incoming.command))
        asked = incoming.reply_topic
        if asked and self._topics.takes_reply(asked, self._home.prefix):
            topics.add(asked)
        return topics

    def _put_up(
        self,
        topic: str,
        message: Info | Health | State,
        qos: int = 1,
        due: Callable[[], float] | None = None,
        kind: str = "",
    ) -> None:
        with self._lock:
            self._board.put(Notice(topic, encode(self._sealed(message)), qos, float("-inf"), kind), due)
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

    def _discovery(self, info: Info) -> Notice:
        message = discovery(
            self._topics,
            [source.name for source in info.sources],
            self._commands.allowed,
            gone=sorted(self._gone),
            version=info.software.get("edge-asd"),
            state_interval_s=self._state_interval_s,
            hops_s={source.name: source.hop_s for source in info.sources if source.hop_s is not None},
        )
        topic = f"{self._home.prefix}/device/{self._device}/config"
        return Notice(topic, msgspec.json.encode(message), 1, float("-inf"), optional=True)

    def _availability(self, payload: str) -> Notice:
        return Notice(self._topics.availability(), payload.encode(), 1, float("-inf"))
