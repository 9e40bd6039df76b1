"""What Home Assistant is told, through a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import jsonschema
import msgspec
import pytest

from edge_asd.firmware import HomeAssistant
from edge_asd.publish import Info, Publisher, SourceInfo
from edge_asd.publish.commands import names
from edge_asd.publish.discovery import discovery
from edge_asd.publish.payloads import Microphone
from edge_asd.publish.schemas import PAYLOADS, payload_schema
from edge_asd.publish.topics import Topics

if TYPE_CHECKING:
    from tests.conftest import Broker

MakePublisher = Callable[..., Publisher]

WAIT_S = 15
(DISCOVERY,) = (payload for payload in PAYLOADS if payload.name == "discovery")
TOPIC = "homeassistant/device/pi-07/config"
# The published form (integrations/mqtt, "Device discovery payload"), as far as it goes for what is used here:
# `dev` with an identifier, `o` with a name, components by key, each with its platform and a unique id.
TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "number"}
COMPONENT = {
    "type": "object",
    "required": ["p"],
    "anyOf": [{"required": ["unique_id"]}, {"maxProperties": 1}],
    "properties": {
        "p": {"enum": ["binary_sensor", "sensor", "number", "button"]},
        **dict.fromkeys(("unique_id", "name", "state_topic", "value_template", "command_topic", "payload_press"), TEXT),
        **dict.fromkeys(("json_attributes_topic", "command_template", "unit_of_measurement"), TEXT),
        "device_class": {"enum": ["problem", "enum", "temperature"]},
        "state_class": {"enum": ["measurement", "total", "total_increasing"]},
        "entity_category": {"enum": ["config", "diagnostic"]},
        "expire_after": {"type": "integer", "minimum": 1},
        "options": {"type": "array", "items": TEXT},
        **dict.fromkeys(("min", "max", "step"), NUMBER),
        "mode": {"enum": ["auto", "box", "slider"]},
    },
    "additionalProperties": False,
}
FORM = {
    "type": "object",
    "required": ["dev", "o", "cmps"],
    "properties": {
        "dev": {
            "type": "object",
            "required": ["ids"],
            "properties": {"ids": {"type": "array", "items": TEXT, "minItems": 1}}
            | dict.fromkeys(("name", "mf", "mdl", "sw", "sn", "hw"), TEXT),
            "additionalProperties": False,
        },
        "o": {
            "type": "object",
            "required": ["name"],
            "properties": dict.fromkeys(("name", "sw", "url"), TEXT),
            "additionalProperties": False,
        },
        "cmps": {"type": "object", "additionalProperties": COMPONENT, "minProperties": 1},
        "availability_topic": TEXT,
        "qos": {"enum": [0, 1, 2]},
    },
    "additionalProperties": False,
}


def document(sources: list[str], commands: tuple[str, ...] = (), state_interval_s: float = 10) -> Any:
    topics = Topics("edge-asd", "pi-07")
    made = discovery(topics, sources, commands, version="1.2.3", state_interval_s=state_interval_s)
    return json.loads(msgspec.json.encode(made))


def test_one_retained_message_has_the_published_form(broker: Broker, make_publisher: MakePublisher) -> None:
    with make_publisher(broker.port) as publisher:
        assert publisher.wait_connected(WAIT_S)
        with broker.listener("homeassistant/#") as listener:
            (message,) = listener.wait_for(lambda _: True)
    assert (message.topic, message.retained, message.qos) == (TOPIC, True, 1)
    found = message.json()
    jsonschema.validate(found, FORM)
    assert found["dev"] == {"ids": ["edge-asd_pi-07"], "name": "pi-07", "mf": "edge-asd", "sw": "1.2.3"}
    assert found["o"] == {"name": "edge-asd", "sw": "1.2.3"}
    assert found["availability_topic"] == "edge-asd/pi-07/availability"
    problem = found["cmps"]["pump-3_problem"]
    assert (problem["p"], problem["device_class"]) == ("binary_sensor", "problem")
    assert problem["state_topic"] == "edge-asd/pi-07/pump-3/state"
    assert found["cmps"]["pump-3_score"]["expire_after"] == 60


def test_every_source_has_its_components_with_ids_of_their_own() -> None:
    found = document(["pump-3", "fan"], names())
    jsonschema.validate(found, FORM)
    ids = [component["unique_id"] for component in found["cmps"].values()]
    assert len(set(ids)) == len(ids) == 12
    threshold = found["cmps"]["fan_threshold"]
    assert threshold["command_topic"] == "edge-asd/pi-07/request/threshold"
    sent = threshold["command_template"].replace("{{ value }}", "4.5")
    assert json.loads(sent) == {"source": "fan", "value": 4.5}
    assert json.loads(found["cmps"]["fan_acknowledge"]["payload_press"]) == {"source": "fan"}
    assert found["cmps"]["fan_microphone"]["options"] == list(get_args(Microphone))


def test_a_score_expires_in_a_year_where_a_state_is_never_repeated() -> None:
    found = document(["pump-3"], state_interval_s=sys.float_info.max)
    assert found["cmps"]["pump-3_score"]["expire_after"] == 366 * 24 * 3600


def test_a_score_expires_after_some_missed_states_however_rare_they_are(
    broker: Broker, make_publisher: MakePublisher, info: Info
) -> None:
    # A state comes with each decision, and at most one in an interval: whichever is rarer counts.
    hops_s = {"often": 0.5, "sometimes": 30.0, "rarely": 3600.0}
    sources = [SourceInfo(name=name, source="mic", hop_s=hop_s) for name, hop_s in hops_s.items()]
    with make_publisher(broker.port, state_interval_s=20) as publisher, broker.listener(TOPIC) as listener:
        publisher.info(msgspec.structs.replace(info, sources=sources))
        found = listener.wait_for(lambda message: "rarely_score" in message.payload)[0].json()["cmps"]
    assert [found[f"{name}_score"]["expire_after"] for name in hops_s] == [120, 180, 21600]


def test_what_is_forbidden_is_not_offered() -> None:
    found = document(["fan"], ("status", "acknowledge"))
    for form in (FORM, payload_schema(DISCOVERY)):
        jsonschema.validate(found, form)
    assert found["cmps"]["fan_acknowledge"]["unique_id"]
    # It may have been offered before, and one that is only left out is kept.
    assert found["cmps"]["fan_threshold"] == {"p": "number"}


@pytest.mark.parametrize(("verdict", "shown"), [("anomaly", "ON"), ("normal", "OFF"), ("unknown", "None")])
def test_the_verdict_is_shown_as_it_is(verdict: str, shown: str) -> None:
    jinja2 = pytest.importorskip("jinja2")
    template = jinja2.Template(document(["fan"])["cmps"]["fan_problem"]["value_template"])
    assert template.render(value_json={"verdict": verdict}) == shown


def test_it_is_told_again_when_home_assistant_has_started(broker: Broker, make_publisher: MakePublisher) -> None:
    with make_publisher(broker.port) as publisher, broker.listener("#") as listener:
        assert publisher.wait_connected(WAIT_S)
        listener.wait_for(lambda message: message.topic == TOPIC)
        before = len(listener.messages("info"))
        birth = ["-h", "127.0.0.1", "-p", str(broker.port), "-t", "homeassistant/status", "-m", "online", "-q", "1"]
        subprocess.run(["mosquitto_pub", *birth], check=True)
        listener.wait_for(lambda message: message.topic == TOPIC, 2)
        listener.wait_for(lambda message: message.topic.endswith("info"), before + 1)


def test_it_is_silent_when_it_is_switched_off(broker: Broker, make_publisher: MakePublisher, info: Info) -> None:
    off = {"home_assistant": HomeAssistant(enabled=False)}
    with make_publisher(broker.port, mqtt=off) as publisher, broker.listener() as listener:
        publisher.info(info)
        listener.wait_for(lambda message: message.topic.endswith("info"))
        assert not [message for message in listener.messages() if message.topic.startswith("homeassistant")]


def test_another_source_appears_with_the_next_info(broker: Broker, make_publisher: MakePublisher, info: Info) -> None:
    with make_publisher(broker.port) as publisher, broker.listener("homeassistant/#") as listener:
        sources = [*info.sources, SourceInfo(name="fan", source="mic")]
        publisher.info(msgspec.structs.replace(info, sources=sources))
        listener.wait_for(lambda message: "fan_problem" in message.json()["cmps"])


def test_a_source_that_is_gone_is_taken_down(broker: Broker, make_publisher: MakePublisher, info: Info) -> None:
    with make_publisher(broker.port) as publisher:
        publisher.info(info, gone=["fan"])
        assert publisher.wait_connected(WAIT_S)
        with broker.listener("homeassistant/#") as listener:
            (message,) = listener.wait_for(lambda message: "fan_problem" in message.payload)
        for form in (FORM, payload_schema(DISCOVERY)):
            jsonschema.validate(message.json(), form)
        components = message.json()["cmps"]
        # A component of nothing but its platform is one to drop (integrations/mqtt, "Removing components").
        assert components["fan_problem"] == {"p": "binary_sensor"}
        assert components["fan_threshold"] == {"p": "number"}
        assert components["pump-3_problem"]["unique_id"]


@pytest.mark.parametrize("component", [{}, {"p": "sensor", "name": "fan"}, {"p": "sensor", "unique_id": "fan"}])
def test_the_schema_asks_for_a_name_and_an_id_of_what_is_there(component: dict[str, str]) -> None:
    found = document(["fan"])
    schema = payload_schema(DISCOVERY)
    jsonschema.validate(found, schema)
    found["cmps"]["fan_score"] = component
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema)
