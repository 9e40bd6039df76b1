"""Where a recording's signal is live: what a dead microphone or a lost cable gives is no sound of the machine.

What the daemon would not judge is neither judged, trained on nor calibrated with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Roll, read_blocks
from edge_asd.capture import Block, Files, SignalFault, open_capture
from edge_asd.capture.watch import DROPOUT_S
from edge_asd.errors import InputError
from edge_asd.recipe.graph import Recipe

_KNOWN_AFTER_S: dict[SignalFault, float] = {"dropout": DROPOUT_S, "silent": DROPOUT_S, "clipped": 1.0}
"""Seconds of a fault that are over before it is known."""
_NAMED = 8
"""How many recordings a note names."""
_WORDS: dict[SignalFault, str] = {"dropout": "interrupted", "silent": "silent", "clipped": "clipped"}

Stretches = Iterable[tuple[NDArray[np.float32], SignalFault | None]]


class Span(NamedTuple):
    """An unbroken stretch of live signal, in samples at the recipe's rate."""

    start: int
    stop: int


class Live(NamedTuple):
    """What of a recording is live."""

    spans: list[Span]
    """Where it is, for a horizon or longer."""
    heard: int
    """Length of the recording, in samples at the recipe's rate."""
    faults: frozenset[SignalFault]
    """What is wrong with the signal elsewhere."""


def find_live(path: Path, recipe: Recipe, roll: Roll | None = None) -> Live:
    """Listen through a recording, which enters a roll where one is given.

    Raises
    ------
    InputError
        When it cannot be read, is shorter than the recipe's horizon, or the roll refuses it.
    """
    finder = _Finder(recipe)
    blocks = finder.passing(_watched(path, recipe))
    for _ in blocks if roll is None else roll.enter(path, blocks):
        pass
    live = finder.found()
    if live.heard < recipe.horizon_samples:
        raise too_short(str(path), live.heard / recipe.sample_rate, recipe)
    return live


def require_any_live(recipe: Recipe, lives: Mapping[Path, Live]) -> None:
    """Refuse recordings none of which holds a horizon of live signal; an InputError names the first."""
    if lives and not any(live.spans for live in lives.values()):
        path, live = next(iter(lives.items()))
        raise no_live_signal(str(path), live.faults, recipe.horizon.seconds)


def live_pieces(path: Path, recipe: Recipe, live: Live) -> Iterator[tuple[int, Iterator[NDArray[np.float32]]]]:
    """Give the start and the samples, block by block, of each live span of a recording, as `read_spans` does."""
    return read_spans(path, recipe, live.spans)


def read_spans(
    path: Path, recipe: Recipe, spans: Iterable[Span]
) -> Iterator[tuple[int, Iterator[NDArray[np.float32]]]]:
    """Give the start and the samples, block by block, of ascending spans of a recording, which is read once.

    The blocks of a span are to be taken before the next span is.
    """
    blocks = read_blocks(path, channel=recipe.channel, sample_rate=recipe.sample_rate)
    for start, pieces in groupby(_cut(blocks, spans), key=itemgetter(0)):
        yield start, map(itemgetter(1), pieces)


def _cut(blocks: Iterable[NDArray[np.float32]], spans: Iterable[Span]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Give what lies within spans, each piece with the start of its own."""
    position, waiting = 0, deque(spans)
    for block in blocks:
        begin, position = position, position + len(block)
        while waiting and waiting[0].start < position:
            start, stop = waiting[0]
            yield start, block[max(0, start - begin) : stop - begin]
            if stop > position:
                break
            waiting.popleft()
        if not waiting:
            return


class _Finder:
    def __init__(self, recipe: Recipe) -> None:
        self._horizon, self._rate = recipe.horizon_samples, recipe.sample_rate
        self._spans: list[Span] = []
        self._faults: set[SignalFault] = set()
        self._start = self._heard = 0

    def passing(self, stretches: Stretches) -> Iterator[NDArray[np.float32]]:
        """Pass samples on, and mind what was wrong with them."""
        for samples, fault in stretches:
            begin, self._heard = self._heard, self._heard + len(samples)
            if fault is not None:
                self._end(begin - round(_KNOWN_AFTER_S[fault] * self._rate))
                self._start = self._heard
                self._faults.add(fault)
            yield samples
        self._end(self._heard)

    def found(self) -> Live:
        return Live(self._spans, self._heard, frozenset(self._faults))

    def _end(self, stop: int) -> None:
        if stop - self._start >= self._horizon:
            self._spans.append(Span(self._start, stop))


def _watched(path: Path, recipe: Recipe) -> Stretches:
    """Give a recording's samples as the daemon hears them, each block with what is wrong with the signal by then."""
    address = Files(path, real_time=False)
    with open_capture(address, sample_rate=recipe.sample_rate, channel=recipe.channel) as capture:
        # A single recording has no gaps.
        yield from ((block.samples, block.fault) for block in capture if isinstance(block, Block))


def said_of(faults: Iterable[SignalFault]) -> str:
    """Return what is wrong with a signal, in words."""
    return " and ".join(sorted(_WORDS[fault] for fault in faults))


def left_out_dead(recipe: Recipe, lives: Mapping[Path, Live]) -> list[str]:
    """Return a note on what is left out of recordings because the signal is not live; none where nothing is."""
    found = [
        f"{path} ({said_of(live.faults)}, {_left_out_of(live, recipe)})" for path, live in lives.items() if live.faults
    ]
    named = ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
    return [f"left out where there is no live signal, as they would not be judged: {named}"] if found else []


def _left_out_of(live: Live, recipe: Recipe) -> str:
    if not live.spans:
        return "all of it"
    return f"{(live.heard - sum(stop - start for start, stop in live.spans)) / recipe.sample_rate:.1f} s"


def no_live_signal(where: str, faults: Iterable[SignalFault], seconds: float) -> InputError:
    """Return the error for sound without a horizon, of so many seconds, of a live signal."""
    return InputError(
        where,
        expected=f"{seconds:g} s of a live signal",
        found=f"one that is {said_of(faults)}",
        remedy="check the gain and the microphone that it was recorded with",
    )


def too_short(where: str, seconds: float, recipe: Recipe) -> InputError:
    """Return the error for sound that is shorter than the recipe's horizon."""
    shorter = f", or export with --set horizon.seconds={int(seconds)}" if seconds >= 1 else ""
    return InputError(
        where,
        expected=f"at least {recipe.horizon.seconds:g} s of sound, the horizon of one decision",
        found=f"{seconds:.6g} s",
        remedy=f"record longer{shorter}",
    )
