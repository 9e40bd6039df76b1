"""Every configuration that ships loads, agrees with its schema, and says what it means."""

from __future__ import annotations

import configparser
import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from edge_asd.cli import COMMANDS
from edge_asd.configuration import load, read_mapping
from edge_asd.configuration.documents import recognized
from edge_asd.firmware import Firmware

FOLDER = Path(__file__).parents[1] / "firmware_configs"
CONFIGURATIONS = sorted(FOLDER.glob("*.yaml"))
RECIPES = sorted((FOLDER / "recipes").rglob("*.yaml"))
BOARDS = {"raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2w", "jetson-orin"}
SERVICE = FOLDER / "edge-asd.service"


def identity(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def test_every_board_and_use_has_a_configuration() -> None:
    assert {path.stem for path in CONFIGURATIONS} >= BOARDS | {"pump", "fan", "valve"}


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=identity)
def test_configurations_load(path: Path) -> None:
    firmware = load(path, Firmware)
    assert all(source.bundle.endswith(".easd") for source in firmware.sources)


@pytest.mark.parametrize("path", CONFIGURATIONS + RECIPES, ids=identity)
def test_shipped_files_follow_the_schema_that_they_name(path: Path) -> None:
    first_line = path.read_text(encoding="utf-8").splitlines()[0]
    schema_path = path.parent / first_line.removeprefix("# yaml-language-server: $schema=")
    data = read_mapping(path)
    assert schema_path.resolve() == FOLDER / f"{recognized(data, path).name}.schema.json"
    jsonschema.validate(data, json.loads(schema_path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", RECIPES, ids=identity)
def test_recipes_load(path: Path) -> None:
    assert load(path, recognized(read_mapping(path), path).record)


def test_devices_and_boards_differ() -> None:
    loaded = {path.stem: load(path, Firmware) for path in CONFIGURATIONS}
    assert len({firmware.device for firmware in loaded.values()}) == len(loaded)
    assert (
        len({(loaded[board].threads, loaded[board].mqtt, tuple(map(str, loaded[board].sources))) for board in BOARDS})
        == 4
    )


@pytest.fixture(scope="module")
def service() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(SERVICE, encoding="utf-8")
    return parser


def test_the_service_runs_for_ever_and_does_not_need_the_network(service: configparser.ConfigParser) -> None:
    assert service["Unit"]["Wants"] == "network-online.target"
    assert "network-online.target" in service["Unit"]["After"]
    assert "Requires" not in service["Unit"]
    assert service["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["Service"]["Restart"] == "always"
    assert service["Install"]["WantedBy"] == "multi-user.target"


def test_the_service_starts_a_command_that_there_is(service: configparser.ConfigParser) -> None:
    program, command, configuration = service["Service"]["ExecStart"].split()
    assert (Path(program).name, configuration) == ("edge-asd", "/etc/edge-asd/firmware.yaml")
    assert command in COMMANDS


def test_the_service_lets_the_daemon_ask_for_the_clock_and_the_microphone(service: configparser.ConfigParser) -> None:
    # adjtimex under a filter without it would kill the daemon, and ProtectClock forbids it as well.
    settings = service["Service"]
    assert "adjtimex" in settings["SystemCallFilter"].split()
    assert settings["SystemCallErrorNumber"] == "EPERM"
    assert settings["DeviceAllow"] == "char-alsa rw"
    assert not {"ProtectClock", "MemoryDenyWriteExecute", "PrivateDevices"} & set(settings)


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian package systemd)"
)
def test_systemd_understands_the_service(tmp_path: Path) -> None:
    unit = tmp_path / SERVICE.name
    unit.write_text(SERVICE.read_text(encoding="utf-8").replace("/opt/edge-asd/bin/edge-asd", "/bin/true"))
    command = ["systemd-analyze", "verify", str(unit)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
