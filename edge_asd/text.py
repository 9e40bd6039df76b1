r"""Text as JSON, pictures and pages can hold it: a file's name may have bytes in it that are none.

Python keeps such a byte in a name as half a character (`surrogateescape`), which opens the file and nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec


def legible(text: str) -> str:
    r"""Return text with the bytes of a file's name that are no text written out, such as `L\xfcfter.wav`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def to_json(value: object, *, indent: int | None = None) -> bytes:
    """Return records or plain data as JSON, on one line or with `indent` spaces; all text in it is `legible`."""
    encoded = msgspec.json.encode(_legible(msgspec.to_builtins(value)))
    return encoded if indent is None else msgspec.json.format(encoded, indent=indent)


def _legible(data: Any) -> Any:
    if isinstance(data, str):
        return legible(data)
    if isinstance(data, dict):
        return {_legible(key): _legible(value) for key, value in data.items()}
    return [_legible(value) for value in data] if isinstance(data, list | tuple) else data
