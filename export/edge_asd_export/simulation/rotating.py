"""A fan: a shaft, the blades on it, the air they stir.

Each blade that passes a strut gives the air a push, so there are tones at the blade-passing frequency

    blade-passing frequency = number of blades x shaft frequency

and its multiples, and weak ones at the shaft's own orders, since no wheel is quite even (Neise, "Review of fan noise
generation mechanisms and control methods", 1992). The air itself makes broadband noise that swells with every blade.
The motor hums at twice the mains frequency.

Levels: air 0 dB, tones -2 dB, hum -12 dB. Shaft 20-33 Hz, 5 to 9 blades, speed within ±1.5 %.
"""

from __future__ import annotations

import numpy as np

from edge_asd_export.simulation.body import Body, at_work, mains_hum
from edge_asd_export.simulation.chance import Chance
from edge_asd_export.simulation.excitation import Source, fluttering, repeating, tabulated, tones, turbulence
from edge_asd_export.simulation.machine import Machine
from edge_asd_export.simulation.motion import Rotation, drift, rotation
from edge_asd_export.simulation.path import Shape, humps, response

_QUICK = ((0.3, 0.8), (1.0, 3.0), (4.0, 9.0))


def rotating(machine: Machine, unit: Chance, run: Chance) -> Body:
    """Build a fan."""
    shaft = rotation(run.child("shaft"), unit.between("shaft", 20.0, 33.0), 0.015)
    blades = int(unit.between("blades", 5.0, 10.0))
    sources = at_work(
        run,
        _air(machine, unit.child("air"), run, shaft, blades),
        _blades(machine, unit, run, shaft, blades),
        mains_hum(machine, unit, run, -12.0),
    )
    return Body(sources, shaft=shaft)


def _air(machine: Machine, unit: Chance, run: Chance, shaft: Rotation, blades: int) -> Source:
    duct = Shape(((40.0, -8.0), (300.0, 0.0), (900.0, -3.0), (8000.0, -24.0)), humps(unit, 4, 200, 4000, 5.0))
    swell = tabulated(lambda phase: 1 + 0.35 * np.cos(2 * np.pi * blades * phase))
    return Source(0.0, response(machine, "near", duct), turbulence(run.child("air"), repeating(swell, shaft)))


def _blades(machine: Machine, unit: Chance, run: Chance, shaft: Rotation, blades: int) -> Source:
    casing = Shape(((30.0, -6.0), (150.0, 0.0), (1200.0, -4.0), (8000.0, -22.0)), humps(unit, 5, 150, 3000, 7.0))
    heard = response(machine, "near", casing)
    flutter = fluttering(drift(run.child("flutter"), 0.2, _QUICK))
    tune = tones(
        machine, shaft.turns, shaft.rate, _orders(unit, blades), heard, chance=unit.child("tones"), envelope=flutter
    )
    return Source(-2.0, heard, tune)


def _orders(unit: Chance, blades: int) -> dict[int, float]:
    """Amplitudes of the shaft's first orders and of the blade tones, uneven from unit to unit."""
    shaft_orders = {order: 0.35 / order for order in range(1, 5)}
    numbers = np.arange(1, 13)
    strengths = 0.75 ** (numbers - 1) * unit.child("blade tones").uniform(numbers, 0.4, 1.6)
    return shaft_orders | dict(zip((numbers * blades).tolist(), strengths.tolist(), strict=True))
