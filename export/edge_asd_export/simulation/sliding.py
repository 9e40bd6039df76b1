"""A slide rail: a carriage driven there and back by a screw, on rolling balls, with a stop at either end.

Everything follows the speed. The balls' rolling noise grows with it, and the drive whines at a number of teeth times
the distance run, so the whine sweeps up as the carriage starts and down as it halts: its phase is simply proportional
to the place, phase(t) = K x(t). At the ends the carriage meets a buffer with a thump.

Levels: rolling 0 dB, whine -4 dB, thumps -4 dB, hum of the idle drive -18 dB. One cycle in 1.6 to 3.2 s, of which 70 %
in motion; speed within ±1 %.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edge_asd_export.simulation.body import Body, Stroke, at_work, mains_hum
from edge_asd_export.simulation.chance import Chance, Floats
from edge_asd_export.simulation.excitation import Envelope, Hits, Source, impacts, tones, turbulence
from edge_asd_export.simulation.machine import Machine
from edge_asd_export.simulation.motion import Segment, rotation
from edge_asd_export.simulation.path import Modes, Shape, humps, response

MOVING_THERE = (0.0, 0.35)
MOVING_BACK = (0.5, 0.85)
_RAMP = 0.25
_PHASES = np.linspace(0.0, 1.0, 8193)


def sliding(machine: Machine, unit: Chance, run: Chance) -> Body:
    """Build a slide rail."""
    clock = rotation(run.child("strokes"), 1 / unit.between("cycle", 1.6, 3.2), 0.01)
    speeds, places, steepest = _there_and_back()
    stroke = Stroke(clock, places, speeds, top_speed=steepest * clock.rate)
    return Body(
        sources=at_work(
            run,
            _rolling(machine, unit, run, stroke),
            _whine(machine, unit, stroke),
            _stops(machine, unit, run, stroke),
            mains_hum(machine, unit, run, -18.0),
        ),
        stroke=stroke,
    )


def in_motion(stroke: Stroke, power: float = 1.0) -> Envelope:
    """Trace a power of the speed, scaled to unit mean square."""
    scale = np.sqrt(np.mean(stroke.speeds ** (2 * power)))

    def envelope(segment: Segment) -> Floats:
        return np.asarray(stroke.pace(segment) ** power / scale)

    return envelope


@lru_cache(maxsize=1)
def _there_and_back() -> tuple[Floats, Floats, float]:
    """Tabulate speed and place over a cycle, and the steepest slope of the place (lengths per cycle)."""
    there, back = _ramped(*MOVING_THERE), _ramped(*MOVING_BACK)
    run = np.cumsum(there - back)
    return there + back, np.asarray(run / run.max()), float((_PHASES.size - 1) / run.max())


def _ramped(first: float, last: float) -> Floats:
    """Rise from 0 to 1 after the first phase and fall to 0 before the last, each on half a cosine."""
    edge = _RAMP * (last - first)
    rise = np.clip(np.minimum(_PHASES - first, last - _PHASES) / edge, 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * rise))


def _rolling(machine: Machine, unit: Chance, run: Chance, stroke: Stroke) -> Source:
    rail = Shape(
        ((60.0, -8.0), (500.0, 0.0), (2500.0, -3.0), (8000.0, -14.0)), humps(unit.child("rail"), 7, 250, 6000, 9.0)
    )
    return Source(0.0, response(machine, "near", rail), turbulence(run.child("rolling"), in_motion(stroke)))


def _whine(machine: Machine, unit: Chance, stroke: Stroke) -> Source:
    rate = unit.between("whine", 450.0, 900.0)
    teeth = rate / stroke.top_speed
    drive = Shape(
        ((60.0, -10.0), (400.0, 0.0), (3000.0, -3.0), (8000.0, -12.0)), humps(unit.child("drive"), 4, 300, 3000, 6.0)
    )
    heard = response(machine, "near", drive)
    orders = {1: 1.0, 2: unit.between("second", 0.2, 0.8), 3: unit.between("third", 0.1, 0.5), 5: 0.15}

    def phase(segment: Segment) -> Floats:
        return teeth * stroke.place(segment)

    return Source(
        -4.0,
        heard,
        tones(machine, phase, rate, orders, heard, chance=unit.child("tones"), envelope=in_motion(stroke, 0.5)),
    )


def _stops(machine: Machine, unit: Chance, run: Chance, stroke: Stroke) -> Source:
    deep = unit.between("buffer", 70.0, 150.0)
    buffer = Modes(
        ((deep, 0.025, 1.0), (4.3 * deep, 0.012, 0.5), (15.1 * deep, 0.006, 0.3), (33.0 * deep, 0.003, 0.15))
    )
    hits = Hits(
        times=(MOVING_THERE[1], MOVING_THERE[1] + 0.012, MOVING_BACK[1], MOVING_BACK[1] + 0.012),
        strengths=(1.0, 0.3, 0.8, 0.25),
        jitter=0.002,
        unevenness=0.15,
    )
    thumps = impacts(run.child("stops"), stroke.clock, hits, machine.sample_rate)
    return Source(-4.0, response(machine, "near", buffer), thumps)
