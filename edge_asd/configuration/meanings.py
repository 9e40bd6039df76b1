"""What each setting means: the string that follows a field in its record's source."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
from collections.abc import Iterator

import msgspec

from edge_asd.configuration.shapes import is_record


@functools.cache
def meanings(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return what each field of a record means: the string that follows it in the source, inherited ones included.

    Returns
    -------
    dict
        By field name, on one line each. A field whose source cannot be found, or that has no string, is missing.
    """
    found: dict[str, str] = {}
    for cls in reversed(record.__mro__):
        if is_record(cls) and cls is not msgspec.Struct:
            found |= _own_meanings(cls)
    return found


def _own_meanings(cls: type) -> dict[str, str]:
    definition = _class_definitions(cls.__module__).get(cls.__qualname__)
    pairs = zip(definition.body, definition.body[1:], strict=False) if definition else ()
    return {
        field.target.id: " ".join(after.value.value.split())
        for field, after in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


@functools.cache
def _class_definitions(module: str) -> dict[str, ast.ClassDef]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError):  # installed without its source: messages do without
        return {}
    return dict(_classes(tree, ""))


def _classes(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.ClassDef):
            yield f"{prefix}{inner.name}", inner
            yield from _classes(inner, f"{prefix}{inner.name}.")
        elif isinstance(inner, ast.FunctionDef):
            yield from _classes(inner, f"{prefix}{inner.name}.<locals>.")


def first_clause(meaning: str) -> str:
    """Return a field's meaning up to its first full stop, colon or semicolon, to stand inside a sentence."""
    clause = re.split(r"[.:;](?=\s|$)", meaning, maxsplit=1)[0].strip()
    if not clause[:1].isupper() or clause[:2].isupper():
        return clause
    clause = clause[0].lower() + clause[1:]
    return clause if re.match(r"(the|a|an|how|what|where|whether|which|each|one)\b", clause) else f"the {clause}"
