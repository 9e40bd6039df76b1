"""Every payload of the MQTT contract, and the JSON schema of each.

A payload is made by the stage that knows its content; what belongs to the device, the boot and the connection is
filled in by the publisher (each such field says so). Every field is always written, so a subscriber never has to ask
whether one is there; numbers are finite or `null`, never NaN. Within a version of a schema, fields may be added.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from edge_asd.ulid import PATTERN as ULID_PATTERN

ONLINE = "online"
"""Payload of the availability topic while the device is connected."""
OFFLINE = "offline"
"""Payload of the availability topic after a clean stop, and of the last will."""

Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        description="RFC 3339, UTC, to the millisecond",
        extra_json_schema={"format": "date-time"},
    ),
]
Count = Annotated[int, Meta(ge=0)]
Microphone = Literal["starting", "ok", "gone", "stalled", "interrupted", "silent", "clipped", "ended"]
"""What :attr:`State.microphone` may say."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of whatever is published; refuses numbers that JSON cannot carry."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{type(self).__name__}.{name}: expected a finite number, found {value}")


class Message(Record, frozen=True, kw_only=True):
    """What every payload begins with."""

    device: str = ""
    """Id of the device; filled in by the publisher."""
    boot_id: str = ""
    """The kernel's id of this boot; filled in by the publisher."""
    seq: Count = 0
    """Rises with every message of its kind, whatever the source, and never repeats within a boot; a restart of the
    daemon jumps ahead. Consecutive otherwise over all sources of the device, but for a state that was replaced before
    it was sent, or an event that was given up. Filled in by the publisher."""
    ts: Timestamp
    """When it was made."""
    clock_synced: bool = False
    """Whether a time server had set the clock by then; if not, `boot_id` and `seq` give the order and `ts` may be far
    off. Filled in by the publisher."""


class BundleReference(Record, frozen=True, kw_only=True):
    """Which bundle judged."""

    id: str
    """Name of the bundle."""
    sha256: str
    """SHA-256 of the bundle file, 64 hexadecimal digits."""


class SourceInfo(Record, frozen=True, kw_only=True):
    """One machine that the device listens to."""

    name: str
    """Id of the source; a part of its topics."""
    source: str
    """Where its sound comes from, as configured."""
    bundle: BundleReference | None = None
    """Bundle in use; null before it is loaded."""
    hop_s: float | None = None
    """Seconds from one decision to the next while the machine is heard; null before the bundle is loaded."""


class Info(Message, frozen=True, kw_only=True, tag_field="schema", tag="edge-asd/info/1"):
    """What runs on the device."""

    software: dict[str, str]
    """Versions, by name: this package, Python, the interpreter and so on."""
    sources: list[SourceInfo]
    """The machines it listens to."""
    configuration: dict[str, Any]
    """The configuration in force, without its secrets."""


class DelegateHealth(Record, frozen=True, kw_only=True):
    """Whether the hardware that was to compute a source's nets does so."""

    library: str
    """Shared library of the delegate."""
    active: bool
    """Whether it computes; otherwise the processor does."""
    failure: str | None
    """Why it was given up; null while it is active."""


class Disturbances(Record, frozen=True, kw_only=True):
    """How often something has disturbed the hearing since the listening began."""

    overflow: Count = 0
    """Sound was lost on its way from the microphone: the device was too busy."""
    gone: Count = 0
    """The microphone was not there, or went."""
    stalled: Count = 0
    """The microphone was there and gave nothing; what recorded it was replaced."""
    dropout: Count = 0
    """The signal stood still for a moment."""
    silent: Count = 0
    """The signal stood still for good: digital silence."""
    clipped: Count = 0
    """The signal was cut off at full scale."""


class SourceHealth(Record, frozen=True, kw_only=True):
    """How one source fares."""

    microphone: Microphone
    """State of its microphone, as on `…/SOURCE/state`."""
    frames_dropped: Count
    """Audio frames (one sample of every channel) lost since the listening began, at the source's own sampling rate, as
    far as they could be counted: of what PortAudio loses nobody knows how many."""
    windows_scored: Count
    """Decision horizons scored since the listening began."""
    level_dbfs: float | None = None
    """Root mean square of the last second about its mean, in decibels relative to full scale; null where nothing moved
    or nothing is heard."""
    dc_offset: float | None = None
    """Mean of the last second, of full scale ±1; null where nothing is heard."""
    clipped_share: float | None = None
    """Share of the last second's samples at full scale, from 0 to 1; null where nothing is heard."""
    disturbances: Disturbances = Disturbances()
    """What has disturbed the hearing since the listening began."""
    delegate: DelegateHealth | None = None
    """Hardware that was to compute its nets; null where none is configured."""


class Spool(Record, frozen=True, kw_only=True):
    """Events that wait for their acknowledgement."""

    depth: Count = 0
    """Events waiting."""
    oldest: Timestamp | None = None
    """When the oldest of them was made; null when none waits."""
    dropped: Count = 0
    """Events given up since the publishing began: too many or too old to be kept, or damaged on the disk."""
    in_memory: Count = 0
    """Events of these that only memory holds; they would be lost with the power."""
    error: str | None = None
    """Why the disk cannot be used, in words; null when all is well."""


class EvidenceHealth(Record, frozen=True, kw_only=True):
    """How the keeping of recordings fares."""

    written: Count = 0
    """Recordings written since the publishing began."""
    lost: Count = 0
    """Recordings that could not be written since the publishing began."""
    last_error: str | None = None
    """Why the last one could not, or none could be, in words; null once one could again."""
    last_error_ts: Timestamp | None = None
    """When that was."""


class Broker(Record, frozen=True, kw_only=True):
    """How the connection to the broker fares."""

    connections: Count = 0
    """Connections made since the publishing began."""
    protocol: Literal["5", "3.1.1"] | None = None
    """MQTT version spoken; under 3.1.1 a refusal by an access list cannot be seen."""
    refused: Count = 0
    """Messages that the broker refused, or that were too large for it, since the publishing began."""
    last_error: str | None = None
    """What last went wrong, in words."""
    last_error_ts: Timestamp | None = None
    """When that was."""


class Reloads(Record, frozen=True, kw_only=True):
    """What became of changes of the configuration and the bundles."""

    done: Count = 0
    """Times that they were read anew since the daemon started."""
    refused: Count = 0
    """Times that what was read could not be used since the daemon started, and the old went on."""
    last_error: str | None = None
    """What was wrong with it the last time, in words; null once a later one could be used."""
    last_error_ts: Timestamp | None = None
    """When that was."""


class Health(Message, frozen=True, kw_only=True, tag_field="schema", tag="edge-asd/health/1"):
    """How the device fares."""

    uptime_s: Annotated[float, Meta(ge=0)]
    """Seconds since the daemon started."""
    cpu_temperature_c: float | None
    """Degrees Celsius; null where the board does not tell."""
    rss_bytes: Count | None
    """Resident memory of the daemon and its children, in bytes; null where the system does not tell."""
    sources: dict[str, SourceHealth]
    """The sources, by name. The listening to one begins, and its counts are 0, when the daemon starts, after a failure,
    and with a reload that changes the source or its bundle or begins the publishing anew."""
    reloads: Reloads = Reloads()
    """Changes of the configuration and the bundles."""
    evidence: EvidenceHealth = EvidenceHealth()
    """Recordings of anomalies. The publishing begins, and what is counted since then is 0, here and in `spool` and
    `broker`, when the daemon starts and with a reload that changes `device`, `mqtt`, `spool`, `evidence` or
    `state_interval_s`, the password, a certificate or the key."""
    spool: Spool = Spool()
    """Events waiting; filled in by the publisher."""
    broker: Broker = Broker()
    """The connection; filled in by the publisher."""


class State(Message, frozen=True, kw_only=True, tag_field="schema", tag="edge-asd/state/1"):
    """Verdict of one source as it stands."""

    source: str
    """Id of the source."""
    verdict: Literal["normal", "anomaly", "unknown"]
    """`unknown` whenever the machine cannot be heard."""
    score: float | None
    """Anomaly score of the last decision, higher is more anomalous; null when there is none to go by."""
    threshold: float | None
    """Threshold that the score was held against."""
    window_s: Annotated[float, Meta(gt=0)]
    """Seconds of sound that one decision looks at."""
    microphone: Microphone
    """State of the microphone. `starting`: no sound yet; `ok`: heard; `gone`: unplugged or not found; `stalled`:
    plugged, yet nothing arrives; `interrupted`: heard, but never for long enough to judge; `silent`: digital silence;
    `clipped`: flat at full scale; `ended`: listened to no more, or a recording that has been heard to its end."""
    armed: bool = True
    """Whether it gives alarms; if not, the verdict is `unknown`, and scores are told all the same."""
    reason: str | None = None
    """Why the verdict is `unknown`: `starting`, `disarmed`, `quiet hours`, `stopped`, `too few decisions yet`, or in
    other words why the machine cannot be heard; null where it is not."""
    event: str | None = None
    """Id of the anomaly in progress."""
    acknowledged: bool = False
    """Whether somebody has taken note of it."""
    bundle: BundleReference | None = None
    """Bundle that judged."""


class Band(Record, frozen=True, kw_only=True):
    """A stretch of the spectrum that stands out."""

    hz: tuple[float, float]
    """Lower and upper edge in hertz."""
    z: float
    """How far its level, or how much it varies, is from normal, in standard deviations."""


class Slice(Record, frozen=True, kw_only=True):
    """A stretch of the window that stands out."""

    s: tuple[float, float]
    """Where it begins and ends, in seconds from the start of the window."""
    z: float
    """How unlike normal sound it is, in standard deviations of normal stretches."""


class Clip(Record, frozen=True, kw_only=True):
    """A recording of the anomaly, kept on the device."""

    path: str
    """File on the device."""
    sha256: str
    """SHA-256 of the file, 64 hexadecimal digits."""
    picture: str | None = None
    """Spectrogram of it, a PNG file on the device."""


class Event(Message, frozen=True, kw_only=True, tag_field="schema", tag="edge-asd/event/1"):
    """The beginning, course or end of an anomaly."""

    id: Annotated[str, Meta(pattern=ULID_PATTERN)]
    """ULID of the anomaly; the same in `new`, `update` and `end`."""
    type: Literal["new", "update", "end"]
    """`new` once, any number of `update`, `end` once. An `update` tells that the anomaly has grown, that somebody has
    taken note of it, or that its clip is written."""
    source: str
    """Id of the source."""
    is_historical: bool = False
    """Whether it was made before the connection it came over; filled in by the publisher."""
    score: float
    """Anomaly score of the decision that made this message."""
    threshold: float
    """Threshold that the score was held against."""
    peak: float
    """Greatest score of the anomaly so far."""
    window_s: Annotated[float, Meta(gt=0)]
    """Seconds of sound that one decision looks at."""
    severity: Literal["warning", "alarm"]
    """Greatest severity of the anomaly so far."""
    since: Timestamp
    """When the anomaly began."""
    reason: str | None = None
    """Why it ended: `recovered`, `acknowledged`, `disarmed`, `quiet hours`, `stopped` where the listening did (the
    daemon stops, or a reload changes the source), `restarted` where a power cut or a kill had ended the listening
    before the anomaly ended, or in other words why the machine cannot be heard; null unless `type` is `end`."""
    acknowledged: bool = False
    """Whether somebody has taken note of it."""
    bands: list[Band] = msgspec.field(default_factory=list)
    """Bands that stand out, most anomalous first."""
    moments: list[Slice] = msgspec.field(default_factory=list)
    """Moments of the window that stand out, most anomalous first."""
    bundle: BundleReference
    """Bundle that judged."""
    clip: Clip | None = None
    """Recording of the anomaly, once it is written; null where it could not be."""


MessageType = TypeVar("MessageType", bound=Message)


def checked(message: MessageType) -> MessageType:
    """Return `message` as a subscriber will read it: checked against its own schema, numpy's numbers made plain.

    Raises
    ------
    msgspec.ValidationError, TypeError
        When it holds what its schema does not allow; the fault lies with the stage that made it.
    """
    plain = msgspec.to_builtins(message, enc_hook=_plain_number)
    return msgspec.convert(plain, type(message))


def _plain_number(value: object) -> object:
    to_plain = getattr(value, "item", None)
    if to_plain is None:
        raise TypeError(f"expected plain data, found a {type(value).__name__}")
    return to_plain()


def encode(message: Message) -> bytes:
    r"""Return the JSON text of `message`, in UTF-8; bytes of a path that are none are written out, such as `\udce9`."""
    try:
        return msgspec.json.encode(message)
    except UnicodeEncodeError:
        return msgspec.json.encode(_written_out(msgspec.to_builtins(message)))


def _written_out(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _written_out(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_written_out(value) for value in plain]
    return plain.encode("utf-8", "backslashreplace").decode() if isinstance(plain, str) else plain


def decode(payload: bytes, kind: type[MessageType]) -> MessageType:
    """Return the message that :func:`encode` gave `payload` for."""
    return msgspec.json.decode(payload, type=kind)
