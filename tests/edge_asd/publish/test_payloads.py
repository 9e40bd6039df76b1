from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from edge_asd.publish import Band, Event, Health, Info, SourceHealth, State, payload_schemas
from edge_asd.publish.payloads import Message, checked, encode

KINDS = ["info", "health", "state", "event", "request", "response"]


def valid(payload: bytes) -> Any:
    document = json.loads(payload, parse_constant=pytest.fail)
    jsonschema.validate(document, payload_schemas()[document["schema"]])
    return document


def test_the_event_has_the_fields_of_the_contract(make_event: Callable[..., Event]) -> None:
    document = valid(encode(make_event(bands=[Band(hz=(2100, 2600), z=6.2)])))
    contract = (
        "schema id seq boot_id type device source ts clock_synced is_historical score threshold window_s severity"
    )
    assert {*contract.split(), "bands", "bundle", "clip"} <= set(document)
    assert document["schema"] == "edge-asd/event/1"
    assert document["bands"] == [{"hz": [2100, 2600], "z": 6.2}]
    assert set(document["bundle"]) == {"id", "sha256"}
    assert document["clip"] is None


def test_every_kind_of_message_is_as_its_schema_says(info: Info, make_state: Callable[..., State]) -> None:
    source = SourceHealth(microphone="ok", frames_dropped=0, windows_scored=3)
    health = Health(ts=info.ts, uptime_s=1.5, cpu_temperature_c=None, rss_bytes=1, sources={"pump-3": source})
    for message in (info, health, make_state(), make_state(verdict="unknown", score=None, reason="silent")):
        valid(encode(message))
    assert {schema.split("/")[1] for schema in payload_schemas()} == set(KINDS)


def test_paths_that_are_no_text_are_written_out(info: Info) -> None:
    configuration = {"sources": [{"bundle": "/caf\udce9/ä.easd"}], "threads": 1}
    told = valid(encode(replace(info, configuration=configuration)))["configuration"]
    assert told == {"sources": [{"bundle": "/caf\\udce9/ä.easd"}], "threads": 1}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "request"])
def test_schemas_are_schemas_and_ask_for_every_field(kind: str) -> None:
    schema = payload_schemas()[f"edge-asd/{kind}/1"]
    jsonschema.Draft202012Validator.check_schema(schema)
    definition = schema["$defs"][kind.capitalize()]
    assert set(definition["required"]) == set(definition["properties"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": f"edge-asd/{kind}/1"}, schema)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float32("nan"), np.float64("inf")])
def test_numbers_that_json_does_not_know_are_refused(make_state: Callable[..., State], number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        checked(make_state(score=number))


def test_numbers_of_numpy_become_plain(make_event: Callable[..., Event]) -> None:
    event = make_event(
        score=np.float64(12.5), threshold=np.float32(9.5), bands=[Band(hz=(np.float64(1), 2), z=np.float64(3))]
    )
    document = valid(encode(checked(event)))
    assert (document["score"], document["threshold"], document["bands"][0]["hz"]) == (12.5, 9.5, [1, 2])


@pytest.mark.parametrize(
    "fault", [{"severity": "dire"}, {"id": "lower-case"}, {"ts": "yesterday"}, {"window_s": 0}, {"score": "high"}]
)
def test_a_message_against_its_own_schema_is_refused(make_event: Callable[..., Event], fault: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        checked(make_event(**fault))


def test_what_is_not_plain_data_is_refused(info: Info) -> None:
    with pytest.raises(TypeError, match="plain data"):
        checked(msgspec.structs.replace(info, configuration={"x": object()}))


def test_all_messages_begin_alike() -> None:
    head = [field.name for field in msgspec.structs.fields(Message)]
    assert head == ["device", "boot_id", "seq", "ts", "clock_synced"]
    for kind in KINDS:
        if kind != "request":
            definition = payload_schemas()[f"edge-asd/{kind}/1"]["$defs"][kind.capitalize()]
            assert set(head) <= set(definition["properties"])
