"""The daemon as a process of its own: `edge-asd monitor`, run by the same interpreter as this one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from edge_asd.configuration.overrides import PREFIX
from edge_asd.isolation import isolated_python
from edge_asd_export.demo.folder import Address, Folder

_PATIENCE_S = 10.0


class Daemon:
    """A daemon that has been started."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Folder) -> None:
        self._process, self._folder = process, folder

    def status(self, wait_s: float = 0.0) -> int | None:
        """Return its exit status, waiting for so long; None where it still runs."""
        try:
            return self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return None

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = self._folder.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "nothing in its log")


@contextmanager
def running_daemon(folder: Folder, broker: Address) -> Iterator[Daemon]:
    """Run the daemon on the folder's configuration; it has ended when the context has.

    Raises
    ------
    OSError
        When its log cannot be written.
    """
    command = isolated_python("edge_asd.cli", "monitor", str(folder.configuration), "--once")
    with folder.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(os.environ, broker)
        )
    try:
        yield Daemon(process, folder)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(given: Mapping[str, str], broker: Address) -> dict[str, str]:
    # Overrides meant for the user's own daemon would make this one do something else.
    kept = {name: value for name, value in given.items() if not name.upper().startswith(PREFIX)}
    return {**kept, f"{PREFIX}MQTT__PORT": str(broker.port)}
