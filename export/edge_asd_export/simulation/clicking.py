"""A solenoid valve: a coil pulls a plunger against its stop, a spring throws it back on the seat, air escapes.

Each stroke of the plunger is an impact with two bounces, and what is struck rings at a few metallic resonances. The
coil hums at twice the mains frequency while it is energized, and with the closing the line behind the valve blows off
in a hiss that dies away exponentially, as a vessel emptying through an orifice does.

Levels: clicks 0 dB, hiss -5 dB, hum -12 dB. One cycle in 0.7 to 1.5 s, closed 38 to 50 % of it after opening; each
click up to 0.4 % of a cycle early or late and up to 12 % harder or softer; rate within ±1 %.
"""

from __future__ import annotations

import numpy as np

from edge_asd_export.simulation.body import MAINS_HUM_HZ, Body, at_work
from edge_asd_export.simulation.chance import Chance, Floats
from edge_asd_export.simulation.excitation import (
    Hits,
    Source,
    impacts,
    repeating,
    tabulated,
    tones,
    turbulence,
)
from edge_asd_export.simulation.machine import Machine
from edge_asd_export.simulation.motion import Rotation, rotation
from edge_asd_export.simulation.path import Modes, Shape, humps, response

# Ratio to the lowest resonance, time constant in seconds, gain.
_METAL = ((1.0, 0.012, 1.0), (2.1, 0.009, 0.9), (3.2, 0.007, 0.7), (4.6, 0.005, 0.5), (6.6, 0.003, 0.35))
# Delay in seconds, and strength, of the blow and of what bounces back.
_BOUNCES = ((0.0, 1.0), (0.007, 0.35), (0.012, 0.15))


def clicking(machine: Machine, unit: Chance, run: Chance) -> Body:
    """Build a solenoid valve."""
    period = unit.between("cycle", 0.7, 1.5)
    clock = rotation(run.child("cycle"), 1 / period, 0.01)
    closing = unit.between("closing", 0.38, 0.5)
    return Body(
        sources=at_work(
            run,
            _clicks(machine, unit, run, clock, closing),
            _blow_off(machine, unit, run, clock, closing),
            _coil(machine, unit, run, clock, closing),
        ),
    )


def _clicks(machine: Machine, unit: Chance, run: Chance, clock: Rotation, closing: float) -> Source:
    lowest = unit.between("plunger", 500.0, 900.0)
    stretch = unit.between("ratios", 0.85, 1.15)
    metal = Modes(tuple((lowest * ratio**stretch, decay, gain) for ratio, decay, gain in _METAL))
    strokes = ((0.0, 1.0), (closing, unit.between("closing strength", 0.5, 0.9)))
    hits = Hits(
        times=tuple(start + delay * clock.rate for start, _ in strokes for delay, _ in _BOUNCES),
        strengths=tuple(strength * share for _, strength in strokes for _, share in _BOUNCES),
        jitter=0.004,
        unevenness=0.12,
    )
    return Source(0.0, response(machine, "near", metal), impacts(run.child("clicks"), clock, hits, machine.sample_rate))


def _blow_off(machine: Machine, unit: Chance, run: Chance, clock: Rotation, closing: float) -> Source:
    decay = unit.between("blow-off", 0.03, 0.07) * clock.rate
    nozzle = Shape(
        ((100.0, -25.0), (1500.0, -4.0), (4000.0, 0.0), (8000.0, -5.0)), humps(unit.child("nozzle"), 3, 1500, 6500, 6.0)
    )
    envelope = repeating(tabulated(lambda phase: np.exp(-((phase - closing) % 1.0) / decay)), clock)
    return Source(-5.0, response(machine, "near", nozzle), turbulence(run.child("air"), envelope))


def _coil(machine: Machine, unit: Chance, run: Chance, clock: Rotation, closing: float) -> Source:
    heard = response(machine, "near", Shape(((50.0, 0.0), (400.0, 0.0), (1600.0, -12.0))))
    energized = repeating(tabulated(lambda phase: _held(phase, closing)), clock)
    mains = rotation(run.child("mains"), MAINS_HUM_HZ, 2e-4)
    orders = {1: 1.0, 2: 0.6, 3: 0.4, 4: 0.2, 6: 0.1}
    return Source(
        -12.0,
        heard,
        tones(machine, mains.turns, mains.rate, orders, heard, chance=unit.child("coil"), envelope=energized),
    )


def _held(phase: Floats, closing: float) -> Floats:
    """1 while the coil is energized, with edges of a hundredth of a cycle."""
    return np.asarray(np.clip(np.minimum(phase, closing - phase) / 0.01, 0.0, 1.0))
