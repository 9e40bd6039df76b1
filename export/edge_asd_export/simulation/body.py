"""A machine at work: what sounds in it, and what of its motion a fault can hold on to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edge_asd_export.simulation.chance import Chance, Floats
from edge_asd_export.simulation.excitation import Source, tones
from edge_asd_export.simulation.machine import Machine
from edge_asd_export.simulation.motion import Rotation, Segment, drift, rotation
from edge_asd_export.simulation.path import Shape, response

MAINS_HUM_HZ = 100.0
_MAINS_WANDER = 2e-4
_COMMON_DRIFT_DB = 0.7
_OWN_DRIFT_DB = 0.7


@dataclass(frozen=True)
class Stroke:
    """A motion to and fro.

    Parameters
    ----------
    clock
        One cycle is there, a rest, back, a rest.
    places
        The place at equally spaced phases of one cycle, both ends included: from 0 to 1 and back.
    speeds
        The speed at the same phases, from 0 to 1.
    top_speed
        Places a second at speed 1.
    """

    clock: Rotation
    places: Floats
    speeds: Floats
    top_speed: float

    def place(self, segment: Segment) -> Floats:
        """Say where it is at each sample, from 0 to 1."""
        return self._follow(self.places, segment)

    def pace(self, segment: Segment) -> Floats:
        """Say how fast it is at each sample, from 0 to 1."""
        return self._follow(self.speeds, segment)

    def _follow(self, table: Floats, segment: Segment) -> Floats:
        phases = self.clock.cycles(segment.knots) % 1.0
        return segment.spread(np.interp(phases, np.linspace(0.0, 1.0, table.size), table))


@dataclass(frozen=True)
class Body:
    """A machine at work during one stretch.

    Parameters
    ----------
    sources
        What sounds when all is well; long-run powers add up to 1.
    shaft
        What turns in it, if anything does.
    stroke
        What moves to and fro in it, if anything does.
    """

    sources: tuple[Source, ...]
    shaft: Rotation | None = None
    stroke: Stroke | None = None


Builder = Callable[[Machine, Chance, Chance], Body]


def at_work(run: Chance, *sources: Source) -> tuple[Source, ...]:
    """Let the levels of a machine's sources drift, for the most part together, as its load does."""
    load = drift(run.child("load"), _COMMON_DRIFT_DB)
    return balanced(
        *(
            replace(source, wander=load.joined(drift(run.child("load", number), _OWN_DRIFT_DB)))
            for number, source in enumerate(sources)
        )
    )


def balanced(*sources: Source) -> tuple[Source, ...]:
    """Shift all levels alike so that the powers add up to 1."""
    total_db = 10 * np.log10(sum(10 ** (source.level_db / 10) for source in sources))
    return tuple(replace(source, level_db=source.level_db - total_db) for source in sources)


def mains_hum(machine: Machine, unit: Chance, run: Chance, level_db: float) -> Source:
    """Make the hum of a motor: magnetic force pulls at twice the mains frequency, 100 Hz, and its multiples."""
    heard = response(machine, "near", Shape(((50.0, 0.0), (400.0, 0.0), (1600.0, -12.0))))
    turning = rotation(run.child("mains"), MAINS_HUM_HZ, _MAINS_WANDER)
    orders: Mapping[int, float] = {1: 1.0, 2: 0.5, 3: 0.3, 4: 0.12, 6: 0.08}
    return Source(
        level_db, heard, tones(machine, turning.turns, turning.rate, orders, heard, chance=unit.child("mains"))
    )
