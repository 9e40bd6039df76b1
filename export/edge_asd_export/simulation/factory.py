"""The rest of the factory, as a microphone beside the machine hears it.

Recorded factory noise (MIMII: Purohit et al., DCASE 2019, whose noise was recorded in real plants and mixed in at 6, 0
and -6 dB) falls steeply with frequency, wanders, holds the tones of other machines, and now and then something falls.

- *rumble*: ventilation and building, mostly below 300 Hz, 0 dB, wandering within ±2 dB
- *murmur*: many machines far off, pink up to 2 kHz and falling steeply from there, -4 dB, wandering within ±3 dB
- *distant machines*: three of them, tones at fixed places in the hall, -9 dB each, wandering within ±5 dB
- *clatter*: a dozen knocks on a piece of metal in a reverberant hall, three times a minute at random, soft or loud,
  -14 dB in the long run; while it lasts its power is about that of the other noise
- *microphone*: self-noise, white, -45 dB

The hall belongs to the machine's unit; what happens in it belongs to the stretch. Powers add up to 1.
"""

from __future__ import annotations

import numpy as np

from edge_asd_export.simulation.body import balanced
from edge_asd_export.simulation.chance import Chance, Floats
from edge_asd_export.simulation.excitation import Episodes, Excitation, Source, placed, tones, turbulence
from edge_asd_export.simulation.machine import Machine
from edge_asd_export.simulation.motion import Segment, drift, rotation
from edge_asd_export.simulation.path import Modes, Response, Shape, response

_DISTANT_MACHINES = 3
_KNOCKS = 12
_SOFTEST = 0.4
_MEAN_SQUARE_LOUDNESS = (1 - _SOFTEST**3) / (3 * (1 - _SOFTEST))
_RUMBLE = Shape(((20.0, -6.0), (60.0, 0.0), (200.0, -5.0), (500.0, -20.0), (2000.0, -45.0), (8000.0, -70.0)))
_MURMUR = Shape(((30.0, -4.0), (200.0, 0.0), (1000.0, -7.0), (2000.0, -11.0), (8000.0, -32.0)))
_WHITE = Shape(((20.0, 0.0), (20_000.0, 0.0)))


def factory(machine: Machine, run: Chance) -> tuple[Source, ...]:
    """Build the noise around a machine."""
    unit = Chance.of("hall", machine.kind, machine.unit)
    return balanced(
        _steady(machine, run.child("rumble"), 0.0, _RUMBLE, 2.0),
        _steady(machine, run.child("murmur"), -4.0, _MURMUR, 3.0),
        *(_distant(machine, unit.child("machine", i), run.child("machine", i)) for i in range(_DISTANT_MACHINES)),
        Source(-14.0, _clatter_response(machine, unit), _clatter(run.child("clatter"), machine.sample_rate)),
        _steady(machine, run.child("microphone"), -45.0, _WHITE, 0.0),
    )


def _steady(machine: Machine, run: Chance, level_db: float, shape: Shape, limit_db: float) -> Source:
    """Make a broadband noise whose level wanders within a limit."""
    heard = response(machine, "microphone", shape)
    return Source(level_db, heard, turbulence(run.child("noise")), drift(run.child("wander"), limit_db))


def _distant(machine: Machine, unit: Chance, run: Chance) -> Source:
    turning = rotation(run.child("speed"), unit.between("speed", 14.0, 60.0), 0.01)
    numbers = np.arange(1, 10)
    strengths = unit.child("strength").uniform(numbers, 0.1, 1.0) / numbers**0.5
    orders = dict(zip((numbers * int(unit.between("teeth", 2.0, 9.0))).tolist(), strengths.tolist(), strict=True))
    far = Shape(((40.0, -3.0), (200.0, 0.0), (800.0, -6.0), (3000.0, -30.0), (8000.0, -50.0)))
    heard = response(machine, "far", far)
    tune = tones(machine, turning.turns, turning.rate, orders, heard, chance=unit.child("wave"))
    return Source(-9.0, heard, tune, drift(run.child("presence"), 5.0))


def _clatter_response(machine: Machine, unit: Chance) -> Response:
    lowest = unit.between("metal", 350.0, 700.0)
    metal = ((1.0, 0.02, 1.0), (1.6, 0.015, 0.8), (2.5, 0.01, 0.5), (4.1, 0.005, 0.2))
    return response(machine, "far", Modes(tuple((lowest * ratio, decay, gain) for ratio, decay, gain in metal)))


def _clatter(chance: Chance, sample_rate: int) -> Excitation:
    """Make a flurry of knocks that dies down, at most one flurry in each slot of time; of unit power."""
    flurries = Episodes(chance, slot=10.0, likelihood=0.5, shortest=0.2, longest=0.6)
    knocks = np.arange(_KNOCKS)
    fading = np.exp(-3.0 * knocks / _KNOCKS)
    energy_per_second = flurries.likelihood / flurries.slot * _MEAN_SQUARE_LOUDNESS * np.square(fading).sum()
    scale = np.sqrt(sample_rate / energy_per_second)

    def excite(segment: Segment) -> Floats | None:
        slots, starts, ends = flurries.within(segment)
        spacing = (knocks + chance.child("knock").uniform(slots[:, None] * _KNOCKS + knocks)) / _KNOCKS
        times = starts[:, None] + (ends - starts)[:, None] * spacing
        loudness = chance.child("loudness").uniform(slots, _SOFTEST, 1.0)
        return placed(segment, times.ravel(), np.outer(scale * loudness, fading).ravel())

    return excite
