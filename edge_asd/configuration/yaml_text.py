"""Strict YAML: text → plain mappings, lists and scalars, or one clear line.

Scalars follow the core schema of YAML 1.2 (section 10.3.2), as editors do, not the YAML 1.1 of PyYAML: `no`, `on`,
`12:30` and dates are text, `010` is ten and `1e-3` a number. Merge keys (`<<`) work. Only plain values can come out.
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from typing import Any

import yaml

from edge_asd.errors import InputError
from edge_asd.files import read_limited

_LARGEST_FILE_BYTES = 256 * 1024
_MOST_VALUES = 20_000
_DEEPEST = 32
_MOST_DIGITS = 100
# YAML can write them, in double quotes, and no file, topic or message can hold them.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")

_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_TEXT = "tag:yaml.org,2002:str"
_LIST = "tag:yaml.org,2002:seq"
_MAPPING = "tag:yaml.org,2002:map"
_MERGE = "tag:yaml.org,2002:merge"

_HINTS = {
    "'\\t'": "indent with spaces, not tabs",
    "mapping values are not allowed": "put a text that holds ': ' in quotes, and check the indentation",
    "<block end>": "give the keys or list entries that belong together the same indentation",
    "expected ',' or": "close every bracket and quote that is opened",
    "could not find expected ':'": "write 'key: value', with a space after the colon",
    "cannot start any token": "put the text in quotes",
    "undefined alias": "put a text that begins with '*' in quotes",
    "constructor for the tag": "use plain values only",
    "another document": "leave one document in the file",
}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2 and no tags beyond them."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own form
    yaml_constructors = {}  # noqa: RUF012


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(re.sub(r"\.(?=inf|nan)", "", loader.construct_scalar(node).lower()))


def _boolean(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    text = loader.construct_scalar(node).lower()
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} as a boolean")
    return text == "true"


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    text = loader.construct_scalar(node)
    if found := _NO_TEXT.search(text):
        problem = f"a text with \\u{ord(found[0]):04x} in it, which is no character"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return text


def _teach_core_schema() -> None:
    for tag, pattern, first in (
        (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        (_INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
        (_FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
        (_FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
        (_MERGE, r"<<", ["<"]),
    ):
        _Loader.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})\Z"), first)
    for constructed, constructor in {
        _NULL: yaml.SafeLoader.construct_yaml_null,
        _BOOL: _boolean,
        _INT: _integer,
        _FLOAT: _number,
        _TEXT: _text,
        _LIST: yaml.SafeLoader.construct_yaml_seq,
        _MAPPING: yaml.SafeLoader.construct_yaml_map,
        None: yaml.SafeLoader.construct_undefined,
    }.items():
        _Loader.add_constructor(constructed, constructor)


_teach_core_schema()


def read_text(path: Path) -> str:
    """Read a YAML file as text.

    Raises
    ------
    InputError
        When it is missing, unreadable, larger than 256 KiB, or not UTF-8 text.
    """
    content = read_limited(path, _LARGEST_FILE_BYTES, "a YAML file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), expected="a YAML file in UTF-8", found="another encoding or no text") from error
    if "\0" in text:
        raise InputError(str(path), expected="a YAML file", found="a binary file")
    return text


def parse_mapping(text: str, where: str) -> dict[str, Any]:
    """Parse YAML text whose outermost value is a mapping.

    Parameters
    ----------
    text
        One YAML document.
    where
        Its name, for errors.

    Raises
    ------
    InputError
        On bad YAML, a repeated key, a key that is not text, any tag beyond plain values, an empty document, or one that
        unfolds to something huge or endless.
    """
    value = _parse(text, where)
    if isinstance(value, dict):
        return value
    raise InputError(
        where,
        expected="a mapping of settings ('key: value' lines)",
        found="nothing" if value is None else "a list" if isinstance(value, list) else "a single value",
    )


def parse_value(text: str, where: str) -> Any:
    """Parse a value given outside a file: in brackets, braces or quotes it is YAML, else one plain scalar as it stands.

    So `mic: USB #2` is a text, though it would be something else in a file.

    Raises
    ------
    InputError
        When what is in brackets, braces or quotes is not YAML.
    """
    text = text.strip()
    return _parse(text, where) if text[:1] in {"[", "{", '"', "'"} else plain_scalar(text)


def plain_scalar(text: str) -> Any:
    """Return what an unquoted scalar stands for: a number, a boolean, None or the text itself."""
    loader = _Loader("")
    try:
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return text if tag in {_TEXT, _MERGE} else loader.construct_object(yaml.ScalarNode(tag, text))
    except ValueError:  # an integer of thousands of digits
        return text
    finally:
        loader.dispose()


def _parse(text: str, where: str) -> Any:
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _check_nodes(root, where)
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, where) from error
    except yaml.reader.ReaderError as error:
        raise InputError(where, expected="YAML text", found=f"a control character ({error.reason})") from error
    except RecursionError as error:
        raise _too_much(where) from error
    except ValueError as error:
        raise InputError(where, expected="valid YAML", found=str(error)[:80]) from error


def _syntax_error(error: yaml.MarkedYAMLError, where: str) -> InputError:
    mark = error.problem_mark or error.context_mark
    place = f"{where}: line {mark.line + 1}, column {mark.column + 1}" if mark else where
    problem = error.problem or "something else"
    remedy = next((hint for sign, hint in _HINTS.items() if sign in problem), "")
    return InputError(place, expected="valid YAML", found=f"a fault: {problem}", remedy=remedy)


def _check_nodes(root: yaml.Node, where: str) -> None:
    # Walked as it unfolds, so that an alias counts each time it is used.
    pending = deque([(root, 1)])
    count = 0
    while pending:
        node, depth = pending.popleft()
        count += 1
        if depth > _DEEPEST or count > _MOST_VALUES:
            raise _too_much(where)
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, where)
            pending.extend((child, depth + 1) for pair in node.value for child in pair)
        elif isinstance(node, yaml.SequenceNode):
            pending.extend((child, depth + 1) for child in node.value)


def _check_keys(node: yaml.MappingNode, where: str) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag not in {_TEXT, _MERGE}:
            found = repr(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise InputError(f"{where}: line {line}", expected="a text as key", found=found, remedy="put it in quotes")
        if key.value in lines:
            found = f"{key.value!r} again (first on line {lines[key.value]})"
            raise InputError(
                f"{where}: line {line}", expected="each key once", found=found, remedy="remove one of them"
            )
        lines[key.value] = line


def _too_much(where: str) -> InputError:
    found = "far more, or a value inside itself"
    return InputError(where, expected=f"at most {_MOST_VALUES} values, nested {_DEEPEST} deep", found=found)
