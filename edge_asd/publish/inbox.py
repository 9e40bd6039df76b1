"""What comes in from the broker: commands, and the sign that Home Assistant has started."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge_asd.publish.requests import Incoming
from edge_asd.publish.session import Received
from edge_asd.publish.topics import CHECK, Topics

_log = logging.getLogger(__name__)


class Inbox:
    """Sorts what comes in.

    Parameters
    ----------
    topics
        The device's topics.
    obey
        Takes each command.
    births
        Topics on which `online` means that a reader of ours has started and knows nothing yet.
    welcome
        Called then.
    """

    def __init__(
        self,
        topics: Topics,
        obey: Callable[[Incoming], None],
        births: tuple[str, ...] = (),
        welcome: Callable[[], None] = lambda: None,
    ) -> None:
        self._topics = topics
        self._obey = obey
        self.births = births
        """Those of other people's."""
        self._welcome = welcome
        self.filters = (topics.requests(), *births)
        """What to subscribe to."""

    def take(self, message: Received) -> None:
        """Take a message."""
        if message.topic in self.births:
            if message.payload == b"online":
                self._welcome()
            return
        command = self._topics.command(message.topic)
        if command is None or command == CHECK:
            return
        if message.retained:
            # It would be carried out again at every connection, long after whoever sent it forgot.
            _log.warning("command %.64s ignored: it is retained; publish it without", command)
            return
        self._obey(Incoming(command, message.payload, message.reply_topic, message.correlation))
