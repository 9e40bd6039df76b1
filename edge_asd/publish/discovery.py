"""What Home Assistant has to know to show a device by itself: one retained message, in its device-discovery form.

Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (`dev`, `o` and `cmps` are its own
abbreviations of device, origin and components).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import msgspec

from edge_asd.publish.payloads import Microphone
from edge_asd.publish.topics import Topics

_NAME = "edge-asd"
_LEAST_EXPIRY_S, _LONGEST_EXPIRY_S = 60, 366 * 24 * 3600
_MISSED_STATES = 6
# What is neither is `None`, which Home Assistant shows as unknown.
_PROBLEM = "{{ {'anomaly': 'ON', 'normal': 'OFF'}.get(value_json.verdict, 'None') }}"
_FARTHEST_THRESHOLD = 1e6


class HomeDevice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The device, as Home Assistant lists it."""

    ids: list[str]
    """What tells it from all others."""
    name: str
    """Name to show."""
    mf: str = ""
    """Manufacturer."""
    sw: str | None = None
    """Version of its software."""


class HomeOrigin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The program that sends the message."""

    name: str
    """Its name."""
    sw: str | None = None
    """Its version."""


class HomeComponent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to show or to do."""

    p: Literal["binary_sensor", "sensor", "number", "button"]
    """What kind of thing; where nothing else is said, the thing is there no more."""
    unique_id: str | None = None
    """What tells it from all others."""
    name: str | None = None
    """Name to show, after that of the device."""
    state_topic: str | None = None
    """Where its value comes from."""
    value_template: str | None = None
    """How the value is got out of that."""
    json_attributes_topic: str | None = None
    """Where further values come from."""
    device_class: str | None = None
    """What kind of value."""
    state_class: str | None = None
    """How it is kept in the long run."""
    unit_of_measurement: str | None = None
    """Its unit."""
    options: list[str] | None = None
    """Values there are."""
    entity_category: Literal["config", "diagnostic"] | None = None
    """Where it is shown, if not among what matters."""
    expire_after: int | None = None
    """Seconds without news after which the value counts for nothing."""
    command_topic: str | None = None
    """Where to send a command."""
    command_template: str | None = None
    """What to send, made of the value."""
    payload_press: str | None = None
    """What to send."""
    min: float | None = None
    """Least value."""
    max: float | None = None
    """Greatest value."""
    step: float | None = None
    """Least difference between values."""
    mode: Literal["box"] | None = None
    """How a value is entered."""


class HomeDiscovery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The message, for `homeassistant/device/<id>/config`."""

    dev: HomeDevice
    """The device."""
    o: HomeOrigin
    """The program."""
    cmps: dict[str, HomeComponent]
    """What there is to show and to do, by a key of ours."""
    availability_topic: str
    """Where `online` and `offline` come from."""
    qos: int
    """Quality of service of its subscriptions."""


def discovery(
    topics: Topics,
    sources: Iterable[str],
    commands: Iterable[str],
    *,
    gone: Iterable[str] = (),
    version: str | None,
    state_interval_s: float,
    hops_s: Mapping[str, float] | None = None,
) -> HomeDiscovery:
    """Return what Home Assistant has to know of a device.

    Parameters
    ----------
    topics
        The device's topics.
    sources
        Ids of what it listens to.
    commands
        Names of the commands that it obeys; for others there is nothing to press.
    gone
        Ids of what it listened to before.
    version
        Version of this package.
    state_interval_s
        Least seconds between two states of a source whose verdict does not change.
    hops_s
        Seconds between two decisions of a source, by its id: each gives a state, and nothing else does for as long as
        all is well.
    """
    allowed = set(commands)
    components = _of_device(topics)
    for source in gone:
        shown = _of_source(topics, source, allowed, _LEAST_EXPIRY_S)
        components |= {key: _dropped(component) for key, component in shown.items()}
    for source in sources:
        rarest_s = max(state_interval_s, (hops_s or {}).get(source, 0.0))
        expiry_s = round(min(max(_LEAST_EXPIRY_S, _MISSED_STATES * rarest_s), _LONGEST_EXPIRY_S))
        components |= _of_source(topics, source, allowed, expiry_s)
    return HomeDiscovery(
        dev=HomeDevice(ids=[f"{_NAME}_{topics.device}"], name=topics.device, mf=_NAME, sw=version),
        o=HomeOrigin(name=_NAME, sw=version),
        cmps=components,
        availability_topic=topics.availability(),
        qos=1,
    )


def _of_device(topics: Topics) -> dict[str, HomeComponent]:
    return {
        "events_waiting": HomeComponent(
            p="sensor",
            unique_id=_unique(topics, "events_waiting"),
            name="events waiting",
            state_topic=topics.health(),
            value_template="{{ value_json.spool.depth }}",
            state_class="measurement",
            entity_category="diagnostic",
        ),
        "cpu_temperature": HomeComponent(
            p="sensor",
            unique_id=_unique(topics, "cpu_temperature"),
            name="processor temperature",
            state_topic=topics.health(),
            value_template="{{ value_json.cpu_temperature_c }}",
            device_class="temperature",
            state_class="measurement",
            unit_of_measurement="°C",
            entity_category="diagnostic",
        ),
    }


def _of_source(topics: Topics, source: str, allowed: set[str], expiry_s: int) -> dict[str, HomeComponent]:
    topic = topics.state(source)
    found = {
        "problem": HomeComponent(
            p="binary_sensor",
            unique_id=_unique(topics, source, "problem"),
            name=source,
            state_topic=topic,
            value_template=_PROBLEM,
            json_attributes_topic=topic,
            device_class="problem",
        ),
        "score": HomeComponent(
            p="sensor",
            unique_id=_unique(topics, source, "score"),
            name=f"{source} score",
            state_topic=topic,
            value_template="{{ value_json.score }}",
            state_class="measurement",
            expire_after=expiry_s,
        ),
        "microphone": HomeComponent(
            p="sensor",
            unique_id=_unique(topics, source, "microphone"),
            name=f"{source} microphone",
            state_topic=topic,
            value_template="{{ value_json.microphone }}",
            device_class="enum",
            options=list(get_args(Microphone)),
            entity_category="diagnostic",
        ),
    }
    offered = {"threshold": _threshold(topics, source), "acknowledge": _acknowledge(topics, source)}
    found |= {command: shown if command in allowed else _dropped(shown) for command, shown in offered.items()}
    return {f"{source}_{key}": component for key, component in found.items()}


def _threshold(topics: Topics, source: str) -> HomeComponent:
    return HomeComponent(
        p="number",
        unique_id=_unique(topics, source, "threshold"),
        name=f"{source} threshold",
        state_topic=topics.state(source),
        value_template="{{ value_json.threshold }}",
        command_topic=topics.request("threshold"),
        command_template=f'{{"source": "{source}", "value": {{{{ value }}}}}}',
        min=-_FARTHEST_THRESHOLD,
        max=_FARTHEST_THRESHOLD,
        step=0.001,
        mode="box",
        entity_category="config",
    )


def _acknowledge(topics: Topics, source: str) -> HomeComponent:
    return HomeComponent(
        p="button",
        unique_id=_unique(topics, source, "acknowledge"),
        name=f"{source} acknowledge",
        command_topic=topics.request("acknowledge"),
        payload_press=f'{{"source": "{source}"}}',
    )


def _dropped(component: HomeComponent) -> HomeComponent:
    """Return what says that a thing is there no more, or never was: one that is only left out is kept."""
    return HomeComponent(p=component.p)


def _unique(topics: Topics, *words: str) -> str:
    return "_".join((_NAME, topics.device, *words))
