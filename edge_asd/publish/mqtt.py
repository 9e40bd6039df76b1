"""The client library, and how a client of it is set up; imported only when it is needed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edge_asd.errors import one_line
from edge_asd.firmware import Mqtt
from edge_asd.publish.reasons import FAILURE, QOS_NOT_SUPPORTED, RETAIN_NOT_SUPPORTED, Reason

if TYPE_CHECKING:
    from paho.mqtt.client import Client

Version = Literal["5", "3.1.1"]
"""MQTT version."""

WINDOW = 20
"""Most messages under way at once; paho queues what is more."""
LARGEST_PACKET_BYTES = 64 * 1024
"""A broker of MQTT 5 keeps larger messages to itself."""
_LONGEST_REASON = 200


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


def enums() -> Any:
    """Return paho's module of enumerations."""
    # paho takes 60 ms to import; the command line must start without.
    import paho.mqtt.enums  # noqa: PLC0415 - needs half of the start-up time

    return paho.mqtt.enums


def properties(packet: str, **values: Any) -> Any:
    """Return MQTT 5 properties of a kind of packet, such as `PUBLISH`."""
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.properties import Properties  # noqa: PLC0415

    made: Any = Properties(getattr(PacketTypes, packet))  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(made, name, value)
    return made


def packet_bytes(topic: str, payload: bytes, qos: int, correlation: bytes | None = None) -> int:
    """Return how many bytes a message is under way under MQTT 5; a property fewer under 3.1.1 (OASIS standard, 3.3)."""
    given = 0 if correlation is None else 3 + len(correlation)
    number = 2 if qos else 0
    rest = 2 + len(topic.encode()) + number + _length_bytes(given) + given + len(payload)
    return 1 + _length_bytes(rest) + rest


def _length_bytes(length: int) -> int:
    """Return how many bytes tell a length, seven bits in each (1.5.5)."""
    return max(1, -(-length.bit_length() // 7))


def learn_refusals() -> None:
    """Have paho take every refusal for one of a message as well.

    It knows 149, too large, as the end of a connection alone, while mosquitto refuses single messages so; what it does
    not know it takes for a malformed packet, hangs up, and the message is sent again for ever.
    """
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.reasoncodes import ReasonCode  # noqa: PLC0415

    # Before 2.2 each reason code had a table of its own; such a refusal is then found out by how connections end.
    table: dict[int, dict[str, list[int]]] = getattr(ReasonCode, "names", {})
    for code, names in table.items():
        if code >= FAILURE and not any(PacketTypes.PUBACK in packets for packets in names.values()):
            next(iter(names.values())).append(PacketTypes.PUBACK)


def reason(code: Any, given: object = None) -> Reason:
    """Return paho's reason code as a plain record, with what the broker says beside it (MQTT 5)."""
    said = ", ".join(filter(None, (getattr(given, name, None) for name in ("ReasonString", "ServerReference"))))
    return Reason(code.value, f"{code} ({one_line(said[:_LONGEST_REASON])})" if said else str(code))


def shortcoming(given: object) -> Reason | None:
    """Return why a broker would end a connection that it has accepted, at our first message; None where it would not.

    It says so in the properties of its acknowledgement (3.2.2.3.4 and 3.2.2.3.5).
    """
    if getattr(given, "MaximumQoS", 1) == 0:
        return Reason(QOS_NOT_SUPPORTED, "QoS not supported")
    if getattr(given, "RetainAvailable", 1) == 0:
        return Reason(RETAIN_NOT_SUPPORTED, "Retain not supported")
    return None


def live_messages(*, own: bool) -> Any:
    """Return the MQTT 5 options of a subscription to what comes from now on, not to what is retained."""
    from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: PLC0415

    # Without retainAsPublished a message that is to be retained could not be told from others.
    return SubscribeOptions(qos=1, noLocal=not own, retainAsPublished=True, retainHandling=2)


def client(login: Login, version: Version) -> Client:
    """Return a client that is set up and not connected yet."""
    from paho.mqtt.client import Client  # noqa: PLC0415

    learn_refusals()
    known = enums()
    protocol = known.MQTTProtocolVersion.MQTTv5 if version == "5" else known.MQTTProtocolVersion.MQTTv311
    made = Client(
        known.CallbackAPIVersion.VERSION2, client_id=login.device, protocol=protocol, reconnect_on_failure=False
    )
    # Even so paho would wait before it gives up the first attempt.
    made.reconnect_delay_set(0, 0)
    made.max_inflight_messages_set(WINDOW)
    made.will_set(login.will_topic, login.will_payload, qos=1, retain=True)
    if login.settings.username is not None:
        made.username_pw_set(login.settings.username, login.password)
    if login.tls is not None:
        made.tls_set_context(login.tls)
    return made
