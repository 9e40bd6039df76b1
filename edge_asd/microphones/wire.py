"""What a child process tells of its microphone, through a pipe: messages of a header and a payload."""

from __future__ import annotations

import json
import os
import struct
from typing import Literal, NamedTuple, cast

from edge_asd.errors import CaptureError, InputError

Kind = Literal[b"O", b"S", b"L", b"E"]
"""`O`: the microphone is open, JSON of :class:`Opened`; `S`: sound; `L`: sound, before which PortAudio lost some;
`E`: an error, JSON, and the last message."""

HEADER_BYTES = 20
_HEADER = struct.Struct("<4scxxxIQ")
_MAGIC = b"easd"
_MOST_BYTES = 1 << 26


class Header(NamedTuple):
    """What stands before a payload."""

    kind: Kind
    length: int
    """Bytes of the payload."""
    position: int
    """Of sound: number of its first sample since the microphone was opened, with those that were lost on the way."""


class Opened(NamedTuple):
    """How a microphone was opened."""

    name: str
    rate: int
    """Sampling rate, in hertz."""
    channels: int


def send(descriptor: int, kind: Kind, payload: bytes, position: int = 0) -> None:
    """Write a message to a blocking pipe.

    Raises
    ------
    BrokenPipeError
        When nobody reads any more.
    """
    views = [memoryview(_HEADER.pack(_MAGIC, kind, len(payload), position)), memoryview(payload)]
    while views:
        written = os.writev(descriptor, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views:
            views[0] = views[0][written:]


def parse_header(data: bytes) -> Header:
    """Read a header.

    Raises
    ------
    CaptureError
        When it is none: the child is out of its mind.
    """
    magic, kind, length, position = _HEADER.unpack(data)
    if magic != _MAGIC or kind not in (b"O", b"S", b"L", b"E") or length > _MOST_BYTES:
        raise CaptureError("the capture process talks nonsense")
    return Header(cast("Kind", kind), length, position)


def opened_to_bytes(opened: Opened) -> bytes:
    """Return the payload of an `O`."""
    return json.dumps(opened._asdict()).encode()


def parse_opened(payload: bytes) -> Opened:
    """Read the payload of an `O`."""
    return Opened(**json.loads(payload))


def error_to_bytes(error: Exception) -> bytes:
    """Return the payload of an `E`."""
    if isinstance(error, InputError):
        fields = {name: getattr(error, name) for name in ("where", "expected", "found", "remedy")}
        return json.dumps({"input": fields}).encode()
    said = str(error) if isinstance(error, CaptureError) else f"the capture process failed: {error!r}"
    return json.dumps({"gone": said}).encode()


def parse_error(payload: bytes) -> InputError | CaptureError:
    """Return the error that an `E` tells of."""
    document = json.loads(payload)
    return InputError(**document["input"]) if "input" in document else CaptureError(document["gone"])
