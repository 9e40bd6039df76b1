"""Secrets: read from files of their own, and never shown."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_asd.configuration import load, parse, read_secret, redacted
from edge_asd.errors import InputError
from edge_asd.firmware import Firmware, Mqtt
from edge_asd.settings import Settings

FIRMWARE = """\
device: pump-hall-07
mqtt: {host: broker.local, port: 1883}
sources:
  - {name: pump-3, bundle: pump-3.easd, source: "mic:USB Audio"}
"""
SECRET = "hunter2-Zq"


class Room(Settings):
    pins: list[str]
    passphrase: str | None = None


class Door(Settings):
    rooms: dict[str, Room]
    access_token: str
    secrets: list[str]


def fault_of(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text, Firmware, where="firmware.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: 1883", f"port: 1883, password: {SECRET}"),
        ("port: 1883", f"username: {{password: {SECRET}}}"),
        ("port: 1883", f"password_file: [{SECRET}]"),
        ("port: 1883", f"username: x, password_file: {{{SECRET}: 1}}"),
        ("broker.local", f"mqtt://plant:{SECRET}@broker"),
        ("broker.local", f"plant:{SECRET}@broker"),
    ],
)
def test_no_fault_shows_a_secret(old: str, new: str) -> None:
    assert SECRET not in fault_of(FIRMWARE.replace(old, new))


def test_a_number_as_password_file_is_not_shown() -> None:
    message = fault_of(FIRMWARE.replace("port: 1883", "username: x, password_file: 8142"))
    assert "8142" not in message
    assert message.endswith("found a value that is not shown here; give the path of a file, not the secret itself")


def test_a_literal_password_points_to_password_file() -> None:
    message = fault_of(FIRMWARE.replace("port: 1883", f"password: {SECRET}"))
    assert message.startswith(
        "firmware.yaml: mqtt.password: expected no password in a configuration, found one, not shown"
    )
    assert message.endswith("give that file's path as password_file")


def test_a_password_in_the_environment_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "firmware.yaml"
    path.write_text(FIRMWARE)
    with pytest.raises(InputError) as caught:
        load(path, Firmware, environ={"EDGE_ASD__MQTT__PASSWORD": SECRET})
    assert SECRET not in str(caught.value)
    assert "password_file" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"abc\n", "abc"), (b"abc", "abc"), (b" a b \n", " a b "), (b"abc\r\n", "abc"), ("pä🔑\n".encode(), "pä🔑")],
)
def test_a_secret_is_one_line_of_its_file(tmp_path: Path, content: bytes, secret: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    path.chmod(0o600)
    assert read_secret(path) == secret


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (b"", 0o600, "expected a secret in the file, found an empty file"),
        (b"\n", 0o600, "expected a secret in the file, found an empty file"),
        (b"a\nb\n", 0o600, "expected a secret of one line, found several lines or control characters"),
        (b"\xff\xfe", 0o600, "expected text in UTF-8, found other bytes"),
        (b"a" * 70_000, 0o600, "expected a file with one secret of at most 65,535 bytes, found a larger file"),
        (
            b"abc",
            0o620,
            "expected a file that only its owner can change, found one that others can change too (mode 620)",
        ),
        (
            b"abc",
            0o602,
            "expected a file that only its owner can change, found one that others can change too (mode 602)",
        ),
    ],
)
def test_a_secret_that_is_not_one(tmp_path: Path, content: bytes, mode: int, message: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(InputError) as caught:
        read_secret(path, "mqtt.password_file")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_password_given_as_path_is_not_shown(tmp_path: Path) -> None:
    for path in (tmp_path / SECRET, tmp_path / SECRET / "x", Path(f"/{SECRET}"), tmp_path / f"{SECRET}\0"):
        with pytest.raises(InputError) as caught:
            read_secret(path, "mqtt.password_file")
        assert SECRET not in str(caught.value)
        assert "mqtt.password_file: expected the path of a file that holds the secret, found none" in str(caught.value)


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a regular file, found a folder or a device"):
        read_secret(tmp_path)


def test_redacted_settings_have_all_but_secrets() -> None:
    mqtt = Mqtt(host="broker", username="plant", password_file="/etc/edge-asd/password")
    assert redacted(mqtt) == msgspec.to_builtins(mqtt)
    shown_door = redacted(Door(rooms={"a": Room(pins=["1"])}, access_token=SECRET, secrets=[SECRET]))
    assert shown_door == {
        "rooms": {"a": {"pins": ["1"], "passphrase": None}},
        "access_token": "(hidden)",
        "secrets": ["(hidden)"],
    }
