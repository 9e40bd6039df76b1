"""Settings given by the environment and by options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asd.configuration import load, parse
from edge_asd.configuration.overrides import apply, from_options
from edge_asd.configuration.yaml_text import parse_mapping
from edge_asd.errors import InputError
from edge_asd.firmware import Firmware

FIRMWARE = """\
device: pump-hall-07
mqtt: {host: broker.local, port: 1883}
sources:
  - {name: pump-3, bundle: pump-3.easd, source: "mic:USB Audio"}
"""
DASH = "\N{EN DASH}"
plain_text = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc", "Cs"]), max_size=20)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=12,
)


def firmware_with(environ: dict[str, str], tmp_path: Path, *options: str) -> Firmware:
    path = tmp_path / "firmware.yaml"
    path.write_text(FIRMWARE)
    return load(path, Firmware, environ=environ, overrides=options)


def overridden(data: dict[str, Any], options: list[str]) -> Any:
    return apply(data, from_options(options)).data


def test_the_environment_overrides_the_file_and_options_override_both(tmp_path: Path) -> None:
    environ = {
        "EDGE_ASD__MQTT__PORT": "8883",
        "edge_asd__mqtt__username": "0815",
        "EDGE_ASD__SOURCES__0__BUNDLE": "12",
        "EDGE_ASD__SOURCES__0__DECISION__ENTER": "4",
        "EDGE_ASD__MQTT__TLS__CA_FILE": "ca #1: plant.pem",
        "EDGE_ASD__THREADS": " 2 ",
        "EDGE_ASD_TEST_DATA": "somewhere",
        "HOME": "/",
    }
    firmware = firmware_with(environ, tmp_path, "threads=3", "sources[0].channel=mix", "log={level: debug}")
    assert firmware.mqtt.port == 8883
    assert firmware.mqtt.username == "0815"
    assert firmware.mqtt.tls is not None
    assert firmware.mqtt.tls.ca_file == "ca #1: plant.pem"
    source = firmware.sources[0]
    assert (source.bundle, source.decision.enter, source.channel) == ("12", 4, "mix")
    assert (firmware.threads, firmware.log.level) == (3, "debug")


def test_without_an_environment_nothing_is_overridden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_ASD__THREADS", "7")
    path = tmp_path / "firmware.yaml"
    path.write_text(FIRMWARE)
    assert load(path, Firmware).threads == 1


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "EDGE_ASD__MQTT__PORT",
            "tls",
            f"{{path}}, overridden by EDGE_ASD__MQTT__PORT: mqtt.port: expected an integer 1{DASH}65535, found 'tls'",
        ),
        ("EDGE_ASD__MQTT__PROT", "1", "{path}, overridden by EDGE_ASD__MQTT__PROT: mqtt.prot: expected one of host"),
        (
            "EDGE_ASD__SOURCES__1__NAME",
            "x",
            "EDGE_ASD__SOURCES__1__NAME: expected an entry of sources, counted 0 to 0, ",
        ),
        ("EDGE_ASD__SOURCES__FIRST", "x", "EDGE_ASD__SOURCES__FIRST: expected an entry of sources, counted 0 to 0, "),
        (
            "EDGE_ASD__DEVICE__NAME",
            "x",
            "EDGE_ASD__DEVICE__NAME: expected a mapping or list at device, found 'pump-hall-07'",
        ),
        ("EDGE_ASD__", "x", "EDGE_ASD__: expected a name such as EDGE_ASD__MQTT__PORT, found an empty part"),
        ("EDGE_ASD__MQTT____PORT", "1", "EDGE_ASD__MQTT____PORT: expected a name such as"),
        ("EDGE_ASD__SOURCES", "[", "EDGE_ASD__SOURCES: line 1, column 2: expected valid YAML"),
        ("EDGE_ASD__SOURCES", "[]", "{path}, overridden by EDGE_ASD__SOURCES: sources: expected a list of one or more"),
        (
            "EDGE_ASD__MQTT__PASSWORD_FILE",
            "pw",
            "{path}, overridden by EDGE_ASD__MQTT__PASSWORD_FILE: mqtt: password_file",
        ),
        ("EDGE_ASD__MQTT__HOST", "", "{path}, overridden by EDGE_ASD__MQTT__HOST: mqtt.host: expected"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        firmware_with({variable: value}, tmp_path)
    assert str(caught.value).startswith(message.format(path=tmp_path / "firmware.yaml"))


def test_one_setting_cannot_be_given_by_two_variables(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="edge_asd__threads: expected each setting once, found EDGE_ASD__THREADS as well"
    ):
        firmware_with({"EDGE_ASD__THREADS": "1", "edge_asd__threads": "2"}, tmp_path)


def test_options_reach_into_mappings_and_lists_and_leave_the_document_alone() -> None:
    document = {
        "detector": {"components": 20, "kind": "gmm"},
        "sources": [{"channel": 0}, {"channel": 1}],
        "empty": None,
    }
    before = json.dumps(document)
    options = ["detector.components=8", "sources.1.channel=mix", "empty.new=[1, 2]", "detector.reg=1e-3", "name='12'"]
    changed = overridden(document, options)
    assert changed["detector"] == {"components": 8, "kind": "gmm", "reg": 0.001}
    assert changed["sources"] == [{"channel": 0}, {"channel": "mix"}]
    assert (changed["empty"], changed["name"]) == ({"new": [1, 2]}, "12")
    assert json.dumps(document) == before


def test_an_override_changes_one_of_two_places_that_share_a_mapping() -> None:
    document = parse_mapping("a: &a {x: 1}\nb: *a", "x")
    assert overridden(document, ["a.x=2"]) == {"a": {"x": 2}, "b": {"x": 1}}


@pytest.mark.parametrize("option", ["threads", "=3", "mqtt..port=3", ".=3", ""])
def test_an_option_that_is_no_assignment(option: str) -> None:
    with pytest.raises(InputError, match=r"override: expected KEY=VALUE, such as detector.components=8, found "):
        overridden({}, [option])


def test_an_option_with_a_fault_is_named() -> None:
    with pytest.raises(InputError, match=r"^x, overridden by mqtt\.port=…: mqtt\.port: expected an integer"):
        parse(FIRMWARE, Firmware, where="x", overrides=["mqtt.port=tls"])


@given(plain_values, st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4))
def test_an_override_is_found_again_where_it_was_put(value: Any, keys: list[str]) -> None:
    data: Any = overridden({"a": {"b": {"c": 1}}, "b": None}, [".".join(["q", *keys]) + f"={json.dumps(value)}"])
    for key in ["q", *keys]:
        data = data[key]
    assert data == value
