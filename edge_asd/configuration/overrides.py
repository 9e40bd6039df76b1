"""Single settings given outside the file: environment variables and `KEY=VALUE` options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from edge_asd.configuration.shapes import Place, accepts, child, chosen, dotted, fields_of, is_record
from edge_asd.configuration.words import shown
from edge_asd.configuration.yaml_text import parse_value
from edge_asd.errors import InputError

PREFIX = "EDGE_ASD__"
"""What an environment variable that overrides a setting begins with."""


class Override(NamedTuple):
    """One setting and its value, as given."""

    origin: str
    """The variable or option, as errors name it."""
    parts: tuple[str, ...]
    """Keys and list indices from the outermost inwards."""
    text: str
    """The value, unparsed."""


class Applied(NamedTuple):
    """A document with its overrides in place."""

    data: Any
    origins: dict[Place, str]
    """Where each override stands in `data`, and what it was given by."""

    def origin_of(self, path: Place) -> str | None:
        """Return the override that put a value at, above or below `path`; None where the file did."""
        related = [place for place in self.origins if place == path[: len(place)] or path == place[: len(path)]]
        return self.origins[related[-1]] if path and related else None


def from_environment(environ: Mapping[str, str]) -> list[Override]:
    """Collect the overrides of an environment: `EDGE_ASD__MQTT__PORT=8883`, in letters of either case.

    Raises
    ------
    InputError
        When a variable with the prefix names no setting, or two name the same.
    """
    found: dict[tuple[str, ...], Override] = {}
    for name in sorted(environ):
        if name.upper().startswith(PREFIX):
            parts = tuple(name[len(PREFIX) :].lower().split("__"))
            if "" in parts:
                raise InputError(name, expected=f"a name such as {PREFIX}MQTT__PORT", found="an empty part")
            if parts in found:
                raise InputError(name, expected="each setting once", found=f"{found[parts].origin} as well")
            found[parts] = Override(name, parts, environ[name])
    return [found[parts] for parts in sorted(found)]


def from_options(options: Iterable[str]) -> list[Override]:
    """Read overrides such as `detector.components=8` or `sources[0].channel=mix`.

    Raises
    ------
    InputError
        When one is not of the form KEY=VALUE.
    """
    return [_from_option(option) for option in options]


def _from_option(option: str) -> Override:
    key, equals, text = option.partition("=")
    parts = tuple(re.sub(r"\[(\d+)\]", r".\1", key.strip()).split("."))
    if not equals or "" in parts:
        raise InputError("override", expected="KEY=VALUE, such as detector.components=8", found=shown(option))
    return Override(f"{key.strip()}=…", parts, text)


def apply(data: Any, overrides: Iterable[Override], type_: Any = Any) -> Applied:
    """Put overrides into plain data; later ones win. `data` itself is left as it was.

    Parameters
    ----------
    data
        Mappings, lists and scalars.
    overrides
        What to set.
    type_
        The settings type that `data` is meant to be; where a setting takes text, `123` then stays text.

    Raises
    ------
    InputError
        When an override goes through a value that is neither mapping nor list, or beyond the end of a list.
    """
    origins: dict[Place, str] = {}
    for override in overrides:
        path, annotation = _locate(data, override, type_)
        data = _replaced(data, path, _value(override, annotation))
        origins[path] = override.origin
    return Applied(data, origins)


def _locate(data: Any, override: Override, type_: Any) -> tuple[Place, Any]:
    path: Place = ()
    for part in override.parts:
        data = {} if data is None else data
        key = _key(data, part, type_, override, path)
        type_ = child(type_, data, key)
        data = data[key] if isinstance(key, int) else data.get(key)
        path = (*path, key)
    return path, type_


def _key(data: Any, part: str, type_: Any, override: Override, path: Place) -> str | int:
    if isinstance(data, list):
        if part.isdecimal() and int(part) < len(data):
            return int(part)
        last = len(data) - 1
        expected = f"an entry of {dotted(path)}, counted 0 to {last}" if data else f"entries in {dotted(path)}"
        raise InputError(override.origin, expected=expected, found=repr(part) if data else "an empty list")
    if isinstance(data, dict):
        record = chosen(type_, data)
        return _same_key(part, [*data, *(fields_of(record) if is_record(record) else ())])
    raise InputError(override.origin, expected=f"a mapping or list at {dotted(path)}", found=shown(data, path))


def _same_key(part: str, known: list[str]) -> str:
    if part in known:
        return part
    return next((key for key in known if key.lower() == part.lower()), part)


def _value(override: Override, annotation: Any) -> Any:
    value = parse_value(override.text, override.origin)
    text = override.text.strip()
    takes_only_text = annotation is not Any and not accepts(value, annotation) and accepts(text, annotation)
    return text if takes_only_text else value


def _replaced(data: Any, path: Place, value: Any) -> Any:
    # Copied along the path: aliases in the file may share one mapping between several places.
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(data, list) and isinstance(key, int):
        return [_replaced(item, rest, value) if index == key else item for index, item in enumerate(data)]
    mapping = data or {}
    return {**mapping, key: _replaced(mapping.get(key), rest, value)}
