"""Where the demonstration keeps everything: recordings, bundle, configuration, log, picture."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from edge_asd.errors import InputError
from edge_asd.files import write_atomically

_MARK = "# Written by `edge-asd demo`."

_CONFIGURATION = """\
{mark} All settings: firmware_configs/REFERENCE.md
device: {device}

{mqtt}

sources:
  - name: {machine}
    bundle: {bundle}
    # Simulated sound, as fast as it can be judged. Beside a real machine: "mic:USB Audio"
    source: "file:{recording}?speed=max"
    decision:
      # A decision falls once a second and looks back ten. Of 20 in a row the last ten share no sound with the first,
      # so one odd moment, which is in ten of them at most, is no anomaly yet.
      enter: 20
      # As long a calm, well below the threshold, ends it.
      exit: 20
      exit_fraction: 0.8

# Beside the recordings, so that nothing of a demonstration is left elsewhere: what the broker has yet to be told, and
# the sound of each anomaly. A device keeps them in its own folder of states.
spool: {{path: {state}/events.spool}}

# A sign of life twice a second instead of twice a minute: the demonstration's progress bar reads it.
health_interval_s: 0.5
"""

_OWN_BROKER = """\
# The demonstration's own broker speaks MQTT 3.1.1 alone, and takes a free port in place of this one (by way of
# EDGE_ASD__MQTT__PORT). Run by hand, the daemon wants a broker here.
mqtt: {{host: "{host}", port: {port}, version: "3.1.1"}}"""
_GIVEN_BROKER = 'mqtt: {{host: "{host}", port: {port}}}'

LOCAL = "127.0.0.1"
USUAL_PORT = 1883


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Folder(NamedTuple):
    """The files of one demonstration."""

    root: Path
    machine: str
    """Kind of machine: names the bundle, the device and its source."""

    @property
    def recordings(self) -> Path:
        """Normal sound to learn from."""
        return self.root / "normal"

    @property
    def bundle(self) -> Path:
        """What was learnt."""
        return self.root / f"{self.machine}.easd"

    @property
    def stretch(self) -> Path:
        """The sound that is replayed."""
        return self.root / "replay.wav"

    @property
    def configuration(self) -> Path:
        """The daemon's configuration."""
        return self.root / "firmware.yaml"

    @property
    def log(self) -> Path:
        """What the daemon wrote to standard error."""
        return self.root / "monitor.log"

    @property
    def state(self) -> Path:
        """What the daemon keeps: events, and clips of them."""
        return self.root / "state"

    @property
    def picture(self) -> Path:
        """What happened, to look at."""
        return self.root / "demo.png"

    @property
    def device(self) -> str:
        """Id of the simulated device."""
        return f"demo-{self.machine}"

    def prepare(self, broker: Address | None) -> None:
        """Make the folder, clear it of an earlier demonstration, and write the daemon's configuration.

        Parameters
        ----------
        broker
            A broker that runs already; None where the demonstration brings its own.

        Raises
        ------
        InputError
            When the folder cannot be written, or holds something else than an earlier demonstration.
        """
        self._clear()
        mqtt = _GIVEN_BROKER if broker else _OWN_BROKER
        address = broker or Address(LOCAL, USUAL_PORT)
        text = _CONFIGURATION.format(
            mark=_MARK,
            device=self.device,
            mqtt=mqtt.format(host=address.host, port=address.port),
            machine=self.machine,
            bundle=self.bundle.name,
            recording=self.stretch.name,
            state=self.state.name,
        )
        write_atomically(self.configuration, text.encode())

    def _clear(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not any(self.root.iterdir()):
                return
            if not self._is_a_demonstration():
                raise InputError(
                    str(self.root),
                    expected="a new or empty folder, or that of an earlier demonstration",
                    found="other files",
                    remedy="give another one with -o",
                )
            for folder in (self.recordings, self.state):
                shutil.rmtree(folder, ignore_errors=True)
            for path in (self.bundle, self.stretch, self.log, self.picture):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                str(self.root),
                expected="a folder that can be written",
                found=error.strerror or str(error),
                remedy="give another one with -o",
            ) from error

    def _is_a_demonstration(self) -> bool:
        if not self.configuration.is_file():
            return False
        with self.configuration.open(encoding="utf-8", errors="replace") as file:
            return file.readline().startswith(_MARK)
