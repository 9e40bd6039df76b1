"""PortAudio: the microphones that it sees."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

from edge_asd.errors import CaptureError, InputError, one_line
from edge_asd.microphones.choice import MicrophoneInfo, card_number
from edge_asd.microphones.usb import UsbIdentity, usb_cards

RATES = (8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
"""Sampling rates that a microphone is asked for, in hertz."""
MOST_HARDWARE_CHANNELS = 16
"""A device of more channels is a sound server's, which mixes to whatever number it is asked for."""


def load_portaudio() -> Any:
    """Return the library.

    Raises
    ------
    InputError
        When PortAudio is not installed.
    CaptureError
        When it cannot start.
    """
    try:
        import sounddevice  # noqa: PLC0415 - a device that reads files needs no PortAudio
    except OSError as error:
        raise InputError(
            "PortAudio",
            expected="the library that opens microphones",
            found=str(error),
            remedy="apt install libportaudio2",
        ) from error
    except Exception as error:
        # Its own kind of error comes from the very module that could not be imported.
        said = one_line(str(error))
        raise CaptureError(f"PortAudio: cannot start ({said}); see whether ALSA's configuration is whole") from error
    return sounddevice


def unload_plugins() -> None:
    """Have ALSA let go of the plugins that PortAudio tried when it looked for devices; to be called before a stream.

    Where a desktop's plugins are installed they bring a hundred libraries, video codecs among them: 11 MiB. PortAudio
    itself calls this when it ends.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libasound.so.2").snd_config_update_free_global()


def list_microphones(library: Any, cards: dict[int, UsbIdentity] | None = None) -> list[MicrophoneInfo]:
    """Return the devices of a library that have input channels.

    Parameters
    ----------
    library
        From :func:`load_portaudio`.
    cards
        The USB sound cards by number; looked up where left out.
    """
    known = usb_cards() if cards is None else cards
    apis = list(library.query_hostapis())
    default = next((number for api in apis if (number := api["default_input_device"]) >= 0), None)
    return [
        MicrophoneInfo(
            int(device["index"]),
            str(device["name"]),
            str(apis[device["hostapi"]]["name"]),
            int(device["max_input_channels"]),
            round(device["default_samplerate"]),
            device["index"] == default,
            known.get(_card(device)),
        )
        for device in _devices(library, apis)
        if device["max_input_channels"] > 0
    ]


def _devices(library: Any, apis: list[Any]) -> Iterator[Any]:
    """Give the devices one by one: asked for all at once, the library gives none where one's name is no UTF-8."""
    for number in sorted(number for api in apis for number in api["devices"]):
        with contextlib.suppress(UnicodeDecodeError):
            yield library.query_devices(number)


def takes(library: Any, microphone: MicrophoneInfo, rate: int, channels: int) -> bool:
    """Return whether a microphone can be opened at `rate` hertz with so many channels."""
    try:
        library.check_input_settings(device=microphone.number, samplerate=rate, channels=channels, dtype="float32")
    except (library.PortAudioError, ValueError):
        return False
    return True


def rates_of(library: Any, microphone: MicrophoneInfo) -> list[int]:
    """Return the rates, of the usual ones, that a microphone can be opened at, in hertz."""
    channels = channels_to_open(microphone, 1)
    return [rate for rate in RATES if takes(library, microphone, rate, channels)]


def channels_to_open(microphone: MicrophoneInfo, wanted: int) -> int:
    """Return how many channels to open where the first `wanted` are listened to.

    A sound card often takes nothing but all it has. Of a sound server's great number, two make sure that the first is
    not a mix of both. Whoever wants a channel that is not there is refused it, and the others still hear theirs.
    """
    if microphone.channels <= MOST_HARDWARE_CHANNELS:
        return microphone.channels
    return min(max(2, wanted), microphone.channels)


def _card(device: Any) -> int:
    number = card_number(str(device["name"]))
    return -1 if number is None else number
