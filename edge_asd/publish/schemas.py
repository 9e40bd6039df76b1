"""The JSON schema of every payload, made of the records that the payloads are."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from edge_asd.publish.discovery import HomeComponent, HomeDiscovery
from edge_asd.publish.payloads import Event, Health, Info, State
from edge_asd.publish.requests import ANSWERS, Request, Response

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{name}"


class Payload(NamedTuple):
    """One kind of payload."""

    name: str
    """One word, as in `edge-asd/event/1`."""
    topic: str
    """Its topic, behind `edge-asd/DEVICE`, or in full."""
    record: type[msgspec.Struct]
    """What it holds."""
    answers: tuple[type[msgspec.Struct], ...] = ()
    """What its `data` may hold."""


PAYLOADS = (
    Payload("info", "…/info", Info),
    Payload("health", "…/health", Health),
    Payload("state", "…/SOURCE/state", State),
    Payload("event", "…/SOURCE/event", Event),
    Payload("request", "…/request/COMMAND", Request),
    Payload("response", "…/response/COMMAND", Response, ANSWERS),
    Payload("discovery", "homeassistant/device/DEVICE/config", HomeDiscovery),
)
"""All of them, but `online` and `offline` on `…/availability`."""


def payload_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schema (draft 2020-12) of each payload, by the name in its `schema` field."""
    tagged = (payload for payload in PAYLOADS if payload.record is not HomeDiscovery)
    return {str(payload.record.__struct_config__.tag): payload_schema(payload) for payload in tagged}


def payload_schema(payload: Payload) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of one payload."""
    kinds = [payload.record, *payload.answers]
    (root, *data), definitions = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    if data:
        definitions[payload.record.__name__]["properties"]["data"]["anyOf"] = [*data, {"type": "null"}]
    for definition in definitions.values():
        if payload.record is Request:
            definition["required"].remove("schema")
        elif payload.record is not HomeDiscovery:
            _write_in_full(definition)
    if payload.record is HomeDiscovery:
        # A thing that is there has a name and an id; one that is there no more has nothing but its kind.
        definitions[HomeComponent.__name__]["anyOf"] = [{"required": ["unique_id", "name"]}, {"maxProperties": 1}]
    return {"$schema": _DIALECT, **root, "$defs": definitions}


def _write_in_full(definition: dict[str, Any]) -> None:
    # msgspec tells what a writer may leave out; what we write is written in full, always.
    definition["required"] = list(definition["properties"])
    for field in definition["properties"].values():
        field.pop("default", None)
