from __future__ import annotations

import socket
import threading

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_asd.errors import InputError
from edge_asd_export.demo.broker import embedded_broker
from edge_asd_export.demo.folder import Address
from edge_asd_export.demo.subscriber import Message, subscribed


def publish(address: Address, topic: str, *payloads: str, retain: bool = False) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    client.connect(*address)
    client.loop_start()
    for payload in payloads:
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def test_messages_go_through_in_order() -> None:
    with embedded_broker() as address, subscribed(address, ["a/+/event"]) as subscriber:
        publish(address, "a/b/event", "1", "2", "3")
        publish(address, "a/b/other", "4")
        publish(address, "a/c/event", "5")
        seen = [subscriber.next(10) for _ in range(4)]
        assert seen == [
            Message("a/b/event", b"1"),
            Message("a/b/event", b"2"),
            Message("a/b/event", b"3"),
            Message("a/c/event", b"5"),
        ]
        assert subscriber.next(0.05) is None


def test_what_was_retained_before_is_history_and_what_is_retained_now_is_news() -> None:
    with embedded_broker() as address:
        publish(address, "a/availability", "offline", retain=True)
        with subscribed(address, ["a/availability"]) as subscriber:
            publish(address, "a/availability", "online", retain=True)
            assert subscriber.next(10) == Message("a/availability", b"online")


def test_nothing_outlasts_it() -> None:
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), embedded_broker() as address, subscribed(address, ["#"]):
        raise KeyboardInterrupt
    assert set(threading.enumerate()) - before == set()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 1)
    with embedded_broker(), embedded_broker():
        pass


def test_a_broker_that_is_not_there_is_named() -> None:
    with embedded_broker() as address:
        pass
    refused = pytest.raises(InputError, match=f"broker {address}: expected a broker that listens there, found")
    with refused, subscribed(address, ["#"]):
        pytest.fail("it cannot be subscribed to")
