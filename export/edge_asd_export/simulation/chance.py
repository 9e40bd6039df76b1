"""Randomness by name and number instead of by order of asking.

A draw is a function of a key (which machine, which stretch, which voice) and of an index (which segment, which stroke,
which impact). So any part of an endless stretch can be made without what came before it, the parts agree however the
stretch is cut, and a fault draws nothing from the machine it befalls.

Single draws come from the SplitMix64 mixing function (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014); white noise from NumPy's SFC64, one generator per segment. NumPy promises equal streams
within one release, not across releases.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Chance:
    """A named source of randomness.

    Parameters
    ----------
    key
        64 bits that stand for the name; see :meth:`of`.
    """

    key: int

    @classmethod
    def of(cls, *names: str | int) -> Chance:
        """Make the source that these names stand for."""
        digest = hashlib.blake2b("/".join(map(str, names)).encode(), digest_size=8).digest()
        return cls(int.from_bytes(digest, "little"))

    def child(self, *names: str | int) -> Chance:
        """Make the source with these names below this one, independent of it."""
        return Chance.of(self.key, *names)

    def uniform(self, index: Integers, low: float = 0.0, high: float = 1.0) -> Floats:
        """Draw one number in [low, high) per index, the same whenever that index is asked for."""
        bits = index.astype(np.uint64) * _GOLDEN + np.full(1, self.key, np.uint64)
        bits = (bits ^ (bits >> np.uint64(30))) * _MIX_1
        bits = (bits ^ (bits >> np.uint64(27))) * _MIX_2
        bits ^= bits >> np.uint64(31)
        return np.asarray(low + (high - low) * ((bits >> np.uint64(11)) * 2.0**-53))

    def between(self, name: str, low: float, high: float) -> float:
        """Draw the one number in [low, high) that has this name."""
        return float(self.child(name).uniform(np.zeros(1, np.int64), low, high)[0])

    def white(self, index: int, count: int) -> Floats:
        """Draw Gaussian white noise of unit power: the first `count` samples that belong to an index."""
        entropy = [self.key, index & 0xFFFF_FFFF_FFFF_FFFF]
        return np.random.Generator(np.random.SFC64(entropy)).standard_normal(count)
