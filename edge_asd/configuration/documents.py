"""The kinds of YAML document there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edge_asd.configuration.shapes import fields_of
from edge_asd.errors import InputError
from edge_asd.firmware import Firmware
from edge_asd.recipe.graph import Recipe


class Document(NamedTuple):
    """One kind of document."""

    name: str
    """One word, as in `firmware.schema.json`."""
    title: str
    """What it is, in words."""
    record: type[msgspec.Struct]
    """The settings it holds."""


DOCUMENTS = (
    Document("firmware", "firmware configuration", Firmware),
    Document("recipe", "recipe", Recipe),
)
"""All of them; whatever is generated or checked for each kind follows this table."""


def recognized(data: Mapping[str, Any], path: Path) -> Document:
    """Return the kind of document that `data` is, by its outermost keys.

    Raises
    ------
    InputError
        When it has no key of any kind.
    """
    best = max(DOCUMENTS, key=lambda document: _keys_shared(data, document))
    if _keys_shared(data, best):
        return best
    kinds = " or ".join(f"a {document.title} ({_required_keys(document)})" for document in DOCUMENTS)
    raise InputError(str(path), expected=kinds, found=f"a mapping with {', '.join(data) or 'nothing in it'}"[:120])


def _keys_shared(data: Mapping[str, Any], document: Document) -> int:
    return len(data.keys() & fields_of(document.record).keys())


def _required_keys(document: Document) -> str:
    return ", ".join(key for key, field in fields_of(document.record).items() if field.required)
