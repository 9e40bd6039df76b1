"""One microphone's process, and its sound to all who listen: a queue for each, so that none waits for another.

The process is killed when it falls silent, ends, or nobody listens any more; whoever still wants to hear asks anew.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import queue
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Channel
from edge_asd.capture.pipe import POLL_S, Pipe
from edge_asd.errors import CaptureError, InputError
from edge_asd.isolation import isolated_python
from edge_asd.microphones.child import QUEUE_BLOCKS, Request
from edge_asd.microphones.wire import Opened, parse_error, parse_opened

_log = logging.getLogger(__name__)

STALLED_S = 5.0
"""Seconds without a sample after which a microphone counts as stalled; the first may take two."""
START_S = 15.0
"""Seconds that the process may take to find and open its microphone: a slow board, a dozen sound devices."""
_KILL_S = 2.0


class Arrival(NamedTuple):
    """Sound of a microphone."""

    position: int
    """Number of the first sample since the microphone was opened, with those that were lost on the way."""
    samples: NDArray[np.float32]
    """Shape (n, channels); shared by all who listen, so not to be changed."""
    overflowed: bool
    """PortAudio lost samples before these, nobody knows how many."""


class Subscription:
    """What one listener gets of a feed."""

    def __init__(self, feed: Feed, stopping: threading.Event) -> None:
        self._feed = feed
        self._stopping = stopping
        self._queue: queue.Queue[Arrival] = queue.Queue(QUEUE_BLOCKS)
        self._overflowed = False

    def opened(self) -> Opened:
        """Wait until the microphone is open, and return how.

        Raises
        ------
        InputError, CaptureError
            When it cannot be opened.
        """
        while not self._feed.settled.wait(POLL_S):
            self._check_wanted()
        return self._feed.opened()

    def _check_wanted(self) -> None:
        if self._stopping.is_set():
            raise CaptureError("nobody listens any more")

    def put(self, arrival: Arrival) -> None:
        """Take an arrival, or leave it out where there is no room: its position tells."""
        overflowed = self._overflowed or arrival.overflowed
        try:
            self._queue.put_nowait(arrival._replace(overflowed=overflowed))
            self._overflowed = False
        except queue.Full:
            self._overflowed = overflowed

    def get(self) -> Arrival:
        """Wait for the next arrival.

        Raises
        ------
        InputError, CaptureError
            When there will be none: the feed has ended, and all that came before was given.
        """
        while True:
            ended = self._feed.ended
            try:
                return self._queue.get(timeout=0.0 if ended else POLL_S)
            except queue.Empty:
                if ended:
                    raise ended from None
            self._check_wanted()


class Feed:
    """One process that records a microphone, and whoever listens to it.

    Parameters
    ----------
    command
        Starts the process.
    where
        How errors name the microphone.
    stalled_s
        Seconds without a sample after which it counts as stalled.
    start_s
        Seconds that opening it may take.
    """

    def __init__(
        self, command: Sequence[str], where: str, *, stalled_s: float = STALLED_S, start_s: float = START_S
    ) -> None:
        self._command, self._where = command, where
        self._stalled_s, self._start_s = stalled_s, start_s
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []
        self._opened: Opened | None = None
        self.settled = threading.Event()
        """Set once the microphone is open, or cannot be opened."""
        self._stopping = threading.Event()
        self._ended: InputError | CaptureError | None = None
        threading.Thread(target=self._run, name=f"feed-{where}", daemon=True).start()

    @property
    def ended(self) -> InputError | CaptureError | None:
        """Why there is no more sound; None while there is."""
        return self._ended

    def subscribe(self, stopping: threading.Event | None = None) -> Subscription:
        """Begin to listen, until `stopping` is set."""
        subscription = Subscription(self, stopping or threading.Event())
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> bool:
        """Cease to listen, and return whether nobody does any more."""
        with self._lock:
            self._subscriptions.remove(subscription)
            return not self._subscriptions

    def close(self) -> None:
        """Have the process killed; what it may hang in is not waited for."""
        self._stopping.set()

    def opened(self) -> Opened:
        """Return how the microphone was opened, once that is settled.

        Raises
        ------
        InputError, CaptureError
            When it cannot be opened.
        """
        if self._opened is None:
            raise self._ended or CaptureError(f"{self._where}: closed before it was open")
        return self._opened

    def _run(self) -> None:
        try:
            # The child's own complaints are ALSA's and say nothing to anybody; its errors come through the pipe.
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
        except OSError as error:
            self._end(CaptureError(f"{self._where}: no process can be started to record it ({error})"))
            return
        try:
            self._end(self._pump(process))
        except (CaptureError, InputError) as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 - a guard: whoever listens must hear of it
            _log.exception("%s: the feed failed", self._where)
            self._end(CaptureError(f"{self._where}: the feed failed ({error!r})"))
        finally:
            self._kill(process)

    def _pump(self, process: subprocess.Popen[bytes]) -> CaptureError | InputError:
        pipe = Pipe(cast("io.FileIO", process.stdout), self._where, self._stopping)
        limit = self._start_s
        while True:
            header = pipe.header(limit)
            if header.kind == b"E":
                return parse_error(pipe.payload(header))
            if header.kind == b"O":
                self._opened = parse_opened(pipe.payload(header))
                self.settled.set()
                limit = self._stalled_s
            elif self._opened is not None:
                self._give(Arrival(header.position, pipe.samples(header, self._opened.channels), header.kind == b"L"))

    def _give(self, arrival: Arrival) -> None:
        with self._lock:
            for subscription in self._subscriptions:
                subscription.put(arrival)

    def _end(self, error: InputError | CaptureError) -> None:
        self._ended = error
        self.settled.set()

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            _log.error("%s: the capture process %d cannot be killed; it is left behind", self._where, process.pid)


class Need(NamedTuple):
    """What a source needs of a microphone."""

    name: str | None
    channel: Channel
    rate: int
    """Rate of the samples that it will use, in hertz."""


class Feeds:
    """The feeds of this daemon: sources that write a microphone alike share one process.

    Parameters
    ----------
    needs
        What all sources together need: a microphone is opened once, with enough channels and rate for each of them.
    """

    def __init__(self, needs: Iterable[Need] = ()) -> None:
        self._requests: dict[str | None, Request] = {}
        self._feeds: dict[str | None, Feed] = {}
        self._lock = threading.Lock()
        self.expect(needs)

    def expect(self, needs: Iterable[Need]) -> None:
        """Say what all sources together need from now on; a microphone that is open remains as it is."""
        with self._lock:
            self._requests = {}
            for need in needs:
                self._requests[need.name] = self._request(need)

    @contextlib.contextmanager
    def listen(self, need: Need, stopping: threading.Event | None = None) -> Iterator[Subscription]:
        """Listen to a microphone, until the context is left or `stopping` is set."""
        with self._lock:
            feed = self._feeds.get(need.name)
            if feed is None or feed.ended:
                feed = self._feeds[need.name] = self._start(self._request(need))
            subscription = feed.subscribe(stopping)
        try:
            yield subscription
        finally:
            with self._lock:
                if feed.unsubscribe(subscription):
                    feed.close()
                    if self._feeds.get(need.name) is feed:
                        del self._feeds[need.name]

    def _request(self, need: Need) -> Request:
        known = self._requests.get(need.name, Request(need.name, 1, 1))
        channels = 2 if need.channel == "mix" else need.channel + 1
        return Request(need.name, max(known.channels, channels), max(known.rate, need.rate))

    def _start(self, request: Request) -> Feed:
        return Feed(child_command(request), f"mic:{request.name}" if request.name else "mic")


def child_command(request: Request) -> list[str]:
    """Return what starts the process that records.

    It is told where our modules are instead of looking for them, which would cost it 2 MiB; nor does it take any from
    the folder that it happens to be started in.
    """
    return isolated_python("edge_asd.microphones.child", json.dumps(request._asdict()), site=False)
