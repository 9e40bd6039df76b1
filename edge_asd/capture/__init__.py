"""Sources of sound: microphones, recordings and standard input → blocks of mono samples, and gaps between them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator

from edge_asd.audio import Channel
from edge_asd.capture.address import Files, Microphone, SourceAddress, Stdin, parse_source
from edge_asd.capture.feed import Feeds, Need
from edge_asd.capture.files import FilesCapture
from edge_asd.capture.items import Block, Gap, Item
from edge_asd.capture.levels import Levels
from edge_asd.capture.microphone import MicrophoneCapture
from edge_asd.capture.stdin import StdinCapture
from edge_asd.capture.watch import SignalFault, SignalWatch

__all__ = [
    "Block",
    "Capture",
    "Feeds",
    "Files",
    "Gap",
    "Item",
    "Levels",
    "Microphone",
    "Need",
    "SignalFault",
    "SignalWatch",
    "SourceAddress",
    "Stdin",
    "open_capture",
    "parse_source",
]

Capture = Iterable[Item]
"""Sound as it comes, until the source ends."""


@contextlib.contextmanager
def open_capture(
    address: SourceAddress,
    *,
    sample_rate: int,
    channel: Channel = 0,
    feeds: Feeds | None = None,
    stopping: threading.Event | None = None,
) -> Iterator[Capture]:
    """Open a source, and close it when the context is left.

    Parameters
    ----------
    address
        Where the sound comes from.
    sample_rate
        Rate of the samples that are given, in hertz.
    channel
        Channel to listen to, counted from 0, or `mix`.
    feeds
        Microphones that several sources may share; a microphone is this capture's own where left out.
    stopping
        Set by whoever wants to hear no more; a microphone that gives nothing then holds nobody up.

    Raises
    ------
    InputError
        When the source can never be used so: a missing file, an ambiguous name, a channel that is not there.
    CaptureError
        When it cannot be used now: a microphone that is not plugged in, or gives nothing.
    """
    if isinstance(address, Files):
        yield FilesCapture(address, sample_rate=sample_rate, channel=channel)
    elif isinstance(address, Stdin):
        yield StdinCapture(address, sample_rate=sample_rate, channel=channel)
    else:
        need = Need(address.name, channel, sample_rate)
        with (feeds or Feeds()).listen(need, stopping) as subscription:
            yield MicrophoneCapture(subscription, need)
