"""A microphone as a source: one channel of a feed, at the rate that is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from edge_asd.audio import check_channel, to_mono
from edge_asd.capture.feed import Arrival, Need, Subscription
from edge_asd.capture.items import Item
from edge_asd.capture.track import Track


class MicrophoneCapture:
    """Gives blocks and gaps of a microphone for as long as it is heard.

    It is opened at its own rate and resampled here: many USB microphones refuse any other.

    Parameters
    ----------
    subscription
        What is heard.
    need
        Which channel to take, and the rate of the samples that are given.

    Raises
    ------
    InputError
        When PortAudio is not installed, several microphones fit, or the one that does lacks the channel.
    CaptureError
        When none fits, or it cannot be opened; from the iterator, when it is heard no more.
    """

    def __init__(self, subscription: Subscription, need: Need) -> None:
        opened = subscription.opened()
        check_channel(f"mic:{opened.name}", need.channel, opened.channels)
        self._subscription, self._channel = subscription, need.channel
        self._track = Track(opened.rate, need.rate)
        self._position: int | None = None

    def __iter__(self) -> Iterator[Item]:
        while True:
            arrival = self._subscription.get()
            yield from self._gaps(arrival)
            yield from self._track.process(to_mono(arrival.samples, self._channel))

    def _gaps(self, arrival: Arrival) -> list[Item]:
        # Whoever comes to a microphone that others hear already begins in the midst of its count.
        lost = 0 if self._position is None else arrival.position - self._position
        self._position = arrival.position + len(arrival.samples)
        items: list[Item] = []
        if lost:
            reason = f"{lost} samples found no room: this machine is too slow"
            items += self._track.gap(lost, reason, overflow=True)
        if arrival.overflowed:
            # What was lost twice before the same sound was lost in one overflow.
            items += self._track.gap(None, "PortAudio lost samples: this machine is too busy", overflow=not lost)
        return items
