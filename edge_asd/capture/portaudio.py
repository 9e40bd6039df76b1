"""PortAudio: finding microphones, starting and stopping their streams.

PortAudio looks for devices once, when it starts, and it is one for the whole process. So before a microphone is opened
it is started afresh, unless a stream of this process is running, which that would end.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from edge_asd.capture.items import CaptureError
from edge_asd.errors import InputError

_lock = threading.RLock()
_running: set[int] = set()


class MicrophoneInfo(NamedTuple):
    """A microphone of this machine."""

    number: int
    """PortAudio's number of it, which another boot may change."""
    name: str
    host_api: str
    channels: int
    default_rate: int
    """Sampling rate that it prefers, in hertz."""
    is_default: bool = False
    """Whether it is the system's default."""


def list_microphones() -> list[MicrophoneInfo]:
    """Return the microphones that PortAudio sees.

    Raises
    ------
    InputError
        When PortAudio is not installed.
    """
    with fresh() as library:
        return microphones(library)


@contextmanager
def fresh() -> Iterator[Any]:
    """Give the library, with its list of devices made anew where no stream is running; nobody else uses it meanwhile.

    Raises
    ------
    InputError
        When PortAudio is not installed.
    """
    library = _sounddevice()
    with _lock:
        if not _running:
            # sounddevice has no public name for this.
            library._terminate()
            library._initialize()
        yield library


def microphones(library: Any) -> list[MicrophoneInfo]:
    """Return the devices of a library that have input channels."""
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
        )
        for device in library.query_devices()
        if device["max_input_channels"] > 0
    ]


def find_microphone(name: str | None, seen: list[MicrophoneInfo]) -> MicrophoneInfo:
    """Return the microphone of exactly this name, else the only one whose name contains it; without a name the default.

    The number that ALSA adds to a name, as in `USB Audio: - (hw:1,0)`, changes at a reboot and may be left out.

    Raises
    ------
    InputError
        When several fit: the message lists them.
    CaptureError
        When none fits; one may yet be plugged in.
    """
    if name is None:
        fitting = sorted(seen, key=lambda microphone: not microphone.is_default)[:1]
        where, wanted = "mic", "a microphone"
    else:
        fitting = _named(name, seen)
        where, wanted = f"mic:{name}", "a microphone of that name"
    if not fitting:
        raise CaptureError(f"{where}: expected {wanted}, found {_listed(seen)}")
    if len(fitting) > 1:
        raise InputError(where, expected="one microphone", found=_listed(fitting), remedy="give the whole name")
    return fitting[0]


def start(library: Any, **settings: Any) -> Any:
    """Open an input stream and start it; `settings` are those of `sounddevice.InputStream`."""
    with _lock:
        stream = library.InputStream(**settings)
        try:
            stream.start()
        except BaseException:
            stream.close(ignore_errors=True)
            raise
        _running.add(id(stream))
        return stream


def stop(stream: Any) -> None:
    """Stop and close a stream, whatever state it is in."""
    with _lock:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
        _running.discard(id(stream))


def _named(name: str, seen: list[MicrophoneInfo]) -> list[MicrophoneInfo]:
    exact = [microphone for microphone in seen if name in {microphone.name, _without_number(microphone.name)}]
    return exact or [microphone for microphone in seen if name.casefold() in microphone.name.casefold()]


def _without_number(name: str) -> str:
    return re.sub(r"[\s:-]*\(hw:\d+,\d+\)$", "", name)


def _listed(seen: list[MicrophoneInfo]) -> str:
    return "; ".join(f"{microphone.name!r} ({microphone.host_api})" for microphone in seen) or "none"


def _sounddevice() -> Any:
    try:
        import sounddevice  # noqa: PLC0415 - a device that reads files needs no PortAudio
    except OSError as error:
        raise InputError(
            "PortAudio",
            expected="the library that opens microphones",
            found=str(error),
            remedy="apt install libportaudio2",
        ) from error
    return sounddevice
