"""What is wrong with a document, where, and how to mend it.

msgspec alone decides what fits a type. When a value does not, it is taken apart here until the smallest piece that does
not fit is found, so that an error names that piece; msgspec's own messages lose the keys of mappings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import msgspec

from edge_asd.configuration.meanings import first_clause, meanings
from edge_asd.configuration.shapes import (
    Place,
    accepts,
    all_finite,
    child,
    chosen,
    dotted,
    fields_of,
    is_record,
    members,
    records,
    tag_of,
)
from edge_asd.configuration.words import did_you_mean, expected, is_secret, one_of, shown
from edge_asd.configuration.yaml_text import plain_scalar
from edge_asd.errors import EdgeAsdError, InputError


class BrokenRuleError(InputError):
    """Settings that are each in order and do not go together.

    Parameters
    ----------
    where
        The file and the mapping at fault.
    rule
        The rule, in words.
    """

    def __init__(self, where: str, rule: str) -> None:
        self.where, self.expected, self.found, self.remedy = where, rule, "", ""
        EdgeAsdError.__init__(self, " ".join(f"{where}: {rule}".split()))


@dataclass(frozen=True)
class Fault:
    """One thing that does not fit, at `path`."""

    path: Place
    expected: str
    found: str = ""
    remedy: str = ""
    is_rule: bool = False
    """Whether `expected` is a rule in full, which needs no `found`."""

    def error(self, where: str) -> InputError:
        """Return the error that tells it; `where` is the file."""
        place = f"{where}: {dotted(self.path)}" if self.path else where
        if self.is_rule:
            return BrokenRuleError(place, self.expected)
        return InputError(place, expected=self.expected, found=self.found, remedy=self.remedy)


def first_fault(value: Any, annotation: Any, path: Place = ()) -> Fault | None:
    """Return the first thing about `value` that does not fit `annotation`, or None where all does.

    Parameters
    ----------
    value
        Plain data, as YAML gives it.
    annotation
        A settings record, or the type of one of its fields.
    path
        Where `value` stands in the document.
    """
    if accepts(value, annotation):
        return None
    member = chosen(annotation, value)
    if is_record(member):
        return _fault_in_record(value, member, path)
    if member is None and isinstance(value, dict) and records(annotation):
        return _fault_of_kind(value, records(annotation), path)
    return _fault_inside(value, annotation, path) or _fault_itself(value, annotation, path)


def _fault_inside(value: Any, annotation: Any, path: Place) -> Fault | None:
    member = chosen(annotation, value)
    if member is None:
        return None
    name = next((key for key in value if not _accepts_name(key, member)), None) if isinstance(value, dict) else None
    if name is not None:
        return Fault((*path, name), expected=f"a name of {expected(get_args(member)[0])}", found=shown(name))
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = (first_fault(item, child(annotation, value, key), (*path, key)) for key, item in inner)
    return next((fault for fault in found if fault), None)


def _accepts_name(key: str, member: Any) -> bool:
    return is_record(member) or not get_args(member) or accepts(key, get_args(member)[0])


def _fault_in_record(value: dict[str, Any], record: type[msgspec.Struct], path: Place) -> Fault:
    return (
        _unknown_key(value, record, path)
        or _fault_inside(value, record, path)
        or _missing_key(value, record, path)
        or _broken_rule(value, record, path)
    )


def _unknown_key(value: dict[str, Any], record: type[msgspec.Struct], path: Place) -> Fault | None:
    tag = tag_of(record)
    known = [*([tag[0]] if tag else []), *fields_of(record)]
    key = next((key for key in value if key not in known), None)
    if key is None:
        return None
    if f"{key}_file" in known:
        return _literal_secret(key, path)
    found = f"unknown key {shown(key)}"
    return Fault((*path, key), expected=one_of(known), found=found, remedy=did_you_mean(key, known))


def _literal_secret(key: str, path: Place) -> Fault:
    remedy = f"write it into a file that only the daemon can read, and give that file's path as {key}_file"
    return Fault((*path, key), expected=f"no {key} in a configuration", found="one, not shown here", remedy=remedy)


def _missing_key(value: dict[str, Any], record: type[msgspec.Struct], path: Place) -> Fault | None:
    for key, field in fields_of(record).items():
        if field.required and key not in value:
            meaning = first_clause(meanings(record).get(field.name, "")) or expected(field.type)
            place = f"under {dotted(path)}" if path else "to the file"
            return Fault((*path, key), expected=meaning, found="nothing", remedy=f"add '{key}: …' {place}")
    return None


def _broken_rule(value: dict[str, Any], record: type[msgspec.Struct], path: Place) -> Fault:
    try:
        msgspec.convert(value, record)
    except msgspec.ValidationError as error:
        return Fault(path, expected=str(error.__cause__ or error), is_rule=True)
    raise AssertionError("a record that fits was taken for a fault")  # pragma: no cover


def _fault_of_kind(value: dict[str, Any], candidates: list[type[msgspec.Struct]], path: Place) -> Fault:
    tags = [tag for tag in map(tag_of, candidates) if tag]
    key, kinds = tags[0][0], [kind for _, kind in tags]
    kind = value.get(key)
    remedy = did_you_mean(kind, kinds) if key in value else f"add '{key}: …' under {dotted(path)}"
    return Fault((*path, key), expected=one_of(kinds), found=shown(kind, (*path, key)), remedy=remedy)


def _fault_itself(value: Any, annotation: Any, path: Place) -> Fault:
    remedy = "give the path of a file, not the secret itself" if is_secret(path) else _remedy(value, annotation)
    return Fault(path, expected(annotation), shown(value, path), remedy)


def _remedy(value: Any, annotation: Any) -> str:
    if not all_finite(value):
        return "give a finite number"
    if isinstance(value, str):
        return _remedy_for_text(value, annotation)
    if isinstance(value, bool | int | float) and accepts(str(value), annotation):
        return "put it in quotes, so that it is text"
    if isinstance(value, dict) and accepts([value], annotation):
        return "begin each entry of the list with '- '"
    if value is not None and accepts([value], annotation):
        return "put it in square brackets"
    return ""


def _remedy_for_text(text: str, annotation: Any) -> str:
    if accepts(plain_scalar(text), annotation):
        return "write it without quotes"
    if accepts([text], annotation):
        return "put it in square brackets"
    if accepts(True, annotation):
        return "write true or false"
    choices = [choice for member in members(annotation) if get_origin(member) is Literal for choice in get_args(member)]
    return did_you_mean(text, [choice for choice in choices if isinstance(choice, str)])
