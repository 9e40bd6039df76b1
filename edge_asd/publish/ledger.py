"""What the connection to the broker goes through: counted for the health message, told in the log."""

from __future__ import annotations

import logging
import time
from typing import Literal

from msgspec.structs import replace

from edge_asd.clock import rfc3339
from edge_asd.publish.payloads import Broker

_log = logging.getLogger(__name__)

_REPEAT_S = 600.0


class Ledger:
    """Counts and complaints of one broker.

    Parameters
    ----------
    address
        Where the broker is, for the log.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._told: dict[str, float] = {}
        self.figures = Broker()
        """The figures so far; replaced, never changed."""

    def connected(self, version: Literal["5", "3.1.1"], waiting: int) -> None:
        """Count a connection, made while so many events were `waiting`."""
        _log.info("connected to the broker at %s, MQTT %s, %d events to send", self.address, version, waiting)
        self.figures = replace(self.figures, connections=self.figures.connections + 1, protocol=version)

    def refused(self, problem: str, now: float) -> None:
        """Count something that the broker refused."""
        self.figures = replace(self.figures, refused=self.figures.refused + 1)
        self.tell(problem, now)

    def tell(self, problem: str, now: float, tail: str = "") -> None:
        """Keep what is wrong for the health message, and log it: what goes on being wrong, now and then."""
        line = f"broker at {self.address}: {problem}"
        self.figures = replace(self.figures, last_error=line, last_error_ts=rfc3339(time.time()))
        self._told = {line: at for line, at in self._told.items() if now - at < _REPEAT_S}
        repeated = line in self._told
        if not repeated:
            self._told[line] = now
        _log.log(logging.DEBUG if repeated else logging.WARNING, "%s%s", line, tail)

    def forgive(self) -> None:
        """Have whatever goes wrong from now on told again."""
        self._told.clear()
