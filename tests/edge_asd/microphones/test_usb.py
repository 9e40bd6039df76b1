"""USB sound cards, in a tree like the kernel's: what it looks like was copied from a Raspberry Pi 4 with two cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.microphones.usb import UsbIdentity, usb_cards


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    hub = tmp_path / "devices/platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0/usb1/1-1"
    cards = {
        "card1": (hub / "1-1.3", {"idVendor": "0d8c", "idProduct": "0014"}),
        "card12": (hub / "1-1.4/1-1.4.2", {"idVendor": "B58E", "idProduct": "9e84", "serial": " 797:2019 "}),
    }
    folder = tmp_path / "class/sound"
    folder.mkdir(parents=True)
    for name, (device, files) in cards.items():
        card = device / f"{device.name}:1.0/sound/{name}"
        card.mkdir(parents=True)
        (card / "device").symlink_to(Path("../.."))
        for file, content in files.items():
            (device / file).write_text(f"{content}\n")
        (folder / name).symlink_to(card)
    builtin = tmp_path / "devices/platform/soc/bcm2835_audio/sound/card0"
    builtin.mkdir(parents=True)
    (builtin / "device").symlink_to(Path("../.."))
    (folder / "card0").symlink_to(builtin)
    (folder / "controlC1").mkdir()
    (folder / "cardX").mkdir()
    return folder


def test_usb_cards_are_found_with_what_lasts(sound: Path) -> None:
    assert usb_cards(sound) == {
        1: UsbIdentity("1-1.3", "0d8c", "0014", None),
        12: UsbIdentity("1-1.4.2", "b58e", "9e84", "797:2019"),
    }
    assert [card.model for card in usb_cards(sound).values()].count("0d8c:0014") == 1


def test_a_system_without_sound_has_none(tmp_path: Path) -> None:
    assert usb_cards(tmp_path / "nothing") == {}


def test_a_card_that_goes_while_it_is_read_is_left_out(sound: Path) -> None:
    (sound / "card1" / "device").resolve().parent.joinpath("idVendor").unlink()
    assert list(usb_cards(sound)) == [12]
