"""Commands and their answers as they stand in MQTT messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from edge_asd.errors import EdgeAsdError
from edge_asd.publish.payloads import Clip, Health, Message, Record, State

LARGEST_BYTES = 4096
"""A request may not be larger."""

Transaction = Annotated[str, Meta(max_length=128)] | int | float | None


class CommandRefusedError(EdgeAsdError):
    """A command that is not carried out; the message says why, and is the answer."""


class Request(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="schema",
    tag="edge-asd/request/1",
):
    """A command to the device; an empty message stands for one without a value."""

    value: Any = None
    """What the command takes: a threshold, the name of a source, the id of an event."""
    source: str | None = None
    """Id of the source it is for; where left out the only one, or all where the command can mean all."""
    transaction: Transaction = None
    """Any number, or text of up to 128 characters; the answer bears the same."""


class Response(Message, frozen=True, kw_only=True, tag_field="schema", tag="edge-asd/response/1"):
    """Answer to a command."""

    command: str
    """The command."""
    status: Literal["ok", "error"]
    """Whether it was carried out."""
    data: dict[str, Any] | None = None
    """What came of it; null where `status` is `error`."""
    error: str | None = None
    """Why it was not carried out; null where `status` is `ok`."""
    transaction: Transaction = None
    """The request's own."""


class StatusData(Record, frozen=True, kw_only=True):
    """Answer to `status`."""

    health: Health
    """How the device fares."""
    states: dict[str, State]
    """Verdict of each source, by name, as it stands."""


class ThresholdData(Record, frozen=True, kw_only=True):
    """Answer to `threshold`."""

    thresholds: dict[str, float]
    """Threshold of each source asked for, by name, from now until the next start."""


class ArmedData(Record, frozen=True, kw_only=True):
    """Answer to `arm` and `disarm`."""

    armed: dict[str, bool]
    """Whether a source gives alarms, by name of each source asked for, from now until the next start."""


class AcknowledgedData(Record, frozen=True, kw_only=True):
    """Answer to `acknowledge`."""

    acknowledged: dict[str, str]
    """Id of the anomaly that somebody has now taken note of, by name of its source."""


class CalibratedData(Record, frozen=True, kw_only=True):
    """Answer to `calibrate`."""

    thresholds: dict[str, float]
    """New threshold of each source asked for, by name."""


class SnapshotData(Record, frozen=True, kw_only=True):
    """Answer to `snapshot`."""

    clips: dict[str, Clip]
    """What was just recorded, by name of its source."""


class ReloadedData(Record, frozen=True, kw_only=True):
    """Answer to `reload`."""

    bundles: dict[str, str]
    """SHA-256 of the bundle that each source is judged by now, by name."""


ANSWERS = (StatusData, ThresholdData, ArmedData, AcknowledgedData, CalibratedData, SnapshotData, ReloadedData)
"""All kinds of `data`."""


class Incoming(NamedTuple):
    """A request as it came in."""

    command: str
    """Last part of its topic."""
    payload: bytes
    reply_topic: str | None = None
    """Where the sender wants the answer as well (MQTT 5)."""
    correlation: bytes | None = None
    """What the answer has to bear (MQTT 5)."""


class Reply(NamedTuple):
    """An answer as it goes out."""

    topic: str
    payload: bytes
    correlation: bytes | None = None


def decode(payload: bytes) -> Request:
    """Read a request.

    Raises
    ------
    CommandRefusedError
        When it is too large or not as the schema says.
    """
    if len(payload) > LARGEST_BYTES:
        raise CommandRefusedError(f"expected at most {LARGEST_BYTES} bytes, found {len(payload)}")
    try:
        return msgspec.json.decode(payload.strip() or b"{}", type=Request)
    except msgspec.ValidationError as error:
        raise CommandRefusedError(
            f'expected {{"value": …, "source": …, "transaction": …}}, each may be left out; found: {error}'
        ) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CommandRefusedError(f"expected JSON, found something else: {error}") from error


def transaction_of(payload: bytes) -> Transaction:
    """Return the transaction of a request that could not be read as a whole, where it can be made out."""
    if len(payload) > LARGEST_BYTES:
        return None
    try:
        return msgspec.json.decode(payload, type=_Numbered).transaction
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


class _Numbered(msgspec.Struct):
    transaction: Transaction = None
