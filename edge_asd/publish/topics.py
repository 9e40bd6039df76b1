"""Every topic of the MQTT contract, built in one place."""

from __future__ import annotations

import re
from typing import NamedTuple

from edge_asd.errors import InputError

CHECK = "check"
"""No command: what `edge-asd check-broker` sends to itself."""
_LONGEST_REPLY_BYTES = 256
_DEEPEST_REPLY_LEVELS = 128
"""What brokers take: AWS IoT Core 256 bytes, EMQX 128 levels, mosquitto 201; one that gets more ends the connection."""
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

    def request(self, command: str) -> str:
        """Return the topic of one command."""
        return self._of_device("request", checked_id("command", command))

    def requests(self) -> str:
        """Return the filter of all commands to the device."""
        return self._of_device("request", "+")

    def command(self, topic: str) -> str | None:
        """Return the command that a topic of a request names; None for any other topic."""
        start = self._of_device("request", "")
        return topic.removeprefix(start) if topic.startswith(start) else None

    def response(self, command: str) -> str:
        """Answers to a command; not retained."""
        return self._of_device("response", checked_id("command", command))

    def takes_reply(self, topic: str, home_prefix: str) -> bool:
        """Say whether an answer may be sent to a topic that whoever sent the request asks for.

        None to a topic that the broker would refuse, or end the connection for; none to another device as a request;
        and none where something else is told: below the base topic anywhere but at `DEVICE/response/…`, and below
        `home_prefix`, the first part of Home Assistant's topics.
        """
        levels = topic.split("/")
        is_usable = (
            topic.isprintable()
            and not topic.startswith("$")
            and not set(topic) & set("+#")
            and 0 < len(topic.encode()) <= _LONGEST_REPLY_BYTES
            and len(levels) <= _DEEPEST_REPLY_LEVELS
        )
        if not is_usable or "request" in levels[1:-1] or _is_below(topic, home_prefix):
            return False
        if not _is_below(topic, self.base):
            return True
        device, _, rest = topic.removeprefix(f"{self.base}/").partition("/")
        return is_id(device) and rest.startswith("response/")

    def _of_device(self, *levels: str) -> str:
        return "/".join((self.base, checked_id("device", self.device), *levels))


def checked_id(what: str, identifier: str) -> str:
    """Return `identifier` if it can be a level of a topic.

    Raises
    ------
    InputError
        When it is empty or holds anything but letters, digits, `_` and `-`: MQTT gives `+`, `#` and `/` a meaning.
    """
    if is_id(identifier):
        return identifier
    raise InputError(what, expected="letters, digits, '_' or '-' alone", found=repr(identifier))


def is_id(text: str) -> bool:
    """Say whether `text` can be a level of a topic."""
    return _IDENTIFIER.fullmatch(text) is not None


def _is_below(topic: str, first: str) -> bool:
    return f"{topic}/".startswith(f"{first}/")
