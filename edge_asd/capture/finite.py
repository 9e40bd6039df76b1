"""Samples that are no numbers: found where they are, however the stream is cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


class NumberSieve:
    """Tells stretches of numbers from what is none, and from what follows that too soon.

    Parameters
    ----------
    settling
        Samples after one that is no number that count as none either: whoever mixes both makes few stretches.
    """

    def __init__(self, settling: int) -> None:
        self._settling = settling
        self._since = settling

    def process(self, samples: NDArray[np.float32]) -> Iterator[tuple[bool, NDArray[np.float32]]]:
        """Take samples, shape (n,), and give them in stretches, each with whether it is one of numbers."""
        finite = np.isfinite(samples)
        if finite.all() and self._since >= self._settling:
            yield True, samples
            return
        index = np.arange(len(samples))
        latest = np.maximum.accumulate(np.where(finite, -1 - self._since, index))
        sound = index - latest > self._settling
        edges = [0, *(np.flatnonzero(sound[1:] != sound[:-1]) + 1), len(samples)]
        for start, stop in pairwise(edges):
            if stop > start:
                yield bool(sound[start]), samples[start:stop]
        if len(samples):
            self._since = int(index[-1] - latest[-1])
