"""What is wrong with a document, where, and how to mend it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from edge_asd.configuration import parse
from edge_asd.configuration.faults import BrokenRuleError
from edge_asd.errors import InputError
from edge_asd.firmware import Firmware
from edge_asd.settings import PositiveInt, Settings

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
UNKNOWN = (
    "expected one of host, port, username, password_file, version, tls, base_topic, keepalive_s, acknowledge_s, "
    "reconnect_max_s, commands, home_assistant, found unknown key 'prot'; did you mean 'port'?"
)


class Ladder(Settings, tag_field="kind", tag="ladder"):
    rungs: PositiveInt
    """Number of rungs."""


class Rope(Settings, tag_field="kind", tag="rope"):
    metres: Annotated[float, Meta(gt=0, le=100)] = 10.0
    """Length."""
    knots: list[PositiveInt] = msgspec.field(default_factory=list)
    """Where the knots are."""


class Kit(Settings):
    name: Annotated[str, Meta(min_length=2)]
    """Name of the kit; on its label."""
    climb: Ladder | Rope
    """How to get up."""
    spare: Rope | None = None
    """Another rope."""
    by_floor: dict[Annotated[str, Meta(pattern="^[a-z]+$", description="lower-case letters")], Ladder | Rope] = (
        msgspec.field(default_factory=dict)
    )
    """One for each floor."""
    ready: bool = False
    """Whether it can be used."""
    colour: Literal["red", "green"] | PositiveInt = "red"
    """Colour, by name or number."""
    corner: tuple[float, float] = (0.0, 0.0)
    """Where it stands."""
    pin: str = "0000"
    """Number of the lock."""
    token: str | None = None
    """Lets one in."""

    def __post_init__(self) -> None:
        if self.spare is not None and isinstance(self.climb, Ladder):
            raise ValueError("spare goes with a rope")


def fault_of(text: str, record: type[Any] = Firmware) -> str:
    with pytest.raises(InputError) as caught:
        parse(text, record, where="firmware.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()
    return message


def kit(text: str) -> str:
    return fault_of(f"name: ab\nclimb: {{kind: rope}}\n{text}", Kit).removeprefix("firmware.yaml: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("port: 1883", "port: tls", f"mqtt.port: expected an integer 1{DASH}65535, found 'tls'"),
        ("port: 1883", "prot: 1883", f"mqtt.prot: {UNKNOWN}"),
        (
            "host: broker.local, ",
            "",
            "mqtt.host: expected the name or address of the broker, found nothing; add 'host: …' under mqtt",
        ),
        ("pump-hall-07", "hall#7", f"device: expected 1{DASH}64 letters, digits, '_' or '-', found 'hall#7'"),
        ("pump-hall-07", "hall/7", f"device: expected 1{DASH}64 letters, digits, '_' or '-', found 'hall/7'"),
        (
            "device: pump-hall-07\n",
            "",
            "device: expected the id of the device, found nothing; add 'device: …' to the file",
        ),
        ("1883", '"1883"', f"mqtt.port: expected an integer 1{DASH}65535, found '1883'; write it without quotes"),
        ("1883", "70000", f"mqtt.port: expected an integer 1{DASH}65535, found 70000"),
        ("1883", "1883.5", f"mqtt.port: expected an integer 1{DASH}65535, found 1883.5"),
        (
            "pump-hall-07",
            "007",
            f"device: expected 1{DASH}64 letters, digits, '_' or '-', found 7; put it in quotes, so that it is text",
        ),
        (
            "pump-hall-07",
            "true",
            f"device: expected 1{DASH}64 letters, digits, '_' or '-', found true; put it in quotes, so that it is text",
        ),
        (
            "  - {",
            "  {",
            "sources: expected a list of one or more entries, each a mapping, found a mapping; begin each entry of",
        ),
        (
            "bundle: pump-3.easd, ",
            "",
            "sources[0].bundle: expected the bundle file, relative to the configuration file, found nothing; add",
        ),
        (
            "name: pump-3",
            "name: pump 3",
            f"sources[0].name: expected 1{DASH}64 letters, digits, '_' or '-', and neither 'request' nor 'response'",
        ),
    ],
)
def test_a_fault_names_its_key_what_was_expected_and_what_was_found(old: str, new: str, message: str) -> None:
    assert old in FIRMWARE
    assert fault_of(FIRMWARE.replace(old, new)).startswith(f"firmware.yaml: {message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ready: on", "ready: expected true or false, found 'on'; write true or false"),
        ("ready: 1", "ready: expected true or false, found 1"),
        ("colour: gren", "colour: expected one of green, red or an integer ≥ 1, found 'gren'; did you mean 'green'?"),
        ("colour: 0", "colour: expected one of green, red or an integer ≥ 1, found 0"),
        ("colour: [red]", "colour: expected one of green, red or an integer ≥ 1, found a list"),
        ("pin: 1234", "pin: expected text, found 1234; put it in quotes, so that it is text"),
        (
            "spare: {metres: .nan}",
            "spare.metres: expected a number above 0 and ≤ 100, found .nan; give a finite number",
        ),
        (
            "spare: {metres: -.inf}",
            "spare.metres: expected a number above 0 and ≤ 100, found -.inf; give a finite number",
        ),
        ("spare: {metres: 101}", "spare.metres: expected a number above 0 and ≤ 100, found 101"),
        ("spare: {knots: 3}", "spare.knots: expected a list, each an integer ≥ 1, found 3; put it in square brackets"),
        ("spare: {knots: [3, 0]}", "spare.knots[1]: expected an integer ≥ 1, found 0"),
        ("spare: {kind: chain}", "spare.kind: expected one of rope, found 'chain'"),
        ("spare: 7", "spare: expected a mapping, found 7"),
        ("by_floor: {a: {kind: lader, rungs: 3}}", "by_floor.a.kind: expected one of ladder, rope, found 'lader'; "),
        (
            "by_floor: {a: {rungs: 3}}",
            "by_floor.a.kind: expected one of ladder, rope, found nothing; add 'kind: …' under ",
        ),
        (
            "by_floor: {a: {kind: ladder}}",
            "by_floor.a.rungs: expected the number of rungs, found nothing; add 'rungs: …'",
        ),
        ("by_floor: {a: {kind: ladder, rungs: no}}", "by_floor.a.rungs: expected an integer ≥ 1, found 'no'"),
        ("by_floor: {A: {kind: rope}}", "by_floor.A: expected a name of lower-case letters, found 'A'"),
        ("by_floor: {a: rope}", "by_floor.a: expected a mapping whose kind is one of ladder, rope, found 'rope'"),
        ("corner: [1]", "corner: expected a list of 2: a number, a number, found a list"),
        ("corner: [1, x]", "corner[1]: expected a number, found 'x'"),
        ("corner: [1, .inf]", "corner[1]: expected a number, found .inf; give a finite number"),
    ],
)
def test_faults_inside_unions_mappings_and_lists(line: str, message: str) -> None:
    assert kit(line).startswith(message)


def test_a_wrong_value_is_told_before_a_missing_one() -> None:
    assert fault_of("name: ab\nclimb: {kind: ladder, rungs: x}\nready: 3", Kit).startswith("firmware.yaml: climb.rungs")
    assert fault_of("mqtt: {port: tls}").startswith("firmware.yaml: mqtt.port")


def test_a_broken_rule_is_told_with_its_place() -> None:
    text = "name: ab\nclimb: {kind: ladder, rungs: 3}\nspare: {}"
    assert fault_of(text, Kit) == "firmware.yaml: spare goes with a rope"
    with pytest.raises(BrokenRuleError) as caught:
        parse(FIRMWARE.replace("port: 1883", "tls: {cert_file: a.pem}"), Firmware, where="firmware.yaml")
    assert str(caught.value).startswith("firmware.yaml: mqtt.tls: cert_file and key_file belong together")
    assert caught.value.exit_status == 2


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Documents of which most have a fault somewhere."""
    good = {
        "name": "ab",
        "climb": {"kind": "rope"},
        "spare": {"knots": [1, 2]},
        "by_floor": {"a": {"kind": "ladder", "rungs": 3}, "b": {"kind": "rope", "metres": 3}},
        "corner": [1, 2.5],
    }
    keys = st.sampled_from([*good, "kind", "knots", "rungs", "metres", "ready", "colour", "pin", "a", 0, 1, "other"])
    values = plain_values | st.sampled_from(
        [math.nan, math.inf, {"kind": "ladder", "rungs": 1}, {"kind": "rope"}, "red"]
    )

    def changed(document: Any, place: list[Any], value: Any) -> Any:
        if not place:
            return value
        if isinstance(document, list):
            return [
                changed(item, place[1:], value) if index == place[0] else item for index, item in enumerate(document)
            ]
        inner = document if isinstance(document, dict) else {}
        return {**inner, str(place[0]): changed(inner.get(str(place[0])), place[1:], value)}

    return st.builds(lambda place, value: changed(good, place, value), st.lists(keys, min_size=1, max_size=3), values)


def all_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(all_finite(item) for item in value.values())
    if isinstance(value, list):
        return all(all_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


@given(documents())
def test_a_document_is_refused_when_msgspec_refuses_it_or_a_number_is_not_finite(document: dict[str, Any]) -> None:
    try:
        wanted = msgspec.convert(document, Kit) if all_finite(document) else None
    except msgspec.ValidationError:
        wanted = None
    if wanted is not None:
        assert parse(document, Kit, where="x") == wanted
        return
    with pytest.raises(InputError, match=r"^x: "):
        parse(document, Kit, where="x")
