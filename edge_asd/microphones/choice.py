"""Which microphone is meant: by USB path, by vendor, product and serial number, by name, or by a part of the name."""

from __future__ import annotations

import re
from typing import NamedTuple

from edge_asd.errors import CaptureError, InputError
from edge_asd.microphones.usb import UsbIdentity

_BY_PATH = "usb-path="
_BY_MODEL = "usb="


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
    usb: UsbIdentity | None = None
    """What stays the same of it; None where it is not on USB, or is a sound server's."""

    @property
    def stable_ids(self) -> list[str]:
        """What it may be called in a configuration, the most lasting first."""
        lasting = [f"{_BY_PATH}{self.usb.path}", f"{_BY_MODEL}{self.usb.model}"] if self.usb else []
        return [*lasting, without_number(self.name)]


def find_microphone(name: str | None, seen: list[MicrophoneInfo]) -> MicrophoneInfo:
    """Return the microphone that is meant; without a name, the system's default.

    A name is looked for first among the USB paths, and vendors, products and serial numbers, then among the names, then
    among their parts. `usb-path=` and `usb=` before it leave nothing but the first two.

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
        remedy = "give its usb-path" if all(microphone.usb for microphone in fitting) else "give the whole name"
        raise InputError(where, expected="one microphone", found=_listed(fitting), remedy=remedy)
    return fitting[0]


def without_number(name: str) -> str:
    """Return a name without the number that ALSA adds to it, as in `USB Audio: - (hw:1,0)`: a reboot may change it."""
    return re.sub(r"[\s:-]*\(hw:\d+,\d+\)$", "", name)


def card_number(name: str) -> int | None:
    """Return the number of the ALSA card that a microphone's name ends with; None where there is none."""
    found = re.search(r"\(hw:(\d+),\d+\)$", name)
    return int(found[1]) if found else None


def _named(name: str, seen: list[MicrophoneInfo]) -> list[MicrophoneInfo]:
    if name.startswith(_BY_PATH):
        return _on_path(name.removeprefix(_BY_PATH), seen)
    if name.startswith(_BY_MODEL):
        return _of_model(name.removeprefix(_BY_MODEL), seen)
    return (
        _on_path(name, seen)
        or _of_model(name, seen)
        or [microphone for microphone in seen if name in {microphone.name, without_number(microphone.name)}]
        or [microphone for microphone in seen if name.casefold() in microphone.name.casefold()]
    )


def _on_path(path: str, seen: list[MicrophoneInfo]) -> list[MicrophoneInfo]:
    return [microphone for microphone in seen if microphone.usb and microphone.usb.path == path]


def _of_model(model: str, seen: list[MicrophoneInfo]) -> list[MicrophoneInfo]:
    vendor, _, rest = model.partition(":")
    product, colon, serial = rest.partition(":")
    return [
        microphone
        for microphone in seen
        if microphone.usb
        and (microphone.usb.vendor, microphone.usb.product) == (vendor.lower(), product.lower())
        and (not colon or microphone.usb.serial == serial)
    ]


def _listed(seen: list[MicrophoneInfo]) -> str:
    return "; ".join(f"{microphone.name!r} ({_place(microphone)})" for microphone in seen) or "none"


def _place(microphone: MicrophoneInfo) -> str:
    return f"{_BY_PATH}{microphone.usb.path}" if microphone.usb else microphone.host_api
