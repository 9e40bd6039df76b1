"""Where sound comes from, as a user writes it: `mic`, `mic:NAME`, `file:PATH`, `stdin`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

from edge_asd.audio import SAMPLE_FORMATS, SampleFormat
from edge_asd.errors import InputError

_FORMS = "mic, mic:NAME, file:PATH, file:PATH?speed=max or stdin?rate=16000&format=s16le&channels=1"
_MOST_CHANNELS = 64


class Microphone(NamedTuple):
    """A microphone; the system's default where there is no name."""

    name: str | None = None
    """USB path, vendor:product:serial, name or a part of it: :mod:`edge_asd.microphones.choice` says which counts."""


class Files(NamedTuple):
    """A recording, or a folder of recordings played one after another."""

    path: Path
    real_time: bool = True
    """At the speed of the sound, or as fast as possible."""


class Stdin(NamedTuple):
    """Raw samples on standard input."""

    rate: int = 16000
    """Sampling rate, in hertz."""
    format: SampleFormat = "s16le"
    channels: int = 1


SourceAddress = Microphone | Files | Stdin
"""Any of the three."""


def parse_source(text: str) -> SourceAddress:
    """Read a source.

    Parameters
    ----------
    text
        `mic`, `mic:NAME`, `file:PATH`, `file:PATH?speed=max` or `stdin`, the latter with `?rate=…&format=…&channels=…`.

    Raises
    ------
    InputError
        When it has none of these forms.
    """
    if text == "mic":
        return Microphone()
    if text.startswith("mic:") and text[4:].strip():
        return Microphone(text[4:].strip())
    if text.startswith("file:") and len(text) > len("file:"):
        return _files(text)
    if text == "stdin" or text.startswith("stdin?"):
        return _stdin(text)
    raise _unknown(text)


def _files(text: str) -> Files:
    path, mark, query = text[len("file:") :].partition("?")
    options = _options(text, query, {"speed"}) if mark else {}
    speed = options.get("speed", "real")
    if speed not in ("max", "real") or not path:
        raise _unknown(text)
    return Files(Path(path), real_time=speed == "real")


def _stdin(text: str) -> Stdin:
    options = _options(text, text.partition("?")[2], {"rate", "format", "channels"})
    rate = _integer(text, options.get("rate", "16000"), 1000, 384_000)
    channels = _integer(text, options.get("channels", "1"), 1, _MOST_CHANNELS)
    wanted = options.get("format", "s16le")
    for known in SAMPLE_FORMATS:
        if wanted == known:
            return Stdin(rate, known, channels)
    raise InputError(text, expected=f"format={'|'.join(SAMPLE_FORMATS)}", found=repr(wanted))


def _options(text: str, query: str, known: set[str]) -> dict[str, str]:
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
    except ValueError:
        raise _unknown(text) from None
    if not set(options) <= known:
        raise _unknown(text)
    return options


def _integer(text: str, value: str, low: int, high: int) -> int:
    if not (value.isascii() and value.isdigit()) or not low <= int(value) <= high:
        raise InputError(text, expected=f"a whole number from {low} to {high}", found=repr(value))
    return int(value)


def _unknown(text: str) -> InputError:
    return InputError(repr(text), expected=_FORMS, found="another form")
