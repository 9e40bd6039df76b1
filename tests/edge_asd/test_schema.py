"""Generated JSON schemas and reference: complete, of one mind with msgspec, and fresh."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asd.configuration import parse
from edge_asd.configuration.documents import DOCUMENTS, Document
from edge_asd.configuration.faults import BrokenRuleError
from edge_asd.errors import InputError
from edge_asd.publish import payload_schemas
from edge_asd.publish.schemas import PAYLOADS, Payload
from edge_asd.schema import generated, json_schema, main, message_schema, messages, reference

FIRMWARE: dict[str, Any] = {
    "device": "d",
    "mqtt": {"host": "b", "tls": {"ca_file": "ca.pem"}, "username": None},
    "sources": [
        {"name": "a", "bundle": "a.easd", "source": "mic", "decision": {"enter": 3, "threshold": 4}},
        {"name": "b", "bundle": "b.easd", "source": "file:x", "channel": "mix"},
    ],
    "log": {"level": "debug"},
}
RECIPE: dict[str, Any] = {
    "name": "plant/bands",
    "branches": {
        "a": {
            "front_end": {"kind": "log-mel", "n_mels": 16, "log": {"kind": "db"}},
            "pooling": ["mean", {"kind": "gwrp"}],
        },
        "b": {
            "front_end": {"kind": "rms", "hop_length": 256},
            "patch": {"frames": 5},
            "pooling": "none",
            "transform": {"standardize": True, "pca": 0.9},
        },
    },
    "parts": {
        "p": {
            "branches": ["a"],
            "detector": {"kind": "gmm", "components": 2},
            "aggregation": {"kind": "quantile", "q": 1},
        },
        "q": {"branches": ["b"], "detector": {"kind": "knn", "bank": None}, "enabled": False},
    },
    "threshold": {"rule": "gamma"},
}
GOOD = {"firmware": FIRMWARE, "recipe": RECIPE}
VALUES: list[Any] = [
    None,
    True,
    0,
    1,
    3,
    -1,
    0.5,
    1.5,
    1e9,
    "",
    "a",
    "b",
    "mix",
    "none",
    "gamma",
    "a b",
    "a\n",
    [],
    ["a"],
]
VALUES += [{}, {"kind": "gmm"}, {"kind": "mean"}, {"kind": "nothing"}, {"ca_file": "x", "extra": 1}, [1, 2], [None]]


def is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# JSON cannot tell 3.0 from 3, YAML and msgspec can: an integer is written without a point.
StrictValidator: type[jsonschema.Draft202012Validator] = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer),
)


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    return StrictValidator(next(json_schema(document) for document in DOCUMENTS if document.name == name))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, list):
        return [changed(item, path[1:], new) if index == path[0] else item for index, item in enumerate(value)]
    return {**value, path[0]: changed(value.get(path[0]), path[1:], new)}


def added(value: Any, path: tuple[Any, ...], key: str) -> Any:
    """Put a new key into the mapping at `path`; where there is none, change nothing."""
    inner = value
    for step in path:
        inner = inner[step]
    return changed(value, path, {**inner, key: 1}) if isinstance(inner, dict) and key not in inner else value


def removed(value: Any, path: tuple[Any, ...]) -> Any:
    if len(path) == 1 and isinstance(value, dict):
        return {key: item for key, item in value.items() if key != path[0]}
    if not path or isinstance(value, list):
        return value if len(path) < 2 else changed(value, path[:1], removed(value[path[0]], path[1:]))
    return {**value, path[0]: removed(value[path[0]], path[1:])}


def verdict(document: Document, data: dict[str, Any]) -> bool | None:
    """Whether the settings take a document; None where only a rule between settings, beyond any schema, is broken."""
    try:
        parse(data, document.record, where="x")
    except BrokenRuleError:
        return None
    except InputError:
        return False
    return True


def assert_of_one_mind(document: Document, data: Any) -> None:
    if isinstance(data, dict):
        assert verdict(document, data) in {None, validator(document.name).is_valid(data)}, data


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_schemas_are_valid_and_allow_what_is_good(document: Document) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(document))
    parse(GOOD[document.name], document.record, where="x")
    validator(document.name).validate(GOOD[document.name])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_schema_and_settings_agree_on_every_single_change(document: Document) -> None:
    good = GOOD[document.name]
    for path in places(good):
        assert_of_one_mind(document, removed(good, path))
        for value in VALUES:
            assert_of_one_mind(document, changed(good, path, value))
        for key in ("unknown_key", "kind"):
            assert_of_one_mind(document, added(good, path, key))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
@given(data=st.data())
def test_schema_and_settings_agree_on_several_changes(document: Document, data: st.DataObject) -> None:
    changing: Any = GOOD[document.name]
    for _ in range(data.draw(st.integers(1, 4))):
        if not isinstance(changing, dict):
            break
        path = data.draw(st.sampled_from(places(changing)))
        value = data.draw(st.sampled_from(VALUES) | st.integers(-2, 70000) | st.floats(-1, 2) | st.text(max_size=5))
        changing = changed(changing, path, value)
    assert_of_one_mind(document, changing)


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{name}.{key}": inner
        for name, component in schema["$defs"].items()
        for key, inner in component.get("properties", {}).items()
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_setting_is_described(document: Document) -> None:
    silent = [
        name
        for name, inner in properties(json_schema(document)).items()
        if not name.endswith(".kind") and not inner.get("description")
    ]
    assert silent == []


def test_the_reference_names_every_setting_with_its_form_default_and_meaning() -> None:
    text = reference()
    for row in (
        "| `mqtt.port` | an integer 1\N{EN DASH}65535 | `1883` | TCP port; 8883 is usual with TLS. |",
        "| `mqtt.host` | a host name or an address alone, such as broker.local | **required** | Name or address of",
        "| `sources[].decision.enter` | an integer ≥ 1 | `1` | ",
        "### `parts.NAME.detector` with `kind: gmm`",
        "| `components` | an integer ≥ 1 | `20` | Number of Gaussians; of a Bayesian mixture the largest. |",
    ):
        assert row in text
    for document in DOCUMENTS:
        for name in properties(json_schema(document)):
            key = name.partition(".")[2]
            assert f"`{key}`" in text or f".{key}`" in text or key == "kind", name
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.name)
def test_every_key_of_a_message_is_described_in_schema_and_reference(payload: Payload) -> None:
    schema = message_schema(payload)
    jsonschema.Draft202012Validator.check_schema(schema)
    keys = properties(schema)
    assert [key for key, inner in keys.items() if not key.endswith(".schema") and not inner.get("description")] == []
    chapter = messages().partition(f"\n## {payload.name.capitalize()}: ")[2].partition("\n## ")[0]
    own = {record.__name__ for record in (payload.record, *payload.answers)}
    for record, _, key in (name.partition(".") for name in keys):
        assert record not in own or f"`{key}`" in chapter, key


def test_what_is_counted_since_a_reload_is_not_said_to_be_counted_since_the_start() -> None:
    rows = [row.split("`")[1] for row in messages().splitlines() if "since the start" in row or "daemon started" in row]
    assert {key.removeprefix("health.") for key in rows} == {"uptime_s", "reloads.done", "reloads.refused"}
    for words in ("The listening to one begins", "The publishing begins"):
        assert words in messages()


def test_what_is_shipped_is_what_messages_are_held_against() -> None:
    def without_words(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_words(item) for key, item in value.items() if key not in {"description", "title"}}
        return [without_words(item) for item in value] if isinstance(value, list) else value

    folder = Path(str(resources.files("firmware_configs")))
    for name, schema in payload_schemas().items():
        shipped = json.loads((folder / f"mqtt-{name.split('/')[1]}.schema.json").read_text(encoding="utf-8"))
        assert without_words(shipped) == without_words(schema)


def test_generated_files_are_fresh() -> None:
    folder = Path(str(resources.files("firmware_configs")))
    stale = [name for name, text in generated().items() if (folder / name).read_text(encoding="utf-8") != text]
    assert stale == [], "write them anew: python -m edge_asd.schema"


def test_one_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / name) for name in generated()]
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == generated()
    assert json.loads((tmp_path / "firmware.schema.json").read_text())["$ref"] == "#/$defs/Firmware"


def test_a_missing_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == 2
    assert "expected a folder to write into, found none" in capsys.readouterr().err
