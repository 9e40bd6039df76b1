from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.capture import Files, parse_source
from edge_asd.configuration.firmware_file import load_firmware
from edge_asd.errors import InputError
from edge_asd_export.demo.folder import Address, Folder


def test_the_configuration_is_the_daemon_s(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "new" / "demo", "sliding")
    folder.prepare(None)
    firmware = load_firmware(folder.configuration, environ={})
    assert (firmware.device, firmware.mqtt.host, firmware.mqtt.port) == ("demo-sliding", "127.0.0.1", 1883)
    # amqtt knows no other version.
    assert firmware.mqtt.version == "3.1.1"
    (source,) = firmware.sources
    assert (Path(source.bundle), source.name) == (folder.bundle, "sliding")
    assert parse_source(source.source) == Files(folder.stretch, real_time=False)
    assert source.decision.enter == 20
    # Nothing is left where the user does not look.
    assert firmware.spool.path == str(folder.state / "events.spool")
    assert firmware.evidence.path == str(folder.state / "events.clips")


@pytest.mark.parametrize("host", ["broker.local", "::1"])
def test_a_given_broker_stands_in_it(tmp_path: Path, host: str) -> None:
    folder = Folder(tmp_path / "demo", "rotating")
    folder.prepare(Address(host, 8883))
    mqtt = load_firmware(folder.configuration, environ={}).mqtt
    assert (mqtt.host, mqtt.port, mqtt.version) == (host, 8883, "auto")


def test_an_earlier_demonstration_is_cleared_away_and_nothing_else(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "demo", "rotating")
    folder.prepare(None)
    folder.recordings.mkdir()
    folder.state.mkdir()
    mine = folder.root / "notes.txt"
    old = folder.recordings / "00000047.wav", folder.state / "events.spool", folder.bundle, folder.stretch
    for path in (*old, folder.log, folder.picture, mine):
        path.write_text("old")
    folder.prepare(Address("localhost", 1884))
    assert sorted(folder.root.iterdir()) == sorted([folder.configuration, mine])


@pytest.mark.parametrize("name", ["notes.txt", "firmware.yaml"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "normal").mkdir()
    (tmp_path / "normal" / "00000000.wav").write_text("irreplaceable")
    (tmp_path / name).write_text("device: my-own\n")
    with pytest.raises(InputError, match="expected a new or empty folder, or that of an earlier demonstration"):
        Folder(tmp_path, "rotating").prepare(None)
    assert (tmp_path / "normal" / "00000000.wav").read_text() == "irreplaceable"
    assert (tmp_path / name).read_text() == "device: my-own\n"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/demo: expected a folder that can be written, found Not a directory"):
        Folder(tmp_path / "file" / "demo", "rotating").prepare(None)


def test_an_address_is_written_as_it_is_given() -> None:
    assert str(Address("localhost", 1883)) == "localhost:1883"
    assert str(Address("::1", 1883)) == "[::1]:1883"
