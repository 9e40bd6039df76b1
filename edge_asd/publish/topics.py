"""Every topic of the MQTT contract, built in one place."""

from __future__ import annotations

import re
from typing import NamedTuple

from edge_asd.errors import InputError

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")


class Topics(NamedTuple):
    """Topics of one device."""

    base: str
    """First part of every topic, such as `edge-asd`."""
    device: str
    """Id of the device."""

    def availability(self) -> str:
        """`online` or `offline`; retained, and the last will."""
        return self._of_device("availability")

    def info(self) -> str:
        """What runs on the device; retained."""
        return self._of_device("info")

    def health(self) -> str:
        """How the device fares; retained."""
        return self._of_device("health")

    def state(self, source: str) -> str:
        """Verdict of one source; retained."""
        return self._of_device(checked_id("source", source), "state")

    def event(self, source: str) -> str:
        """Anomalies of one source; not retained."""
        return self._of_device(checked_id("source", source), "event")

    def _of_device(self, *levels: str) -> str:
        return "/".join((self.base, checked_id("device", self.device), *levels))


def checked_id(what: str, identifier: str) -> str:
    """Return `identifier` if it can be a level of a topic.

    Raises
    ------
    InputError
        When it is empty or holds anything but letters, digits, `_` and `-`: MQTT gives `+`, `#` and `/` a meaning.
    """
    if _IDENTIFIER.fullmatch(identifier):
        return identifier
    raise InputError(what, expected="letters, digits, '_' or '-' alone", found=repr(identifier))
