r"""Time, and what turns or wanders in it: all of it a closed formula of time, so that any moment can be asked for.

A drift is a sum of slow sinusoids, bounded by the sum of their depths, and its integral is known. A rotation of rate
:math:`f_0` whose speed drifts by :math:`d(t)` has the phase

.. math:: \varphi(t) = \varphi_0 + f_0 \left(t + \int_0^t d(\tau)\,d\tau\right) \quad\text{(in cycles)},

so a shaft, its blades, its bearing and its imbalance stay locked to one another for as long as the stretch lasts.

Formulas are evaluated at knots 64 samples apart and joined by straight lines: the fastest wander here bends a phase by
less than 0.01 cycle between two knots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edge_asd_export.simulation.chance import Chance, Floats, Integers

KNOT_SPACING = 64
_RAMP = np.arange(KNOT_SPACING) / KNOT_SPACING
_HOURS_LONG = ((20.0, 60.0), (120.0, 300.0), (600.0, 1800.0))


@dataclass(frozen=True)
class Segment:
    """A run of samples that is rendered at once.

    Parameters
    ----------
    index
        Which one, from the start of the stretch; -1 is the run before it.
    length
        Samples, a multiple of 64.
    sample_rate
        Samples a second.
    """

    index: int
    length: int
    sample_rate: int

    @property
    def first_sample(self) -> int:
        """The segment's first sample, counted from the start of the stretch."""
        return self.index * self.length

    @cached_property
    def knots(self) -> Floats:
        """Times in seconds, 64 samples apart, of both ends and all between."""
        return (self.first_sample + np.arange(0, self.length + 1, KNOT_SPACING)) / self.sample_rate

    def between(self, start: float, end: float) -> Integers:
        """Number the samples of this segment that lie in a span of time (seconds), counted from its first."""
        ends = np.array([start, end]) * self.sample_rate - self.first_sample
        first, last = np.clip(np.ceil(ends), 0, self.length).astype(np.int64)
        return np.arange(first, last)

    def spread(self, values: Floats) -> Floats:
        """Join values at the knots by straight lines: one value per sample."""
        steps: Floats = np.diff(values)
        return (values[:-1, None] + steps[:, None] * _RAMP).ravel()


@dataclass(frozen=True)
class Drift:
    """A bounded wander around zero, a sum of sinusoids.

    Parameters
    ----------
    depths
        Amplitude of each sinusoid; the wander never exceeds their sum.
    rates
        Frequency of each in Hz.
    phases
        Phase of each in radians.
    """

    depths: Floats
    rates: Floats
    phases: Floats

    def at(self, times: Floats) -> Floats:
        """Say where the wander is at each time (seconds)."""
        return np.asarray(self.depths @ np.sin(self._angles(times)))

    def integral(self, times: Floats) -> Floats:
        """Integrate the wander from 0 to each time (seconds)."""
        angular = 2 * np.pi * self.rates
        return np.asarray((self.depths / angular) @ (np.cos(self.phases)[:, None] - np.cos(self._angles(times))))

    def joined(self, other: Drift) -> Drift:
        """Add another wander to this one."""
        pairs = zip((self.depths, self.rates, self.phases), (other.depths, other.rates, other.phases), strict=True)
        return Drift(*(np.concatenate(pair) for pair in pairs))

    def _angles(self, times: Floats) -> Floats:
        return 2 * np.pi * self.rates[:, None] * times + self.phases[:, None]


def drift(chance: Chance, limit: float, periods: tuple[tuple[float, float], ...] = _HOURS_LONG) -> Drift:
    """Make a wander within ±`limit`, one sinusoid for each range of periods (seconds), the slower the deeper."""
    order = np.arange(len(periods))
    weights = np.sqrt(order + 1.0)
    shortest, longest = np.array(periods).T
    return Drift(
        depths=limit * weights / weights.sum(),
        rates=1.0 / (shortest + (longest - shortest) * chance.child("period").uniform(order)),
        phases=chance.child("phase").uniform(order, 0.0, 2 * np.pi),
    )


@dataclass(frozen=True)
class Rotation:
    """Something periodic whose speed drifts: a shaft, a stroke, a valve's cycle.

    Parameters
    ----------
    rate
        Cycles a second at rest of the drift.
    wander
        Relative drift of the speed, well below 1.
    offset
        Cycles at time 0.
    """

    rate: float
    wander: Drift
    offset: float

    def cycles(self, times: Floats) -> Floats:
        """Count the cycles gone by at each time (seconds); whole numbers begin a cycle."""
        return self.offset + self.rate * (times + self.wander.integral(times))

    def turns(self, segment: Segment) -> Floats:
        """Count the cycles gone by at each sample of a segment."""
        return segment.spread(self.cycles(segment.knots))

    def time_of(self, cycles: Floats) -> Floats:
        """Find the times (seconds) at which these cycles are reached, by Newton's method."""
        times = (cycles - self.offset) / self.rate
        for _ in range(4):
            times = times - (self.cycles(times) - cycles) / (self.rate * (1 + self.wander.at(times)))
        return times

    def within(self, segment: Segment) -> Integers:
        """Number the cycles that touch a segment, with one to spare on either side."""
        first, last = np.floor(self.cycles(segment.knots[[0, -1]])).astype(np.int64)
        return np.arange(first - 1, last + 2)

    def geared(self, ratio: float, slip: Drift) -> Rotation:
        """Make what this rotation drives: `ratio` times as fast, slipping by a drift of its own."""
        return Rotation(self.rate * ratio, self.wander.joined(slip), self.offset * ratio)


def rotation(chance: Chance, rate: float, limit: float) -> Rotation:
    """Make a rotation of so many cycles a second that drifts within ±`limit` (relative) from a random phase."""
    return Rotation(rate, drift(chance.child("speed"), limit), chance.between("offset", 0.0, 1.0))
