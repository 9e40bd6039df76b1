"""Typed settings of a firmware configuration: what one device listens to and whom it tells."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from edge_asd.settings import Identifier, NonNegativeFloat, Port, PositiveFloat, PositiveInt, Settings, Text

# (?!\n) because Python's $ also matches before a newline at the end. Parts that are empty or longer than 63 characters
# no name service can be asked for.
Host = Annotated[
    str,
    Meta(
        pattern=r"^(?!.*\.\.)(?!.*[^.]{64})([A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9.])?|[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?)(?!\n)$",
        description="a host name or an address alone, such as broker.local",
    ),
]
TopicPath = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*(?!\n)$",
        description="letters, digits, '_' or '-', with '/' between the parts",
    ),
]
# Topics of a source of such a name would be those of commands.
SourceName = Annotated[
    str,
    Meta(
        pattern=r"^(?!(request|response)$)[A-Za-z0-9_-]{1,64}(?!\n)$",
        description="1\N{EN DASH}64 letters, digits, '_' or '-', and neither 'request' nor 'response'",
    ),
]
Origin = Annotated[
    str,
    Meta(pattern=r"^(mic|mic:.+|file:.+|stdin(\?.+)?)(?!\n)$", description="'mic', 'mic:NAME', 'file:PATH' or 'stdin'"),
]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[
    str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d(?!\n)$", description="a time of day such as '22:30', in quotes")
]
TimeZone = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,64}(?!\n)$", description="a time zone such as Europe/Vienna")
]
CommandName = Literal["status", "threshold", "arm", "disarm", "acknowledge", "calibrate", "snapshot", "reload"]


class Tls(Settings):
    """Encryption and certificates of the connection to the broker."""

    ca_file: Text | None = None
    """Certificate authority that signed the broker's certificate (PEM); the system's own where left out."""
    cert_file: Text | None = None
    """This device's client certificate (PEM)."""
    key_file: Text | None = None
    """Private key of the client certificate (PEM)."""

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            missing = "cert_file" if self.cert_file is None else "key_file"
            raise ValueError(f"cert_file and key_file belong together, found no {missing}; give both or neither")


class HomeAssistant(Settings):
    """Home Assistant on the same broker, which shows the device by itself."""

    enabled: bool = True
    """Whether it is told what there is to show. What it was told before, the broker keeps until somebody publishes an
    empty retained message on `PREFIX/device/DEVICE/config`."""
    prefix: TopicPath = "homeassistant"
    """First part of its topics."""

    @property
    def births(self) -> tuple[str, ...]:
        """Topics on which it says that it has started."""
        return (f"{self.prefix}/status",) if self.enabled else ()


class Mqtt(Settings):
    """The plant's MQTT broker."""

    host: Host
    """Name or address of the broker."""
    port: Port = 1883
    """TCP port; 8883 is usual with TLS."""
    username: Text | None = None
    """Name to log in with."""
    password_file: Text | None = None
    """File that holds the password, so that no secret stands in the configuration."""
    version: Literal["auto", "5", "3.1.1"] = "auto"
    """MQTT version to speak; `auto` tries 5 first, under which a refusal by an access list can be seen."""
    tls: Tls | None = None
    """Encryption; left out, the connection is plain. `{}` takes the system's certificate authorities."""
    base_topic: TopicPath = "edge-asd"
    """First part of every topic; the device's id follows it."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    """Seconds between signs of life; the broker publishes the last will after one and a half times this."""
    acknowledge_s: Annotated[int, Meta(ge=1, le=3600)] = 30
    """Seconds that the broker may take to acknowledge a message before the connection is made afresh."""
    reconnect_max_s: Annotated[int, Meta(ge=1, le=3600)] = 120
    """Longest wait between two attempts to connect, in seconds."""
    commands: bool | list[CommandName] = True
    """Whether the device obeys commands that come over the broker: all, none, or those listed."""
    home_assistant: HomeAssistant = msgspec.field(default_factory=HomeAssistant)
    """What Home Assistant is told, in one retained message on `PREFIX/device/DEVICE/config`."""

    def __post_init__(self) -> None:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file goes with a username, found none; add 'username: …' beside it")


class Decision(Settings):
    """How scores become a verdict."""

    threshold: float | None = None
    """Score from which a machine counts as anomalous; the bundle's own calibrated one where left out."""
    false_alarms_per_week: PositiveFloat | None = None
    """In place of a threshold: the false alarms that a week of normal sound may raise, with the hysteresis below."""
    enter: PositiveInt = 1
    """Decisions in a row at or above the threshold before an anomaly begins."""
    exit: PositiveInt = 3
    """Decisions in a row below the exit level before an anomaly ends."""
    exit_fraction: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """Exit level, as a share of the way from the bundle's typical normal score up to the threshold."""
    min_duration_s: NonNegativeFloat = 0.0
    """Seconds of sound that these decisions have to span before an anomaly begins."""
    cooldown_s: NonNegativeFloat = 0.0
    """Seconds of sound after an anomaly's end before another may begin."""
    latch: bool = False
    """Whether an anomaly goes on until it is acknowledged, however the machine sounds by then. It ends with the
    listening all the same: with a restart, or a reload that changes the source."""

    def __post_init__(self) -> None:
        if self.threshold is not None and self.false_alarms_per_week is not None:
            raise ValueError("expected threshold or false_alarms_per_week, found both; leave one out")


class QuietHours(Settings):
    """A time of the week when nothing is judged."""

    days: Annotated[list[Weekday], Meta(min_length=1)] = msgspec.field(default_factory=lambda: list(get_args(Weekday)))
    """Days on which it begins."""
    start: TimeOfDay
    """When it begins."""
    end: TimeOfDay
    """When it is over: on the next day, unless that is later than the start."""


class Schedule(Settings):
    """When a machine is not to be judged: it is being cleaned, or stands still. The verdict is then `unknown`."""

    time_zone: TimeZone | None = None
    """Whose clock counts, such as `Europe/Vienna`; the system's own where left out. It goes by the device's clock,
    whether a time server has set that or not."""
    quiet: Annotated[list[QuietHours], Meta(min_length=1)]
    """When it is not judged."""

    def __post_init__(self) -> None:
        if self.time_zone is None:
            return
        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"time_zone: expected a name of the IANA time zone database, found {self.time_zone!r}; "
                "if it is one, apt install tzdata"
            ) from None


class Source(Settings):
    """One machine: where its sound comes from and which bundle judges it."""

    name: SourceName
    """Id of the source; a part of its topics."""
    bundle: Text
    """Bundle file, relative to the configuration file."""
    source: Origin
    """Where the sound comes from: `mic`, `mic:NAME` (a USB path `usb-path=1-1.3`, a vendor, product and serial number
    `usb=0d8c:0014:123`, a name or a part of one, as `edge-asd devices` lists them), `file:PATH` (a recording or
    a folder, relative to the configuration file; `?speed=max` after it for as fast as possible), or `stdin`, raw
    samples (`stdin?rate=16000&format=s16le&channels=1`)."""
    channel: Annotated[int, Meta(ge=0)] | Literal["mix"] = 0
    """Channel to listen to, counted from 0, or `mix` for the mean of all."""
    decision: Decision = msgspec.field(default_factory=Decision)
    """How this machine's scores become a verdict."""
    schedule: Schedule | None = None
    """When it is not to be judged; always judged where left out."""


class Delegate(Settings):
    """Hardware that computes nets instead of the processor, through a TFLite delegate such as Coral's or a GPU's."""

    library: Text
    """Its shared library: a path relative to the configuration file, or a name alone, such as `libedgetpu.so.1`, for
    the system's loader to find."""
    options: dict[Text, str | int | float | bool] = msgspec.field(default_factory=dict)
    """Options, as the library's own documentation names them, such as `{device: usb}`."""
    fallback: Literal["cpu", "none"] = "cpu"
    """What happens where it cannot be loaded, does not take a net, fails, or moves the results: `cpu` lets the
    processor compute from then on, and says so in the log and in `health`; `none` is an error."""


class Log(Settings):
    """What the daemon writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important kind of line that is written."""
    format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object on each line. Under systemd, text lines bear the journal's priorities."""


class Web(Settings):
    """Figures for Prometheus at `/metrics`, and `/healthz`."""

    enabled: bool = True
    """Whether they are served."""
    host: Host = "127.0.0.1"
    """Address to serve on; only this machine itself can reach the default."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 9143
    """TCP port; 0 for any that is free."""


class Spool(Settings):
    """Where events wait until the broker has acknowledged them."""

    path: Text | None = None
    """SQLite file; left out, one named after the device in `$STATE_DIRECTORY` (systemd's), else in
    `$XDG_STATE_HOME/edge-asd` (`~/.local/state/edge-asd`)."""
    max_bytes: Annotated[int, Meta(ge=1 << 20)] = 32 << 20
    """Most bytes on the disk; of what no longer fits, the oldest that is no alarm is dropped first, and counted."""
    max_age_s: PositiveFloat = 30 * 24 * 3600.0
    """Seconds after which an event is given up."""


class Evidence(Settings):
    """Sound and a picture of each anomaly, kept on the device."""

    enabled: bool = True
    """Whether anything is kept."""
    path: Text | None = None
    """Folder; left out, one beside the spool."""
    before_s: Annotated[float, Meta(gt=0, le=120)] = 15.0
    """Seconds of sound before an anomaly is told."""
    after_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """Seconds of sound after that; fewer where it ends before."""
    max_bytes: Annotated[int, Meta(ge=1 << 20)] = 256 << 20
    """Most bytes of clips; the oldest are dropped first."""
    max_age_s: PositiveFloat = 90 * 24 * 3600.0
    """Seconds after which a clip is dropped, where a time server has set the clock: a wrong one would drop them all."""
    max_count: PositiveInt = 1000
    """Most clips."""
    keep_free_bytes: Annotated[int, Meta(ge=0)] = 64 << 20
    """Bytes of the disk that clips leave to others; a clip that would take of them is lost, and counted."""


class Firmware(Settings):
    """The whole configuration of one device."""

    device: Identifier
    """Id of the device: part of its topics, and its MQTT client id."""
    mqtt: Mqtt
    """The plant's MQTT broker."""
    sources: Annotated[list[Source], Meta(min_length=1)]
    """The machines this device listens to."""
    threads: Annotated[int, Meta(ge=1, le=16)] = 1
    """Threads of each TFLite interpreter."""
    delegate: Delegate | None = None
    """Hardware that computes the nets; the processor where left out."""
    health_interval_s: PositiveFloat = 30.0
    """Seconds between two health messages."""
    state_interval_s: NonNegativeFloat = 10.0
    """Least seconds between two state messages of a source whose verdict does not change."""
    spool: Spool = msgspec.field(default_factory=Spool)
    """Where events wait until the broker has acknowledged them."""
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    """Sound and a picture of each anomaly, kept on the device."""
    web: Web = msgspec.field(default_factory=Web)
    """Figures over HTTP."""
    log: Log = msgspec.field(default_factory=Log)
    """Log output."""

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"sources: expected a name of its own for each, found {', '.join(doubles)} more than once")
        if sum(source.source.startswith("stdin") for source in self.sources) > 1:
            raise ValueError("sources: expected at most one that reads stdin, found several")
