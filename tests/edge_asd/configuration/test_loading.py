"""From a file to a typed record: files that are none, and the paths that a configuration holds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_asd.configuration import load, read_mapping, resolve_path
from edge_asd.configuration.firmware_file import load_firmware
from edge_asd.errors import InputError
from edge_asd.firmware import Firmware

FIRMWARE = """\
device: pump-hall-07
mqtt: {host: broker.local, port: 1883}
sources:
  - {name: pump-3, bundle: pump-3.easd, source: "mic:USB Audio"}
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfea\x00", "expected a YAML file in UTF-8, found another encoding or no text"),
        (b"PK\x03\x04\x00\x00", "expected a YAML file, found a binary file"),
        (b"a: 1\n" * 60000, "expected a YAML file of at most 262,144 bytes, found a larger file"),
        (b"", "expected a mapping of settings ('key: value' lines), found nothing"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "firmware.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load(path, Firmware)
    assert str(caught.value) == f"{path}: {message}"


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "firmware.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + FIRMWARE.encode())
    assert load(path, Firmware).device == "pump-hall-07"


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a YAML file, found No such file or directory"):
        load(tmp_path / "none.yaml", Firmware)
    with pytest.raises(InputError, match="expected a YAML file, found a folder"):
        load(tmp_path, Firmware)


def test_read_mapping_gives_plain_data(tmp_path: Path) -> None:
    path = tmp_path / "firmware.yaml"
    path.write_text(FIRMWARE)
    assert read_mapping(path)["mqtt"] == {"host": "broker.local", "port": 1883}


def test_paths_are_relative_to_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_path("pump.easd", tmp_path / "firmware.yaml") == tmp_path / "pump.easd"
    assert resolve_path("/srv/pump.easd", tmp_path / "firmware.yaml") == Path("/srv/pump.easd")
    monkeypatch.chdir(tmp_path)
    assert resolve_path("a/b.easd", Path("firmware.yaml")) == tmp_path / "a/b.easd"
    monkeypatch.setenv("HOME", "/srv/plant")
    assert resolve_path("~/b.easd", Path("firmware.yaml")) == Path("/srv/plant/b.easd")


def test_every_path_of_a_firmware_configuration_becomes_absolute(tmp_path: Path) -> None:
    path = tmp_path / "firmware.yaml"
    path.write_text(
        "device: d\n"
        "mqtt: {host: b, username: u, password_file: pw, tls: {ca_file: ca.pem, cert_file: c.pem, key_file: /k.pem}}\n"
        "sources:\n"
        "  - {name: a, bundle: a.easd, source: 'file:sound/a.wav?speed=max'}\n"
        "  - {name: b, bundle: /b.easd, source: 'mic:file'}\n"
    )
    firmware = load_firmware(path)
    assert firmware.mqtt.password_file == str(tmp_path / "pw")
    assert firmware.mqtt.tls is not None
    assert firmware.mqtt.tls.ca_file == str(tmp_path / "ca.pem")
    assert (firmware.mqtt.tls.cert_file, firmware.mqtt.tls.key_file) == (str(tmp_path / "c.pem"), "/k.pem")
    assert [source.bundle for source in firmware.sources] == [str(tmp_path / "a.easd"), "/b.easd"]
    assert [source.source for source in firmware.sources] == [f"file:{tmp_path}/sound/a.wav?speed=max", "mic:file"]


def test_a_spool_that_is_not_named_stands_where_the_system_keeps_state(tmp_path: Path) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for path in paths:
        path.write_text("device: d\nmqtt: {host: b}\nsources: [{name: a, bundle: a.easd, source: mic}]\n")
    home, state, systemd = (
        {"HOME": "/home/x"},
        {"XDG_STATE_HOME": "/state"},
        {"STATE_DIRECTORY": "/var/lib/edge-asd:/b"},
    )
    found = [
        Path(str(load_firmware(path, environ=environ).spool.path))
        for environ in (home, home | state, home | state | systemd)
        for path in paths
    ]
    assert [str(path.parent) for path in found[::2]] == [
        "/home/x/.local/state/edge-asd",
        "/state/edge-asd",
        "/var/lib/edge-asd",
    ]
    assert len({path.name for path in found}) == 2
    assert all(re.fullmatch(r"d-[0-9a-f]{8}\.spool", path.name) for path in found)
    paths[0].write_text(paths[0].read_text() + "spool: {path: e.spool, max_bytes: 2000000}\n")
    assert load_firmware(paths[0], environ=systemd).spool.path == str(tmp_path / "e.spool")


@pytest.mark.parametrize(
    ("spool", "clips"),
    [("", "d-[0-9a-f]{8}.clips"), ("state/e.spool", "state/e.clips"), ("events", "events.clips")],
)
def test_clips_stand_beside_the_spool_where_nothing_else_is_said(tmp_path: Path, spool: str, clips: str) -> None:
    path = tmp_path / "a.yaml"
    text = "device: d\nmqtt: {host: b}\nsources: [{name: a, bundle: a.easd, source: mic}]\n"
    path.write_text(text + (f"spool: {{path: {spool}}}\n" if spool else ""))
    found = load_firmware(path, environ={"STATE_DIRECTORY": str(tmp_path)}).evidence.path
    assert re.fullmatch(f"{tmp_path}/{clips}", str(found))
    path.write_text(path.read_text() + "evidence: {path: kept}\n")
    assert load_firmware(path).evidence.path == str(tmp_path / "kept")


def test_reading_a_configuration_loads_no_heavy_module() -> None:
    code = "import sys, edge_asd.configuration, edge_asd.firmware; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
