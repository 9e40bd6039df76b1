"""A subscriber like any other in the plant: it knows the topics, and sees what the broker passes on."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_asd.errors import InputError
from edge_asd_export.demo.folder import Address

_PATIENCE_S = 10.0


class Message(NamedTuple):
    """A message as it came."""

    topic: str
    payload: bytes


class Subscriber:
    """Messages on some topics, in the order in which they come; what was retained before is left out."""

    def __init__(self, client: Client, topics: list[str]) -> None:
        self._client, self._topics = client, topics
        self._messages: queue.Queue[Message] = queue.Queue()
        self._subscribed: queue.Queue[str] = queue.Queue()
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def next(self, timeout_s: float) -> Message | None:
        """Wait for the next message; None where none comes in time."""
        try:
            return self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def wait_subscribed(self, address: Address) -> None:
        """Wait until the broker has granted the topics.

        Raises
        ------
        InputError
            When it refuses, or does not answer in time.
        """
        try:
            refusal = self._subscribed.get(timeout=_PATIENCE_S)
        except queue.Empty:
            refusal = "no answer"
        if refusal:
            raise InputError(
                f"broker {address}", expected="one that anybody on this machine may subscribe to", found=refusal
            )

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._subscribed.put(str(reason).lower())
        else:
            client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [str(reason).lower() for reason in reasons if reason.is_failure]
        self._subscribed.put(refused[0] if refused else "")

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if not message.retain:
            self._messages.put(Message(message.topic, bytes(message.payload)))


@contextmanager
def subscribed(address: Address, topics: list[str]) -> Iterator[Subscriber]:
    """Subscribe to topics while the context lasts.

    Raises
    ------
    InputError
        When the broker cannot be reached, or refuses.
    """
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    subscriber = Subscriber(client, topics)
    try:
        client.connect(address.host, address.port)
    except OSError as error:
        raise InputError(
            f"broker {address}",
            expected="a broker that listens there",
            found=error.strerror or str(error),
            remedy="start it, or leave --broker out",
        ) from error
    client.loop_start()
    try:
        subscriber.wait_subscribed(address)
        yield subscriber
    finally:
        client.disconnect()
        client.loop_stop()
