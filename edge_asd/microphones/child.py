"""The process that records one microphone, and writes its sound to standard output.

It ends when its standard input does: nobody is left who would read what it writes.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from typing import Any, NamedTuple

from edge_asd.errors import CaptureError
from edge_asd.memory import release_code
from edge_asd.microphones import portaudio
from edge_asd.microphones.choice import MicrophoneInfo, find_microphone
from edge_asd.microphones.wire import Kind, Opened, error_to_bytes, opened_to_bytes, send

BLOCK_S = 0.1
"""Seconds of sound in one message."""
QUEUE_BLOCKS = 100
"""Blocks that wait while nobody reads; what comes on top of them is lost, and counted."""
_BUFFER_S = 0.5
"""What PortAudio is asked to buffer: a decision may wait, a sample must not be lost while Python is busy."""
_POLL_S = 0.25


class RawBlock(NamedTuple):
    """Sound as PortAudio gave it."""

    position: int
    """Number of the first sample since the stream was opened, with those that found no room."""
    samples: bytes
    """Float32, channels interleaved."""
    overflowed: bool
    """PortAudio lost samples before these, nobody knows how many."""


class BlockQueue:
    """Blocks from PortAudio's thread to ours: bounded, and what finds no room is counted."""

    def __init__(self, blocks: int = QUEUE_BLOCKS) -> None:
        self._queue: queue.Queue[RawBlock] = queue.Queue(blocks)
        self._position = 0
        self._overflowed = False

    def put(self, samples: Any, frames: int, *, overflowed: bool = False) -> None:
        """Take a block of so many samples of every channel, in a buffer that will be overwritten; never wait.

        One without samples is no sign of life.
        """
        self._overflowed |= overflowed
        if frames and not self._queue.full():
            # Only this thread puts: there is room until it has.
            self._queue.put_nowait(RawBlock(self._position, bytes(samples), self._overflowed))
            self._overflowed = False
        self._position += frames

    def get(self, timeout_s: float) -> RawBlock | None:
        """Return the next block; None when nothing comes in time."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None


class Request(NamedTuple):
    """Which microphone to open, and for what."""

    name: str | None
    """As in :func:`edge_asd.microphones.choice.find_microphone`."""
    channels: int
    """How many of its channels are listened to, from the first."""
    rate: int
    """Greatest sampling rate that the sound will be used at, in hertz."""


def record(library: Any, request: Request, descriptor: int) -> None:
    """Find the microphone, open it, and write its sound to a pipe until it ends.

    Raises
    ------
    InputError
        When several microphones fit.
    CaptureError
        When none fits, it cannot be opened, or it has gone.
    BrokenPipeError
        When nobody reads any more.
    """
    blocks, stopped = BlockQueue(), threading.Event()

    def hear(samples: Any, frames: int, _times: Any, status: Any) -> None:
        # PortAudio's own thread: copy, and nothing else.
        blocks.put(samples, frames, overflowed=status.input_overflow)

    found = find_microphone(request.name, portaudio.list_microphones(library))
    opened = _form(library, found, request)
    portaudio.unload_plugins()
    try:
        stream = library.RawInputStream(
            device=found.number,
            samplerate=opened.rate,
            channels=opened.channels,
            dtype="float32",
            blocksize=round(BLOCK_S * opened.rate),
            latency=_BUFFER_S,
            callback=hear,
            finished_callback=stopped.set,
        )
        stream.start()
    except library.PortAudioError as error:
        raise CaptureError(f"{_where(request)}: {found.name!r} cannot be opened ({error})") from error
    send(descriptor, b"O", opened_to_bytes(opened))
    release_code()
    while (block := blocks.get(_POLL_S)) or not stopped.is_set():
        # Whether PortAudio calls the stream active says nothing: sound arrives, or it does not.
        if block:
            kind: Kind = b"L" if block.overflowed else b"S"
            send(descriptor, kind, block.samples, block.position)
    raise CaptureError(f"{_where(request)}: the microphone has gone")


def _form(library: Any, found: MicrophoneInfo, request: Request) -> Opened:
    """Return how to open a microphone: at its own rate, or at another that it takes where that one will not do."""
    channels = portaudio.channels_to_open(found, request.channels)
    enough = [rate for rate in (found.default_rate, *portaudio.RATES) if rate >= request.rate]
    lower = [rate for rate in (found.default_rate, *reversed(portaudio.RATES)) if rate < request.rate]
    taken = (rate for rate in enough + lower if portaudio.takes(library, found, rate, channels))
    return Opened(found.name, next(taken, found.default_rate), channels)


def _where(request: Request) -> str:
    return f"mic:{request.name}" if request.name else "mic"


def _end_with_parent() -> None:
    # PortAudio may hang in any call; this thread does not.
    while os.read(0, 4096):
        pass
    os._exit(0)


def main(argv: list[str]) -> None:
    """Record a microphone until it ends or nobody listens; the one argument is a :class:`Request` in JSON."""
    # Ctrl-C is for the parent, which then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _record_or_tell(Request(**json.loads(argv[0])))
    finally:
        # Without goodbye to PortAudio, which may hang there too.
        os._exit(0)


def _record_or_tell(request: Request) -> None:
    try:
        record(portaudio.load_portaudio(), request, 1)
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent is to know
        send(1, b"E", error_to_bytes(error))
