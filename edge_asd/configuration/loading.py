"""From a YAML file to a typed record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge_asd.configuration.faults import first_fault
from edge_asd.configuration.overrides import Override, apply, from_environment, from_options
from edge_asd.configuration.yaml_text import parse_mapping, read_text

T = TypeVar("T", bound=msgspec.Struct)


def load(path: Path, type_: type[T], *, environ: Mapping[str, str] | None = None, overrides: Iterable[str] = ()) -> T:
    """Read a YAML file as settings.

    Parameters
    ----------
    path
        The file.
    type_
        The settings record that it holds.
    environ
        Environment whose `EDGE_ASD__…` variables override what the file says; none where left out.
    overrides
        `KEY=VALUE` options, stronger than both.

    Raises
    ------
    InputError
        When the file cannot be read, or anything in it is unknown, missing, of the wrong type or out of range: the
        first such fault, with the path of the key.
    """
    given = [*from_environment(environ or {}), *from_options(overrides)]
    return _typed(read_mapping(path), type_, str(path), given)


def parse(source: str | Mapping[str, Any], type_: type[T], *, where: str, overrides: Iterable[str] = ()) -> T:
    """Read YAML text, or what it parses to, as settings; `where` names it in errors, which are those of `load`."""
    data = parse_mapping(source, where) if isinstance(source, str) else dict(source)
    return _typed(data, type_, where, from_options(overrides))


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file as plain data.

    Raises
    ------
    InputError
        When it cannot be read, is not YAML, or is not a mapping.
    """
    return parse_mapping(read_text(path), str(path))


def apply_overrides(data: Mapping[str, Any], options: Iterable[str], type_: Any = Any) -> dict[str, Any]:
    """Return a copy of plain data with `KEY=VALUE` options such as `detector.components=8` put in.

    Parameters
    ----------
    data
        What a document holds.
    options
        Keys are joined by dots; list entries are counted from 0 (`sources[0].channel` or `sources.0.channel`). A value
        in brackets, braces or quotes is YAML, else one plain scalar.
    type_
        The settings record that `data` is meant to be; where a setting takes text, `123` then stays text.

    Raises
    ------
    InputError
        When an option is not of that form, or its key leads nowhere.
    """
    return dict(apply(dict(data), from_options(options), type_).data)


def resolve_path(text: str, configuration: Path) -> Path:
    """Return a path written in a configuration file, which is relative to that file's folder."""
    return configuration.absolute().parent / Path(text).expanduser()


def _typed(data: dict[str, Any], type_: type[T], where: str, overrides: Iterable[Override]) -> T:
    applied = apply(data, overrides, type_)
    fault = first_fault(applied.data, type_)
    if fault is None:
        return msgspec.convert(applied.data, type_)
    origin = applied.origin_of(fault.path)
    raise fault.error(where if origin is None else f"{where}, overridden by {origin}")
