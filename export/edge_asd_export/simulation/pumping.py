"""A pump that delivers in pulses: a motor, an impeller, and check valves that fall shut.

The impeller's vanes beat at vanes x shaft frequency. The flow's broadband noise rises and falls with each delivery
stroke (about the 6th to 8th power of the flow's speed for turbulent flow past a body: Lighthill 1952, Curle 1955; here
a raised cosine, as only part of the flow pulsates), and at the turn of every stroke a check valve falls on its seat
with a thump.

Levels: flow 0 dB, vane tones -2 dB, valve thumps -5 dB, hum -12 dB. Shaft 22-26 or 45-50 Hz, 5 to 7 vanes, 1.2 to
2.6 strokes a second, speed within ±1.5 %.
"""

from __future__ import annotations

import numpy as np

from edge_asd_export.simulation.body import Body, at_work, mains_hum
from edge_asd_export.simulation.chance import Chance
from edge_asd_export.simulation.excitation import (
    Hits,
    Source,
    fluttering,
    impacts,
    repeating,
    tabulated,
    tones,
    turbulence,
)
from edge_asd_export.simulation.machine import Machine
from edge_asd_export.simulation.motion import Rotation, drift, rotation
from edge_asd_export.simulation.path import Modes, Shape, humps, response

_QUICK = ((0.4, 1.0), (1.5, 4.0))


def pumping(machine: Machine, unit: Chance, run: Chance) -> Body:
    """Build a pump."""
    slow = unit.between("poles", 0.0, 1.0) < 0.5
    shaft_rate = unit.between("shaft", 22.0, 26.0) if slow else unit.between("shaft", 45.0, 50.0)
    shaft = rotation(run.child("shaft"), shaft_rate, 0.015)
    strokes = rotation(run.child("strokes"), unit.between("strokes", 1.2, 2.6), 0.015)
    return Body(
        sources=at_work(
            run,
            _flow(machine, unit, run, strokes),
            _vanes(machine, unit, run, shaft),
            _valves(machine, unit, run, strokes),
            mains_hum(machine, unit, run, -12.0),
        ),
        shaft=shaft,
    )


def _flow(machine: Machine, unit: Chance, run: Chance, strokes: Rotation) -> Source:
    pipe = Shape(
        ((50.0, -10.0), (400.0, 0.0), (2000.0, -4.0), (8000.0, -20.0)), humps(unit.child("pipe"), 6, 250, 4500, 8.0)
    )
    pulses = repeating(tabulated(lambda phase: 1 - 0.6 * np.cos(2 * np.pi * phase)), strokes)
    return Source(0.0, response(machine, "near", pipe), turbulence(run.child("flow"), pulses))


def _vanes(machine: Machine, unit: Chance, run: Chance, shaft: Rotation) -> Source:
    vanes = int(unit.between("vanes", 5.0, 8.0))
    numbers = np.arange(1, 9)
    strengths = 0.7 ** (numbers - 1) * unit.child("vane tones").uniform(numbers, 0.4, 1.6)
    orders = {1: 0.5, 2: 0.3, 3: 0.1} | dict(zip((numbers * vanes).tolist(), strengths.tolist(), strict=True))
    casing = Shape(
        ((30.0, -6.0), (200.0, 0.0), (1500.0, -3.0), (8000.0, -25.0)), humps(unit.child("casing"), 5, 150, 3000, 7.0)
    )
    heard = response(machine, "near", casing)
    flutter = fluttering(drift(run.child("flutter"), 0.15, _QUICK))
    tune = tones(machine, shaft.turns, shaft.rate, orders, heard, chance=unit.child("tones"), envelope=flutter)
    return Source(-2.0, heard, tune)


def _valves(machine: Machine, unit: Chance, run: Chance, strokes: Rotation) -> Source:
    deep = unit.between("seat", 90.0, 180.0)
    seat = Modes(((deep, 0.018, 1.0), (3.1 * deep, 0.01, 0.6), (9.3 * deep, 0.005, 0.35), (18.7 * deep, 0.003, 0.15)))
    hits = Hits(times=(0.02, 0.53), strengths=(1.0, 0.75), jitter=0.008, unevenness=0.15)
    falls = impacts(run.child("valves"), strokes, hits, machine.sample_rate)
    return Source(-5.0, response(machine, "near", seat), falls)
