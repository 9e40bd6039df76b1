"""Strict YAML: what text means, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_asd.configuration.yaml_text import parse_mapping, parse_value
from edge_asd.errors import InputError

plain_text = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc", "Cs"]), max_size=20)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(plain_text, plain_values, max_size=5))
def test_json_is_read_as_json_reads_it(document: dict[str, Any]) -> None:
    # JSON is YAML 1.2, so Python's own JSON reader is the reference.
    assert parse_mapping(json.dumps(document, ensure_ascii=False), "x") == document


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("true", True),
        ("False", False),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("-3.", -3.0),
        ("+7", 7),
        ("12:30", "12:30"),
        ("1:2:3.5", "1:2:3.5"),
        ("2026-01-05", "2026-01-05"),
        ("1_000", "1_000"),
        ("~", None),
        ("null", None),
        ("", None),
        ("-.inf", -math.inf),
        (".INF", math.inf),
        ("0b11", "0b11"),
        ("1e", "1e"),
        ("=", "="),
        ("!!str 12", "12"),
        ("'12'", "12"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(scalar: str, value: object) -> None:
    found = parse_mapping(f"x: {scalar}", "x")["x"]
    assert found == value
    assert type(found) is type(value)


def test_merge_keys_and_aliases_share_settings() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a"
    assert parse_mapping(text, "x") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: 1\nb: 2\na: 3",
            "x: line 3: expected each key once, found 'a' again (first on line 1); remove one of them",
        ),
        ("a: {b: 1, b: 2}", "x: line 1: expected each key once, found 'b' again (first on line 1); remove one of them"),
        ("a: 1\n7: 2", "x: line 2: expected a text as key, found '7'; put it in quotes"),
        ("? [a]\n: 1", "x: line 1: expected a text as key, found a list or mapping; put it in quotes"),
        ("", "x: expected a mapping of settings ('key: value' lines), found nothing"),
        ("# all of it is a comment", "x: expected a mapping of settings ('key: value' lines), found nothing"),
        ("- a", "x: expected a mapping of settings ('key: value' lines), found a list"),
        ("text", "x: expected a mapping of settings ('key: value' lines), found a single value"),
        ("a: b: c", "x: line 1, column 5: expected valid YAML, found a fault: mapping values are not allowed here;"),
        ("a:\n\t- b", "indent with spaces, not tabs"),
        ("a: [1", "close every bracket and quote that is opened"),
        ("a: 1\n b: 2", "x: line 2, column 3: expected valid YAML"),
        ("a: 1\n---\nb: 2", "leave one document in the file"),
        ("a: *nowhere", "put a text that begins with '*' in quotes"),
        ("a: !!python/object/apply:os.system [ls]", "use plain values only"),
        ("a: !!binary aGk=", "use plain values only"),
        ("a: !!int few", "x: expected valid YAML, found invalid literal for int() with base 10: 'few'"),
        ("a: !!bool few", "x: expected valid YAML, found 'few' as a boolean"),
        ("a: \x07", "x: expected YAML text, found a control character"),
        ("a: &a [*a]", "x: expected at most 20000 values, nested 32 deep, found far more, or a value inside itself"),
        ("a: &a {b: *a}", "a value inside itself"),
        ("[" * 5000, "nested 32 deep"),
        ("a: " + "[" * 40 + "]" * 40, "nested 32 deep"),
        ("a: " + "9" * 5000, "x: expected valid YAML, found an integer of 5000 digits"),
        ("a: 0x" + "f" * 5000, "x: expected valid YAML, found an integer of 5002 digits"),
        ('a: "b\\0"', "x: line 1, column 4: expected valid YAML, found a fault: a text with \\u0000 in it, which"),
        ('a: 1\n"\\ud83d": 1', "x: line 2, column 1: expected valid YAML, found a fault: a text with \\ud83d in it"),
    ],
)
def test_bad_yaml_is_told_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_mapping(text, "x")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_that_unfold_to_billions_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(InputError, match="at most 20000 values"):
        parse_mapping("\n".join(lines), "x")
    merged = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    with pytest.raises(InputError, match="at most 20000 values"):
        parse_mapping("\n".join(merged), "x")


def test_a_name_of_the_system_that_is_no_text_passes_as_it_is() -> None:
    assert parse_value("caf\udce9.spool", "EDGE_ASD__SPOOL__PATH") == "caf\udce9.spool"


@given(st.text(max_size=60))
@example("a: \ud800")
@example("%YAML 9.9\n---\na: 1")
@example("!!merge a: 1")
@example("<<: 1")
@example("!!float x: 1")
@example("a: !!float {}")
@example("a: !!map x")
def test_no_text_raises_anything_but_an_input_error(text: str) -> None:
    try:
        message = f"{type(parse_mapping(text, 'x'))}"
    except InputError as error:
        message = str(error)
    assert message == "<class 'dict'>" or (message.startswith("x: ") and "\n" not in message)
