"""`edge-asd check-broker`: which step on the way to the broker fails, and how to mend it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edge_asd.configuration.firmware_file import load_firmware
from edge_asd.configuration.secrets import read_secret
from edge_asd.errors import CheckFailedError
from edge_asd.publish.checkup import check_broker

EXAMPLE = """\
  edge-asd check-broker firmware.yaml

tries in turn: name, tcp, tls, mqtt, publish (may this user write each of the device's topics?) and subscribe (do
commands come through?). A daemon that runs is not disturbed: the client id ends in -check, and what is sent is empty
and not retained.

exit status: 0 all steps hold, 1 one does not, 2 the configuration is wrong"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", type=Path, help="firmware configuration (YAML)")


def run(arguments: argparse.Namespace) -> int:
    """Print what came of each step; 1 where one fails."""
    firmware = load_firmware(arguments.config, environ=os.environ)
    mqtt = firmware.mqtt
    password = read_secret(Path(mqtt.password_file)) if mqtt.password_file else None
    for step in check_broker(mqtt, firmware.device, [source.name for source in firmware.sources], password):
        print(f"{step.name:<9}  {'holds' if step.holds else 'FAILS'}  {step.words}", flush=True)
        if not step.holds:
            raise CheckFailedError(f"broker at {mqtt.host}:{mqtt.port}: {step.name}: {step.words}")
    return 0
