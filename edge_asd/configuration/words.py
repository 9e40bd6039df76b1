"""Types and values in words, as error lines and the generated reference use them."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import inspect

from edge_asd.configuration.shapes import Place

_LONGEST_SHOWN = 40
_SECRET = re.compile(r"passw|passphrase|secret|token|credential|key_file|private|api_?key", re.IGNORECASE)
_USER_INFO = re.compile(r"[^/\s]*@")
_HIDDEN = "…"
_DASH = "\N{EN DASH}"


def expected(annotation: Any, *, keys: bool = True) -> str:
    """Say what a type takes, such as `an integer above 0`.

    Parameters
    ----------
    annotation
        A type as msgspec takes it.
    keys
        Whether to list the keys of a record.
    """
    info = inspect.type_info(annotation)
    if keys and isinstance(info, inspect.StructType):
        return f"a mapping with {one_of(_keys(info), 'any')}"
    return _words(info)


def shown(value: Any, path: Place = ()) -> str:
    """Say what a value is, briefly; neither one under a key that sounds like a secret nor a URL's password is shown."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if is_secret(path):
        return "a value that is not shown here"
    return _shown_text(value) if isinstance(value, str) else _shown_scalar(value)


def is_secret(path: Place) -> bool:
    """Tell whether a value at `path` may be a secret, by the names of its keys."""
    return any(_SECRET.search(key) for key in path if isinstance(key, str))


def one_of(values: Iterable[Any], which: str = "one") -> str:
    """List values to choose from."""
    return f"{which} of " + ", ".join(value if isinstance(value, str) else _shown_scalar(value) for value in values)


def did_you_mean(found: Any, known: Iterable[str]) -> str:
    """Ask after the name that was perhaps meant; nothing where none is like the one that was found."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(found).lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]!r}?" if close else ""


def _shown_text(text: str) -> str:
    masked = _USER_INFO.sub(f"{_HIDDEN}@", text)
    return repr(masked if len(masked) <= _LONGEST_SHOWN else f"{masked[: _LONGEST_SHOWN - 1]}…")


def _shown_scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and abs(value) == float("inf"):
        return "-.inf" if value < 0 else ".inf"
    if isinstance(value, float) and math.isnan(value):
        return ".nan"
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to write out thousands of digits
        return f"an integer of about {value.bit_length() * 0.30103:.0f} digits"
    return str(value)


def _keys(info: inspect.StructType) -> list[str]:
    tag = [] if info.tag_field is None else [info.tag_field]
    return tag + [field.encode_name for field in info.fields]


def _words(info: inspect.Type) -> str:
    if isinstance(info, inspect.Metadata):
        form = (info.extra_json_schema or {}).get("description")
        return str(form) if form and isinstance(info.type, inspect.StrType) else _words(info.type)
    if isinstance(info, inspect.StructType):
        return "a mapping"
    say = _SAY.get(type(info))
    if say is None:
        raise TypeError(f"settings hold no values of the kind {type(info).__name__}")
    return say(info)


def _integer(info: inspect.IntType) -> str:
    return "an integer" + _range(info)


def _number(info: inspect.FloatType) -> str:
    return "a number" + _range(info)


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    step = "" if info.multiple_of is None else f", a multiple of {_figure(info.multiple_of)}"
    if info.ge is not None and info.le is not None:
        return f" {_figure(info.ge)}{_DASH}{_figure(info.le)}{step}"
    bounds = [("≥", info.ge), ("above", info.gt), ("≤", info.le), ("below", info.lt)]
    said = " and ".join(f"{word} {_figure(bound)}" for word, bound in bounds if bound is not None)
    return f" {said}{step}" if said else step


def _figure(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _text(info: inspect.StrType) -> str:
    if info.pattern is not None:
        return f"text that matches {info.pattern}"
    if info.min_length == 1 and info.max_length is None:
        return "non-empty text"
    return "text" + _count(info.min_length, info.max_length, "characters")


def _count(least: int | None, most: int | None, unit: str) -> str:
    if least is not None and most is not None:
        return f" of {least} {unit}" if least == most else f" of {least}{_DASH}{most} {unit}"
    if least == 1:
        return f" of one or more {unit}"
    if least is None and most is None:
        return ""
    return f" of at least {least} {unit}" if most is None else f" of at most {most} {unit}"


def _choice(info: inspect.LiteralType) -> str:
    return repr(info.values[0]) if len(info.values) == 1 else one_of(info.values)


def _sequence(info: inspect.CollectionType) -> str:
    return f"a list{_count(info.min_length, info.max_length, 'entries')}, each {_words(info.item_type)}"


def _fixed_sequence(info: inspect.TupleType) -> str:
    return f"a list of {len(info.item_types)}: " + ", ".join(map(_words, info.item_types))


def _mapping(info: inspect.DictType) -> str:
    count = _count(info.min_length, info.max_length, "names")
    return f"a mapping{count or ' of names'}, each with {_words(info.value_type)}"


def _union(info: inspect.UnionType) -> str:
    plain = [member for member in info.types if not isinstance(member, inspect.StructType | inspect.NoneType)]
    records = [member for member in info.types if isinstance(member, inspect.StructType)]
    said = [_words(member) for member in plain]
    if len(records) > 1:
        said.append(f"a mapping whose {records[0].tag_field} is {one_of(record.tag for record in records)}")
    elif records:
        said.append(_words(records[0]))
    return " or ".join(said)


_SAY: dict[type[inspect.Type], Callable[[Any], str]] = {
    inspect.AnyType: lambda _: "any value",
    inspect.NoneType: lambda _: "nothing",
    inspect.BoolType: lambda _: "true or false",
    inspect.IntType: _integer,
    inspect.FloatType: _number,
    inspect.StrType: _text,
    inspect.LiteralType: _choice,
    inspect.ListType: _sequence,
    inspect.VarTupleType: _sequence,
    inspect.TupleType: _fixed_sequence,
    inspect.DictType: _mapping,
    inspect.UnionType: _union,
}
