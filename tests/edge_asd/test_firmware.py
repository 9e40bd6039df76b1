"""Settings of a firmware configuration: what they take and what they refuse."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.firmware import Firmware, Mqtt, Source, Tls

SMALLEST: dict[str, Any] = {
    "device": "pump-hall-07",
    "mqtt": {"host": "broker.local"},
    "sources": [{"name": "pump-3", "bundle": "pump-3.easd", "source": "mic:USB Audio"}],
}


def changed(place: str, value: object) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(SMALLEST))
    *path, last = (int(part) if part.isdigit() else part for part in place.split("."))
    inner: Any = document
    for key in path:
        inner = inner[key]
    inner[last] = value
    return document


def test_the_smallest_configuration_and_its_defaults() -> None:
    firmware = parse(SMALLEST, Firmware, where="x")
    assert (firmware.mqtt.port, firmware.mqtt.base_topic, firmware.mqtt.tls) == (1883, "edge-asd", None)
    assert (firmware.threads, firmware.health_interval_s, firmware.state_interval_s) == (1, 30.0, 10.0)
    source = firmware.sources[0]
    assert (source.channel, source.decision.threshold, source.decision.enter, source.decision.exit) == (0, None, 1, 3)


def test_settings_are_frozen() -> None:
    mqtt = Mqtt(host="broker")
    with pytest.raises(AttributeError):
        mqtt.port = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", ["pump-3", "P_3", "7", "a" * 64])
def test_ids_that_can_be_part_of_a_topic(name: str) -> None:
    assert parse(changed("device", name), Firmware, where="x").device == name


@pytest.mark.parametrize("name", ["", "a#b", "a+b", "a/b", "a b", "pümpe", "a" * 65, "a\n", "\na", "a.b", "$SYS"])
@pytest.mark.parametrize("place", ["device", "sources.0.name"])
def test_ids_that_cannot(place: str, name: str) -> None:
    with pytest.raises(InputError, match=r"64 letters, digits, '_' or '-'.*, found "):
        parse(changed(place, name), Firmware, where="x")


@pytest.mark.parametrize("name", ["request", "response"])
def test_a_source_whose_topics_would_be_those_of_commands(name: str) -> None:
    with pytest.raises(
        InputError, match=rf"^x: sources\[0\].name: expected .* neither 'request' nor 'response', found '{name}'$"
    ):
        parse(changed("sources.0.name", name), Firmware, where="x")
    assert parse(changed("device", name), Firmware, where="x").device == name
    for other in (f"{name}s", f"my-{name}", "info", "health", "availability"):
        assert parse(changed("sources.0.name", other), Firmware, where="x").sources[0].name == other


@pytest.mark.parametrize(
    "host",
    [
        "broker",
        "broker.local",
        "broker-2.plant.example.",
        "10.0.0.7",
        "a",
        "my_broker",
        "::1",
        "fe80::1%eth0",
        "::ffff:1.2.3.4",
        f"{'x' * 63}.local",
    ],
)
def test_hosts(host: str) -> None:
    assert parse(changed("mqtt.host", host), Firmware, where="x").mqtt.host == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        "mqtt://broker",
        "broker:1883",
        "10.0.0.7:1883",
        "a b",
        "u@broker",
        "broker\n",
        "-broker",
        "broker/",
        "[::1]",
        "bröker",
        "broker..local",
        "broker..",
        f"{'x' * 64}.local",
        f"plant.{'x' * 64}",
    ],
)
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(InputError, match=r"x: mqtt\.host: expected a host name or an address alone"):
        parse(changed("mqtt.host", host), Firmware, where="x")


@pytest.mark.parametrize("topic", ["edge-asd", "plant/hall_7/asd"])
def test_base_topics(topic: str) -> None:
    assert parse(changed("mqtt.base_topic", topic), Firmware, where="x").mqtt.base_topic == topic


@pytest.mark.parametrize("topic", ["", "/plant", "plant/", "a//b", "a/#", "+", "a b", "a\n"])
def test_what_is_no_base_topic(topic: str) -> None:
    with pytest.raises(InputError, match=r"x: mqtt\.base_topic: expected letters, digits"):
        parse(changed("mqtt.base_topic", topic), Firmware, where="x")


@pytest.mark.parametrize("source", ["mic", "mic:USB Audio", "file:a.wav", "file:/srv/a?speed=max", "stdin"])
def test_sources(source: str) -> None:
    assert parse(changed("sources.0.source", source), Firmware, where="x").sources[0].source == source


@pytest.mark.parametrize("source", ["", "mic:", "file:", "microphone", "stdin:x", "http://x", "mic\n", "Mic"])
def test_what_is_no_source(source: str) -> None:
    with pytest.raises(InputError, match="expected 'mic', 'mic:NAME', 'file:PATH' or 'stdin', found "):
        parse(changed("sources.0.source", source), Firmware, where="x")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("mqtt.port", 0),
        ("mqtt.port", 65536),
        ("mqtt.keepalive_s", 4),
        ("mqtt.username", ""),
        ("threads", 0),
        ("threads", 17),
        ("health_interval_s", 0),
        ("state_interval_s", -0.1),
        ("state_interval_s", float("nan")),
        ("sources", []),
        ("sources.0.channel", -1),
        ("sources.0.channel", "left"),
        ("sources.0.decision", {"enter": 0}),
        ("sources.0.decision", {"exit_fraction": 1.1}),
        ("sources.0.decision", {"threshold": float("inf")}),
        ("log", {"level": "chatty"}),
        ("log", {"colour": True}),
    ],
)
def test_impossible_values(place: str, value: object) -> None:
    with pytest.raises(InputError, match=r"^x: "):
        parse(changed(place, value), Firmware, where="x")


def test_sources_need_names_of_their_own() -> None:
    source = SMALLEST["sources"][0]
    message = r"^x: sources: expected a name of its own for each, found pump-3 more than once$"
    with pytest.raises(InputError, match=message):
        parse(changed("sources", [source, source]), Firmware, where="x")


def test_only_one_source_reads_standard_input() -> None:
    sources = [{"name": name, "bundle": "b.easd", "source": "stdin"} for name in ("a", "b")]
    with pytest.raises(InputError, match=r"^x: sources: expected at most one that reads stdin, found several$"):
        parse(changed("sources", sources), Firmware, where="x")


def test_a_password_needs_a_username() -> None:
    with pytest.raises(InputError, match=r"^x: mqtt: password_file goes with a username, found none"):
        parse(changed("mqtt.password_file", "pw"), Firmware, where="x")
    assert Mqtt(host="b", username="u", password_file="pw").password_file == "pw"


@pytest.mark.parametrize("given", ["cert_file", "key_file"])
def test_certificate_and_key_belong_together(given: str) -> None:
    with pytest.raises(InputError, match=r"^x: mqtt\.tls: cert_file and key_file belong together, found no "):
        parse(changed("mqtt.tls", {given: "a.pem"}), Firmware, where="x")
    assert Tls(cert_file="a.pem", key_file="b.pem").ca_file is None


def test_settings_survive_a_round_trip_through_json() -> None:
    firmware = parse(SMALLEST, Firmware, where="x")
    assert msgspec.json.decode(msgspec.json.encode(firmware), type=Firmware) == firmware
    assert isinstance(firmware.sources[0], Source)
