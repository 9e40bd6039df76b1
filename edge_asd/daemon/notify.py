"""What systemd is told, through the socket that it names: sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Tells systemd; without one it does nothing.

    Parameters
    ----------
    environ
        The environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte of an abstract name.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every_s = _watchdog_s(environ) / 3
        self._due = 0.0

    def tell(self, *lines: str) -> None:
        """Tell, such as `READY=1`; whatever goes wrong is no reason to cease listening."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as link:
                link.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            _log.warning("systemd cannot be told %s: %s", lines[0], error)

    def ping(self) -> None:
        """Keep the watchdog quiet; often enough is often enough."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + self._every_s
            self.tell("WATCHDOG=1")


def _watchdog_s(environ: Mapping[str, str]) -> float:
    period = environ.get("WATCHDOG_USEC", "")
    if not period.isdigit() or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return float("inf")
    return int(period) / 1e6
