"""What went wrong between here and the broker, in one line that says what to do about it.

Reason codes are those of MQTT 5 (OASIS standard, section 2.4); paho gives them for MQTT 3.1.1 as well.
"""

from __future__ import annotations

import socket
import ssl
from typing import NamedTuple

FAILURE = 128
"""Reason codes from here on mean failure."""
UNSUPPORTED_PROTOCOL = 132
NOT_AUTHORIZED = 135
SESSION_TAKEN_OVER = 142
PACKET_TOO_LARGE = 149
RETAIN_NOT_SUPPORTED = 154
QOS_NOT_SUPPORTED = 155

_FOR_ITS_CONTENT = {131, 153}
_AT_A_PACKET = {129, 130, 131, NOT_AUTHORIZED, PACKET_TOO_LARGE}

_CONNECTION_REMEDIES = {
    UNSUPPORTED_PROTOCOL: "set mqtt.version to auto, or to one that the broker speaks",
    133: "give the device another id",
    134: "check mqtt.username and the content of mqtt.password_file",
    NOT_AUTHORIZED: "check mqtt.username and the content of mqtt.password_file, and whether this user may connect",
    138: "ask the broker's administrator why this device is banned",
    PACKET_TOO_LARGE: "raise the broker's limit on the size of a packet",
    RETAIN_NOT_SUPPORTED: "have the broker keep retained messages",
    QOS_NOT_SUPPORTED: "have the broker take messages of QoS 1",
    156: "set mqtt.host to the broker that is to be used",
    157: "set mqtt.host to the broker that is to be used",
}
_LARGER = _CONNECTION_REMEDIES[PACKET_TOO_LARGE]
_CERTIFICATE = "set mqtt.tls.cert_file and key_file"
_ALLOW = "allow this user to publish there (the broker's access list)"
_LOSS_REMEDIES = _CONNECTION_REMEDIES | {
    NOT_AUTHORIZED: "'edge-asd check-broker' finds out where this user may not publish or read"
}
_AT_A_MESSAGE = {NOT_AUTHORIZED: _ALLOW, PACKET_TOO_LARGE: _LARGER}


class Reason(NamedTuple):
    """A reason code and its name."""

    code: int
    """Number; :data:`FAILURE` and above mean failure."""
    name: str
    """What the standard calls it, and what the broker says of it."""

    @property
    def is_failure(self) -> bool:
        """Whether it means failure."""
        return self.code >= FAILURE

    @property
    def is_specific(self) -> bool:
        """Whether it says more than that something failed."""
        return self.code > FAILURE

    @property
    def is_of_one_message(self) -> bool:
        """Whether a message is refused for what it holds, as by a broker that knows a schema: the next may pass."""
        return self.code in _FOR_ITS_CONTENT

    @property
    def may_be_a_message(self) -> bool:
        """Whether a connection that ended with it may have ended at a message."""
        return not self.is_specific or self.code in _AT_A_PACKET


UNKNOWN = Reason(FAILURE, "Unspecified error")
"""Something failed, and nothing tells why."""


def refused(reason: Reason) -> str:
    """Say why the broker refused the connection."""
    return _joined(f"the broker refused the connection: {reason.name}", _CONNECTION_REMEDIES.get(reason.code))


def rejected(reason: Reason, topic: str) -> str:
    """Say why the broker refused a message on `topic`."""
    remedy = _ALLOW if reason.code == NOT_AUTHORIZED else None
    return _joined(f"the broker refused a message on {topic}: {reason.name}", remedy)


def set_aside(what: str, size: int, topic: str, reason: Reason) -> str:
    """Say that a message is not sent for now: it is too large for the broker, or would cost the connection.

    Parameters
    ----------
    what
        The message, as far as it has a name.
    size
        Bytes of its packet.
    topic
        Its topic.
    reason
        What the broker has told.
    """
    message = f"{what} of {size} bytes on {topic}"
    if reason.code == PACKET_TOO_LARGE:
        return f"{message} is larger than the broker takes, and set aside; {_LARGER}"
    remedy = _AT_A_MESSAGE.get(reason.code, f"{_ALLOW}, or {_LARGER}")
    return f"{message} is set aside, for connections end at it: {reason.name}; {remedy}"


def hung_up(size: int, topic: str, reason: Reason) -> str:
    """Say that a connection ended at a message, as it does where that is too large, or on a topic that is forbidden."""
    remedy = _AT_A_MESSAGE.get(reason.code, f"if that happens again and again, {_ALLOW}, or {_LARGER}")
    return f"the connection was lost at a message of {size} bytes on {topic}: {reason.name}; {remedy}"


def stopped(doing: str, reason: Reason | None) -> str:
    """Say that the broker did not answer what was tried, or ended the connection at it, for a reason if that is so."""
    if reason is None:
        return f"no acknowledgement of {doing}"
    return f"the broker ended the connection at {doing}: {reason.name}; allow this user to (the broker's access list)"


def deaf(reason: Reason, topic: str) -> str:
    """Say why the broker refused a subscription."""
    return f"the broker refused the subscription to {topic}: {reason.name}; allow this user to read there"


def lost(reason: Reason, detail: str, client_id: str) -> str:
    """Say why an established connection ended.

    Parameters
    ----------
    reason
        The broker's, or the client library's.
    detail
        What the client library logged of it, or nothing.
    client_id
        This device's.
    """
    if reason.code == SESSION_TAKEN_OVER:
        return f"the connection was lost: another client has connected with this one's id: {_own_id(client_id)}"
    if not detail and not reason.is_specific:
        return (
            "the broker closed the connection without a reason; if it does so again and again, "
            f"another client may have this one's id: {_own_id(client_id)}"
        )
    words = _certificate_wanted(detail) or detail or reason.name
    return _joined(f"the connection was lost: {words}", _LOSS_REMEDIES.get(reason.code))


def unanswered(reason: Reason, detail: str, *, encrypted: bool) -> str:
    """Say why a connection ended before the broker had answered."""
    certificate = _certificate_wanted(detail)
    if certificate:
        return f"the broker ended the connection: {certificate}"
    wanted, setting = ("a client certificate", _CERTIFICATE) if encrypted else ("encryption", "set mqtt.tls")
    ended = f"the broker ended the connection without an answer: {detail or reason.name}"
    return f"{ended}; if it wants {wanted}, {setting}"


def flapping(client_id: str) -> str:
    """Say that connections are lost as soon as they are made."""
    return (
        f"connections are lost as soon as they are made; most likely another client has this id: {_own_id(client_id)}"
    )


def unreachable(error: BaseException, *, encrypted: bool) -> str:
    """Say why no connection came about."""
    if isinstance(error, ssl.SSLError) or (isinstance(error, ConnectionResetError) and encrypted):
        return unencrypted(error)
    if isinstance(error, socket.gaierror):
        return f"the name could not be resolved: {error.strerror}; check mqtt.host"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: is the broker running, and is mqtt.port right?"
    if isinstance(error, TimeoutError):
        return "no answer within the time: check mqtt.host, mqtt.port and the firewall"
    return f"no connection: {error}"


def unencrypted(error: BaseException) -> str:
    """Say why encryption did not come about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error)
    certificate = _certificate_wanted(str(error))
    if certificate:
        return f"the broker ended the connection: {certificate}"
    return f"encryption failed: {getattr(error, 'reason', None) or error}; does this port speak TLS?"


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    name = "match" in error.verify_message
    remedy = "name the broker in mqtt.host as its certificate does" if name else "check mqtt.tls.ca_file and the clock"
    return f"the broker's certificate is not trusted: {error.verify_message}; {remedy}"


def _certificate_wanted(detail: str) -> str | None:
    # TLS 1.3 tells only after the handshake that a client certificate is missing or unknown.
    if "certificate required" in detail.lower().replace("_", " "):
        return f"it wants a client certificate; {_CERTIFICATE}"
    if "unknown ca" in detail.lower().replace("_", " "):
        return "it does not trust this device's certificate; check mqtt.tls.cert_file"
    return None


def _own_id(client_id: str) -> str:
    return f"{client_id!r}; give each device an id of its own"


def _joined(text: str, remedy: str | None) -> str:
    return f"{text}; {remedy}" if remedy else text
