"""From a YAML file to a typed record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge_asd.configuration.faults import first_fault
from edge_asd.configuration.overrides import Override, apply, from_environment, from_options
from edge_asd.configuration.yaml_text import parse_mapping, read_text
from edge_asd.files import expand_home

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


def resolve_path(text: str, configuration: Path) -> Path:
    """Return a path written in a configuration file, which is relative to that file's folder."""
    return configuration.absolute().parent / expand_home(Path(text))


def _typed(data: dict[str, Any], type_: type[T], where: str, overrides: Iterable[Override]) -> T:
    applied = apply(data, overrides, type_)
    fault = first_fault(applied.data, type_)
    if fault is None:
        return msgspec.convert(applied.data, type_)
    origin = applied.origin_of(fault.path)
    raise fault.error(where if origin is None else f"{where}, overridden by {origin}")
