"""What sets a structure sounding: waves locked to a rotation, turbulence, impacts, episodes.

An excitation takes a segment and gives its samples, or None where it is silent. Its long-run power is 1 after the
response it is meant for, so that levels can be stated in decibels and hold for every unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edge_asd_export.simulation.chance import Chance, Floats, Integers
from edge_asd_export.simulation.machine import Machine
from edge_asd_export.simulation.motion import Drift, Rotation, Segment
from edge_asd_export.simulation.path import Response

Excitation = Callable[[Segment], "Floats | None"]
Envelope = Callable[[Segment], Floats]

_TABLE_SIZE = 1 << 15
_HIGHEST_TONE = 0.47
_SPEED_RANGE = np.linspace(0.98, 1.02, 21)


@dataclass(frozen=True)
class Source:
    """One thing that sounds.

    Parameters
    ----------
    level_db
        Its long-run power in dB, relative to the others of its group.
    response
        The way from it to the microphone.
    excitation
        What sets it sounding, of unit power after the response.
    wander
        How its level drifts, in dB; None where it does not.
    """

    level_db: float
    response: Response
    excitation: Excitation
    wander: Drift | None = None

    def sound(self, segment: Segment) -> Floats | None:
        """Give the excitation at its level, before the response; None where it is silent."""
        excitation = self.excitation(segment)
        if excitation is None:
            return None
        if self.wander is None:
            return np.asarray(excitation * 10 ** (self.level_db / 20))
        return excitation * segment.spread(10 ** ((self.level_db + self.wander.at(segment.knots)) / 20))


def look_up(table: Floats, turns: Floats) -> Floats:
    """Read one period, given as a table of a power of two of samples, at each phase (cycles)."""
    return np.asarray(table[np.floor(turns * table.size).astype(np.int64) & (table.size - 1)])


def tabulated(shape: Callable[[Floats], Floats]) -> Floats:
    """Tabulate a function of the phase in [0, 1), scaled to unit power."""
    values = shape(np.arange(_TABLE_SIZE) / _TABLE_SIZE)
    return np.asarray(values / np.sqrt(np.mean(np.square(values))))


def tones(
    machine: Machine,
    phase: Envelope,
    rate: float,
    orders: Mapping[int, float],
    heard: Response,
    *,
    chance: Chance,
    envelope: Envelope | None = None,
) -> Envelope:
    """Make harmonics of something periodic, those above half the sample rate left out.

    Parameters
    ----------
    machine
        Gives the sample rate.
    phase
        Cycles gone by at each sample of a segment.
    rate
        Usual number of cycles a second.
    orders
        Amplitude of each multiple of the rate, before the response.
    heard
        The response that the harmonics go through, by which they are scaled.
    chance
        Draws the phase of each harmonic; of the machine, not of the stretch.
    envelope
        Factor on each sample, of unit mean square.
    """
    audible = [order for order in orders if order * rate < _HIGHEST_TONE * machine.sample_rate]
    numbers = np.array(audible, np.int64)
    amplitudes = np.array([orders[order] for order in audible])
    power = _power_after(numbers * rate / machine.sample_rate, amplitudes, heard)
    table = _wave(numbers, amplitudes / np.sqrt(power), chance)

    def excite(segment: Segment) -> Floats:
        wave = look_up(table, phase(segment))
        return wave if envelope is None else wave * envelope(segment)

    return excite


def _power_after(frequencies: Floats, amplitudes: Floats, heard: Response) -> float:
    """Power of sinusoids (cycles per sample) behind a response, averaged over the speeds that a drift passes."""
    bins = np.outer(frequencies * 2 * (heard.size - 1), _SPEED_RANGE)
    gains = np.interp(bins, np.arange(heard.size), np.abs(heard) ** 2).mean(axis=1)
    return float(0.5 * (amplitudes**2 * gains).sum())


def _wave(numbers: Integers, amplitudes: Floats, chance: Chance) -> Floats:
    spectrum = np.zeros(_TABLE_SIZE // 2 + 1, np.complex128)
    phases = chance.child("wave").uniform(numbers, 0.0, 2 * np.pi)
    spectrum[numbers] = 0.5 * _TABLE_SIZE * amplitudes * np.exp(1j * phases)
    return np.asarray(np.fft.irfft(spectrum))


def turbulence(chance: Chance, envelope: Envelope | None = None) -> Envelope:
    """Make white noise, under an envelope of unit mean square if one is given."""

    def excite(segment: Segment) -> Floats:
        noise = chance.white(segment.index, segment.length)
        return noise if envelope is None else noise * envelope(segment)

    return excite


def fluttering(wander: Drift) -> Envelope:
    """Let an amplitude of 1 wander."""

    def envelope(segment: Segment) -> Floats:
        return segment.spread(1 + wander.at(segment.knots))

    return envelope


def repeating(table: Floats, turning: Rotation) -> Envelope:
    """Repeat a table with every turn."""

    def envelope(segment: Segment) -> Floats:
        return look_up(table, turning.turns(segment))

    return envelope


@dataclass(frozen=True)
class Hits:
    """The impacts of one cycle.

    Parameters
    ----------
    times
        When in the cycle each falls, in cycles.
    strengths
        How strong each is, relative to one another.
    jitter
        Each falls up to so many cycles early or late.
    unevenness
        Each is up to so much stronger or weaker (relative).
    """

    times: tuple[float, ...]
    strengths: tuple[float, ...]
    jitter: float
    unevenness: float


def impacts(
    chance: Chance,
    clock: Rotation,
    hits: Hits,
    sample_rate: int,
    weight: Callable[[Floats], Floats] | None = None,
) -> Excitation:
    """Make a train of impacts of unit power, each one sample long: what they strike gives them their sound.

    Parameters
    ----------
    chance
        Draws jitter and strength of every impact.
    clock
        What repeats.
    hits
        The impacts of one cycle.
    sample_rate
        Samples a second.
    weight
        A factor of unit mean square on each impact, by its time in seconds.
    """
    strengths = np.array(hits.strengths)
    energy_per_second = clock.rate * np.square(strengths).sum() * (1 + hits.unevenness**2 / 3)
    strengths *= np.sqrt(sample_rate / energy_per_second)
    lateness, loudness = chance.child("lateness"), chance.child("loudness")

    def excite(segment: Segment) -> Floats | None:
        cycle = clock.within(segment)[:, None]
        number = cycle * strengths.size + np.arange(strengths.size)
        late = lateness.uniform(number, -hits.jitter, hits.jitter)
        times = clock.time_of((cycle + np.array(hits.times) + late).ravel())
        loud = strengths * loudness.uniform(number, 1 - hits.unevenness, 1 + hits.unevenness)
        return placed(segment, times, loud.ravel() if weight is None else loud.ravel() * weight(times))

    return excite


def placed(segment: Segment, times: Floats, strengths: Floats) -> Floats | None:
    """Lay impacts at their nearest samples, those outside the segment left out; None where none is left."""
    samples = np.rint(times * segment.sample_rate).astype(np.int64) - segment.first_sample
    inside = (samples >= 0) & (samples < segment.length)
    if not inside.any():
        return None
    return np.bincount(samples[inside], strengths[inside], segment.length).astype(np.float64, copy=False)


@dataclass(frozen=True)
class Episodes:
    """Now and then something goes on for a while: at most one episode in each slot of time, wholly inside it.

    Parameters
    ----------
    chance
        Draws when and how long.
    slot
        Length of a slot in seconds.
    likelihood
        How probable an episode is in each slot.
    shortest, longest
        Bounds of its length in seconds.
    edge
        How long its envelope swells up and dies down, in seconds, at most half the shortest.
    """

    chance: Chance
    slot: float
    likelihood: float
    shortest: float
    longest: float
    edge: float = 0.01

    @property
    def duty(self) -> float:
        """Long-run mean square of the envelope (a raised-cosine edge counts 3/8)."""
        return self.likelihood * (0.5 * (self.shortest + self.longest) - 1.25 * self.edge) / self.slot

    def within(self, segment: Segment) -> tuple[Integers, Floats, Floats]:
        """Find the episodes in all slots that touch a segment: slot, start and end in seconds."""
        first, last = np.floor(segment.knots[[0, -1]] / self.slot).astype(np.int64)
        slots: Integers = np.arange(first, last + 1)
        slots = slots[self.chance.child("whether").uniform(slots) < self.likelihood]
        lengths = self.chance.child("length").uniform(slots, self.shortest, self.longest)
        starts = slots * self.slot + self.chance.child("start").uniform(slots) * (self.slot - lengths)
        return slots, starts, starts + lengths

    def envelope(self, segment: Segment) -> Floats | None:
        """Trace the episodes, 0 between them and 1 inside; None where there is none."""
        envelope = np.zeros(segment.length)
        _, starts, ends = self.within(segment)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            samples = segment.between(start, end)
            times = (segment.first_sample + samples) / segment.sample_rate
            rise = np.clip(np.minimum(times - start, end - times) / self.edge, 0.0, 1.0)
            envelope[samples] = 0.5 - 0.5 * np.cos(np.pi * rise)
        return envelope if envelope.any() else None
