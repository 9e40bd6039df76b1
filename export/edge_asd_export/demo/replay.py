"""The stretch is played to the daemon, and what a subscriber sees of it is shown as it comes."""

from __future__ import annotations

import json
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
from edge_asd_export.demo.subscriber import Message, Subscriber
from edge_asd_export.progress import SILENT, Advance, Reporter

_BASE = "edge-asd"
_POLL_S = 0.2
_LINGER_S = 10.0
_WIDTH = 100


class Told(NamedTuple):
    """An event as the subscriber saw it."""

    event: Event
    at: float
    """When the decision behind it fell, in seconds of the replayed stretch."""


Show = Callable[[str], None]


def topics_of(folder: Folder) -> list[str]:
    """Return the topics that tell of everything but the scores as they come."""
    topics = Topics(_BASE, folder.device)
    return [topics.availability(), topics.health(), topics.event(folder.machine)]


def replay(
    folder: Folder,
    hearing: Hearing,
    broker: Address,
    subscriber: Subscriber,
    show: Show,
    reporter: Reporter = SILENT,
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
    subscriber
        Has subscribed to :func:`topics_of` the folder's device there.
    show
        Takes each event and each change of availability in a readable form, as it comes.

    Raises
    ------
    CheckFailedError
        When the daemon fails, tells of a score that offline nothing has, or its last message never comes.
    """
    topics = Topics(_BASE, folder.device)
    with (
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
    """Return a message as a person reads it: minute of the replayed stretch, topic, payload in short lines."""
    when = "" if at is None else f"minute {at / 60:.1f}  "
    text = message.payload.decode()
    if text.startswith("{"):
        text = json.dumps(json.loads(text), ensure_ascii=False)
    lines = textwrap.wrap(
        text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join([f"{when}{message.topic}", *lines])
