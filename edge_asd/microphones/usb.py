"""What stays the same of a USB sound card from boot to boot, read from /sys/class/sound."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SOUND = Path("/sys/class/sound")
"""Where Linux lists its sound cards."""


class UsbIdentity(NamedTuple):
    """What stays the same of a USB sound card."""

    path: str
    """The socket that it is plugged into, as the kernel names it: bus, then port after port, such as `1-1.3`."""
    vendor: str
    """Four hexadecimal digits."""
    product: str
    """Four hexadecimal digits."""
    serial: str | None
    """Serial number, where it has one; cheap cards have none, or all the same."""

    @property
    def model(self) -> str:
        """`vendor:product:serial`, or `vendor:product` where there is no serial number."""
        return ":".join(filter(None, (self.vendor, self.product, self.serial)))


def usb_cards(sound: Path = SOUND) -> dict[int, UsbIdentity]:
    """Return the USB sound cards by the number that ALSA gave them this time."""
    found = {}
    for card in sound.glob("card[0-9]*"):
        number = card.name.removeprefix("card")
        # The card belongs to an interface, such as 1-1.3:1.0; the device is its parent.
        device = (card / "device").resolve().parent
        vendor, product = _word(device / "idVendor"), _word(device / "idProduct")
        if number.isdigit() and vendor and product:
            found[int(number)] = UsbIdentity(device.name, vendor.lower(), product.lower(), _word(device / "serial"))
    return found


def _word(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None
