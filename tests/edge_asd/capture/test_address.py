"""Sources as a user writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.capture import Files, Microphone, SourceAddress, Stdin, parse_source
from edge_asd.errors import InputError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mic", Microphone()),
        ("mic:USB Audio", Microphone("USB Audio")),
        ("mic: USB Audio: - (hw:1,0) ", Microphone("USB Audio: - (hw:1,0)")),
        ("file:/data/a.wav", Files(Path("/data/a.wav"))),
        ("file:a b/c:d.wav", Files(Path("a b/c:d.wav"))),
        ("file:../sounds?speed=max", Files(Path("../sounds"), real_time=False)),
        ("stdin", Stdin()),
        ("stdin?rate=48000&format=f32le&channels=2", Stdin(48_000, "f32le", 2)),
        ("stdin?channels=8", Stdin(channels=8)),
    ],
)
def test_every_form_is_read(text: str, address: SourceAddress) -> None:
    assert parse_source(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "mic:", "mic: ", "MIC", "microphone", "file", "file:", "file:?speed=max", "/data/a.wav", "alsa:hw:1",
        "file:a.wav?speed=2", "file:a.wav?speed=", "file:a.wav?tempo=max", "stdin:", "stdin?bits=16", "stdin?rate",
    ],
)  # fmt: skip
def test_another_form_is_refused_and_the_line_shows_them_all(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(text)
    message = str(caught.value)
    for form in ("mic, mic:NAME, file:PATH, file:PATH?speed=max", "stdin", repr(text)):
        assert form in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stdin?rate=0", "a whole number from 1000 to 384000, found '0'"),
        ("stdin?rate=16k", "found '16k'"),
        ("stdin?rate=-16000", "found '-16000'"),
        ("stdin?channels=0", "a whole number from 1 to 64, found '0'"),
        ("stdin?channels=٣", "found '٣'"),
        ("stdin?format=S16_LE", "format=s16le|s24le|s32le|f32le, found 'S16_LE'"),
    ],
)
def test_an_impossible_value_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(text)
    assert said in str(caught.value)
