"""What a settings type is made of: members of a union, fields of a record, and which of them a value is meant for."""

from __future__ import annotations

import math
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

Place = tuple[str | int, ...]
"""Where a value stands in a document: keys and list indices from the outermost value inwards."""


def dotted(path: Place) -> str:
    """Return a path as users write it, such as `sources[0].bundle`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def accepts(value: Any, annotation: Any) -> bool:
    """Tell whether `value` converts to `annotation`, all of its numbers being finite."""
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return False
    return all_finite(value)


def all_finite(value: Any) -> bool:
    """Tell whether neither NaN nor infinity stands anywhere in plain data."""
    if isinstance(value, dict):
        return all(map(all_finite, value.values()))
    if isinstance(value, list):
        return all(map(all_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def members(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union, or the annotation itself; each without its outer `Annotated`."""
    if get_origin(annotation) is Annotated:
        annotation = annotation.__origin__
    if get_origin(annotation) in {Union, types.UnionType}:
        for member in get_args(annotation):
            yield from members(member)
    else:
        yield annotation


def is_record(annotation: Any) -> bool:
    """Tell whether an annotation is a settings record."""
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def records(annotation: Any) -> list[type[msgspec.Struct]]:
    """Return the settings records among the members of an annotation."""
    return [member for member in members(annotation) if is_record(member)]


def tag_of(record: type[msgspec.Struct]) -> tuple[str, str] | None:
    """Return the key and value that tell a record of a union apart, such as `("kind", "pca")`; None where untagged."""
    config = record.__struct_config__
    return None if config.tag_field is None else (config.tag_field, str(config.tag))


def fields_of(record: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """Return a record's fields by the key they have in a document."""
    return {field.encode_name: field for field in msgspec.structs.fields(record)}


def chosen(annotation: Any, value: Any) -> Any:
    """Return the member of `annotation` that a mapping or list is meant to be, or None where none or several could be.

    Among tagged records the tag decides.
    """
    origins: tuple[type, ...] = (dict,) if isinstance(value, dict) else (list, tuple) if isinstance(value, list) else ()
    fitting = [member for member in members(annotation) if (get_origin(member) or member) in origins]
    if isinstance(value, dict):
        candidates = records(annotation)
        fitting += [record for record in candidates if _is_meant(record, value, alone=len(candidates) == 1)]
    return fitting[0] if len(fitting) == 1 else None


def _is_meant(record: type[msgspec.Struct], value: Mapping[str, Any], *, alone: bool) -> bool:
    tag = tag_of(record)
    if tag is None or (alone and tag[0] not in value):
        return alone
    return bool(value.get(tag[0]) == tag[1])


def child(annotation: Any, value: Any, key: str | int) -> Any:
    """Return the annotation of what stands under `key` of `value`; `Any` where the type does not say."""
    member = chosen(annotation, value)
    if is_record(member):
        field = fields_of(member).get(str(key))
        return Any if field is None else field.type
    arguments = get_args(member)
    if not arguments:
        return Any
    if get_origin(member) is tuple and arguments[-1] is not ...:
        return arguments[int(key)] if int(key) < len(arguments) else Any
    return arguments[1] if isinstance(value, dict) else arguments[0]
