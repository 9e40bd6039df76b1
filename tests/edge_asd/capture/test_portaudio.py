"""Choosing a microphone among those there are."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from edge_asd.capture import CaptureError, MicrophoneInfo, list_microphones
from edge_asd.capture.microphone import channels_to_open
from edge_asd.capture.portaudio import find_microphone
from edge_asd.errors import InputError


def microphone(number: int, name: str, *, is_default: bool = False, channels: int = 1) -> MicrophoneInfo:
    return MicrophoneInfo(number, name, "ALSA", channels, 48_000, is_default)


SEEN = [
    microphone(0, "USB PnP Sound Device: Audio (hw:1,0)"),
    microphone(2, "UMIK-1: USB Audio (hw:2,0)"),
    microphone(3, "UMIK-2: USB Audio (hw:3,0)"),
    microphone(5, "UMIK"),
    microphone(7, "default", is_default=True),
]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        (None, 7),
        ("UMIK", 5),
        ("UMIK-2: USB Audio (hw:3,0)", 3),
        ("UMIK-2: USB Audio", 3),
        ("umik-1", 2),
        ("pnp", 0),
    ],
)
def test_the_exact_name_comes_before_a_part_of_it(name: str | None, number: int) -> None:
    assert find_microphone(name, SEEN).number == number


@pytest.mark.parametrize("name", ["USB Audio", "usb", "UMIK-"])
def test_an_ambiguous_name_is_refused_and_the_candidates_are_listed(name: str) -> None:
    with pytest.raises(InputError) as caught:
        find_microphone(name, SEEN)
    message = str(caught.value)
    assert message.startswith(f"mic:{name}: expected one microphone, found ")
    assert "'UMIK-1: USB Audio (hw:2,0)' (ALSA); 'UMIK-2: USB Audio (hw:3,0)' (ALSA)" in message


def test_two_of_exactly_one_name_are_ambiguous() -> None:
    twins = [microphone(0, "USB Mic: Audio (hw:1,0)"), microphone(1, "USB Mic: Audio (hw:2,0)")]
    with pytest.raises(InputError, match="give the whole name"):
        find_microphone("USB Mic: Audio", twins)
    assert find_microphone("USB Mic: Audio (hw:2,0)", twins).number == 1


@pytest.mark.parametrize("name", [None, "Blue Yeti"])
def test_a_missing_microphone_may_come_back(name: str | None) -> None:
    with pytest.raises(CaptureError, match="found none"):
        find_microphone(name, [])
    if name:
        with pytest.raises(CaptureError, match=r"mic:Blue Yeti: expected a microphone of that name, found 'USB PnP"):
            find_microphone(name, SEEN)


def test_without_a_default_the_first_is_taken() -> None:
    assert find_microphone(None, SEEN[1:3]).number == 2


@pytest.mark.parametrize(
    ("channels", "channel", "opened"), [(1, 0, 1), (2, 0, 2), (8, "mix", 8), (32, 0, 1), (128, 3, 4), (32, "mix", 2)]
)
def test_hardware_is_opened_with_all_its_channels(channels: int, channel: Any, opened: int) -> None:
    assert channels_to_open(microphone(0, "x", channels=channels), channel) == opened


def test_a_missing_portaudio_is_one_line_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return ordinary(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"found PortAudio library not found; apt install libportaudio2$"):
        list_microphones()
