from __future__ import annotations

import socket
import ssl

import pytest

from edge_asd.publish import reasons
from edge_asd.publish.reasons import Reason


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known; check mqtt.host"),
        (ConnectionRefusedError(111, "Connection refused"), "is the broker running"),
        (TimeoutError("timed out"), "firewall"),
        (tls_error("WRONG_VERSION_NUMBER"), "does this port speak TLS?"),
        (tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), "encryption failed: SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (ConnectionResetError(104, "Connection reset by peer"), "does this port speak TLS?"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
    ],
)
def test_why_no_connection_came_about(error: OSError, words: str) -> None:
    assert words in reasons.unreachable(error, encrypted=True)
    assert "\n" not in reasons.unreachable(error, encrypted=True)


def test_a_reset_without_encryption_is_not_blamed_on_it() -> None:
    assert "TLS" not in reasons.unreachable(ConnectionResetError(104, "Connection reset by peer"), encrypted=False)


def test_refusals_name_the_setting_to_look_at() -> None:
    assert "mqtt.password_file" in reasons.refused(Reason(134, "Bad user name or password"))
    assert "mqtt.username" in reasons.refused(Reason(135, "Not authorized"))
    assert reasons.refused(Reason(136, "Server unavailable")) == "the broker refused the connection: Server unavailable"
    assert "access list" in reasons.rejected(Reason(135, "Not authorized"), "a/b")
    assert "a/b: Quota exceeded" in reasons.rejected(Reason(151, "Quota exceeded"), "a/b")


def test_what_may_be_due_to_a_message_is_told_with_it() -> None:
    too_large, forbidden = Reason(149, "Packet too large"), Reason(135, "Not authorized")
    larger, allow = "raise the broker's limit on the size of a packet", "allow this user to publish there"
    message = "event 01J (new) of 2000 bytes on a/b"
    told = {reason: reasons.set_aside("event 01J (new)", 2000, "a/b", reason) for reason in (too_large, forbidden)}
    assert told[too_large] == f"{message} is larger than the broker takes, and set aside; {larger}"
    assert f"{message} is set aside, for connections end at it: Not authorized; {allow}" in told[forbidden]
    assert "at a message of 2000 bytes on a/b: Not authorized; allow" in reasons.hung_up(2000, "a/b", forbidden)
    for words in (
        reasons.set_aside("event 01J (new)", 2000, "a/b", reasons.UNKNOWN),
        reasons.hung_up(2000, "a/b", reasons.UNKNOWN),
    ):
        assert allow in words
        assert larger in words
    assert "a message on a/b" in reasons.stopped("a message on a/b", None)
    named = {128: True, 130: True, 135: True, 149: True, 139: False, 141: False, 142: False}
    assert {code: Reason(code, "").may_be_a_message for code in named} == named


def test_lost_connections_are_explained() -> None:
    assert "'pi-07'; give each device an id" in reasons.lost(Reason(142, "Session taken over"), "", "pi-07")
    assert reasons.lost(Reason(139, "Server shutting down"), "", "x").endswith("lost: Server shutting down")
    assert "check-broker" in reasons.lost(Reason(135, "Not authorized"), "", "x")
    assert "reset by peer" in reasons.lost(Reason(128, "Unspecified error"), "Connection reset by peer", "x")
    assert "set mqtt.tls.cert_file" in reasons.lost(Reason(128, ""), "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]", "x")
    assert "'pi-07'" in reasons.flapping("pi-07")
    assert "without a reason; if" in reasons.lost(Reason(128, "Unspecified error"), "", "pi-07")


def test_a_broker_that_hangs_up_may_want_encryption_or_a_certificate() -> None:
    silent = Reason(128, "Unspecified error")
    assert "set mqtt.tls" in reasons.unanswered(silent, "", encrypted=False)
    # Not every broker's word that it wants a certificate arrives before the connection ends.
    assert "a client certificate, set mqtt.tls.cert_file" in reasons.unanswered(silent, "EOF occurred", encrypted=True)
    assert "does not trust" in reasons.unanswered(silent, "tlsv1 alert unknown ca", encrypted=True)
