"""Choosing a microphone among those there are."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from edge_asd.errors import CaptureError, InputError
from edge_asd.microphones.choice import MicrophoneInfo, find_microphone
from edge_asd.microphones.portaudio import channels_to_open, load_portaudio
from edge_asd.microphones.usb import UsbIdentity


def microphone(
    number: int, name: str, *, is_default: bool = False, channels: int = 1, usb: UsbIdentity | None = None
) -> MicrophoneInfo:
    return MicrophoneInfo(number, name, "ALSA", channels, 48_000, is_default, usb)


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


TWINS = [
    microphone(0, "C-Media: USB Audio (hw:1,0)", usb=UsbIdentity("1-1.3", "0d8c", "0014", None)),
    microphone(1, "C-Media: USB Audio (hw:2,0)", usb=UsbIdentity("1-1.4", "0d8c", "0014", None)),
    microphone(2, "Yeti: USB Audio (hw:3,0)", usb=UsbIdentity("2-1", "b58e", "9e84", "797_2019/06/11:B")),
    microphone(3, "1-1.4 is no good name", usb=None),
    microphone(4, "Mono 0d8c:0014"),
]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("usb-path=1-1.3", 0),
        ("1-1.4", 1),
        ("usb=b58e:9e84:797_2019/06/11:B", 2),
        ("B58E:9E84", 2),
        ("b58e:9e84:797_2019/06/11:B", 2),
        ("Mono", 4),
    ],
)
def test_what_lasts_comes_before_a_name(name: str, number: int) -> None:
    assert find_microphone(name, TWINS).number == number


def test_twins_without_serial_numbers_are_told_apart_by_their_sockets() -> None:
    with pytest.raises(InputError, match=r"\(usb-path=1-1\.3\).*\(usb-path=1-1\.4\); give its usb-path"):
        find_microphone("usb=0d8c:0014", TWINS)


@pytest.mark.parametrize(
    "name", ["usb-path=1-1", "usb-path=1-1.30", "usb=b58e:9e84:x", "usb=b58e", "usb=", "usb-path="]
)
def test_what_lasts_is_never_a_part_of_something(name: str) -> None:
    with pytest.raises(CaptureError, match="expected a microphone of that name"):
        find_microphone(name, TWINS)


def test_each_of_its_stable_ids_finds_a_microphone_again_after_a_reboot() -> None:
    seen = [TWINS[2], microphone(7, "UMIK-1: USB Audio (hw:2,0)")]
    renumbered = [seen[0]._replace(name="Yeti: USB Audio (hw:0,0)", number=5), seen[1]._replace(number=1)]
    for before, after in zip(seen, renumbered, strict=True):
        for word in before.stable_ids:
            assert find_microphone(word, renumbered) == after


def test_without_a_default_the_first_is_taken() -> None:
    assert find_microphone(None, SEEN[1:3]).number == 2


@pytest.mark.parametrize(
    ("channels", "wanted", "opened"),
    [(1, 1, 1), (2, 1, 2), (8, 2, 8), (32, 1, 2), (128, 4, 4), (32, 2, 2), (32, 41, 32)],
)
def test_hardware_is_opened_with_all_its_channels(channels: int, wanted: int, opened: int) -> None:
    assert channels_to_open(microphone(0, "x", channels=channels), wanted) == opened


def test_a_missing_portaudio_is_one_line_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return ordinary(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"found PortAudio library not found; apt install libportaudio2$"):
        load_portaudio()
