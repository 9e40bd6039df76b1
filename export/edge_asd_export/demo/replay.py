"""The stretch is played to the daemon, and what a subscriber sees of it is shown as it comes."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from edge_asd.errors import CheckFailedError
from edge_asd.publish import Event, Health
from edge_asd.publish.payloads import OFFLINE
from edge_asd.publish.topics import Topics
from edge_asd_export.demo.daemon import Daemon, running_daemon
from edge_asd_export.demo.folder import Address, Folder
from edge_asd_export.demo.hearing import Hearing
from edge_asd_export.demo.subscriber import Message, subscribed
from edge_asd_export.progress import SILENT, Advance, Reporter

_BASE = "edge-asd"
_POLL_S = 0.2
_LINGER_S = 10.0
_WIDTH = 112


class Told(NamedTuple):
    """An event as the subscriber saw it."""

    event: Event
    at: float
    """When the decision behind it fell, in seconds of the replayed stretch."""


Show = Callable[[str], None]


def replay(
    folder: Folder, hearing: Hearing, broker: Address, show: Show, reporter: Reporter = SILENT
) -> tuple[Told, ...]:
    """Play the stretch to the daemon, and return the events that came by way of the broker.

    Parameters
    ----------
    folder
        Holds the configuration, the bundle and the stretch.
    hearing
        The same stretch heard offline, which tells when in it a decision fell.
    broker
        Passes the messages on.
    show
        Takes each event and each change of availability in a readable form, as it comes.

    Raises
    ------
    InputError
        When the broker cannot be reached.
    CheckFailedError
        When the daemon fails, or its last message never comes.
    """
    topics = Topics(_BASE, folder.device)
    wanted = [topics.availability(), topics.health(), topics.event(folder.machine)]
    with (
        subscribed(broker, wanted) as subscriber,
        running_daemon(folder, broker) as daemon,
        reporter.bar("replaying to the daemon", len(hearing.ends)) as advance,
    ):
        audience = _Audience(topics, folder.machine, hearing, show, advance)
        ended: float | None = None
        while not audience.is_over:
            message = subscriber.next(_POLL_S)
            if message is not None:
                audience.take(message)
            elif daemon.status() is not None:
                ended = ended or time.monotonic()
                _check(daemon)
                if time.monotonic() - ended > _LINGER_S:
                    raise CheckFailedError(f"the daemon ended without a word on {topics.availability()}")
        _check(daemon)
    return tuple(audience.told)


def _check(daemon: Daemon) -> None:
    if daemon.status(_LINGER_S) != 0:
        raise CheckFailedError(f"the daemon failed: {daemon.last_words()}")


class _Audience:
    """Understands the messages, one after another."""

    def __init__(self, topics: Topics, source: str, hearing: Hearing, show: Show, advance: Advance) -> None:
        self._topics, self._source, self._hearing = topics, source, hearing
        self._show, self._advance = show, advance
        self._judged = 0
        self._seen: set[int] = set()
        self.told: list[Told] = []
        self.is_over = False

    def take(self, message: Message) -> None:
        if message.topic == self._topics.availability():
            self.is_over = message.payload.decode() == OFFLINE
            self._show(readable(message))
        elif message.topic == self._topics.health():
            self._move_on(msgspec.json.decode(message.payload, type=Health))
        else:
            self._hear_of(message, msgspec.json.decode(message.payload, type=Event))

    def _move_on(self, health: Health) -> None:
        judged = health.sources[self._source].windows_scored
        self._advance(judged - self._judged)
        self._judged = judged

    def _hear_of(self, message: Message, event: Event) -> None:
        # A message of quality of service 1 may come twice.
        if event.seq in self._seen:
            return
        self._seen.add(event.seq)
        at = self._hearing.moment(event.score, after=self.told[-1].at if self.told else 0.0)
        self.told.append(Told(event, at))
        self._show(readable(message, at))


def readable(message: Message, at: float | None = None) -> str:
    """Return a message as a person reads it: minute of the simulated hour, topic, and the payload in short lines."""
    when = " " * 12 if at is None else f"minute {at / 60:5.1f}"
    payload = textwrap.wrap(message.payload.decode().replace(',"', ', "').replace('":', '": '), _WIDTH)
    return "\n".join([f"{when}  {message.topic}", *(f"{' ' * 14}{line}" for line in payload)])
