r"""What goes wrong with a machine, and what that sounds like.

The amplitude of a fault grows in proportion to its severity; at severity 1 its long-run power, relative to that of the
sound machine, is

========== ======= ===============================================================================================
fault      power   mechanism
========== ======= ===============================================================================================
bearing    0 dB    impacts at the ball-pass frequency, ringing at 2.2-4.2 kHz, stronger where the load is
imbalance  0 dB    the shaft's own orders rise, and the whole sound swells with each turn (depth 0.5)
leakage    0 dB    a jet: steady broadband turbulence with a broad hump at 2.5-5 kHz
belt-slip  0 dB    squealing episodes of 0.3-1.1 s, in which it is 5 dB louder
dry-rail   0 dB    scraping during the strokes, broken up by stick and slip
burst      --      bursts of 60 ms, one every 2.5 s at a random moment; each of them 11 dB above machine plus noise
level      +6 dB   all of the machine's own sound louder; quieter at negative severity (-6 dB at severity -1)
========== ======= ===============================================================================================

**Bearing.** A spall in the outer race is passed by a ball :math:`f_{BPO}` times a second, which each time strikes the
structure and lets it ring:

.. math:: f_{BPO} = \frac{n f_r}{2} \left(1 - \frac{d}{D} \cos\alpha\right)

with n balls of diameter d on a pitch diameter D, contact angle :math:`\alpha`, shaft frequency :math:`f_r` (Randall and
Antoni, "Rolling element bearing diagnostics - a tutorial", Mechanical Systems and Signal Processing 25, 2011, eq. 1).
The balls slip, so the impacts are not strictly periodic (ibid.): here the rate wanders within ±1 % and each
impact comes up to 1.5 % of a period early or late. An unbalanced shaft presses harder once a turn: the impacts are
weighted by :math:`1 + 0.5 \cos 2\pi f_r t`.

**Imbalance.** The centrifugal force :math:`m e \omega^2` turns with the shaft, so the structure sounds at :math:`f_r`,
and, as no structure is linear, at its multiples; clearance and load change once a turn, which modulates all else.

**Leakage.** A jet of speed U from an opening of width D is broadband around :math:`f \approx 0.2\, U / D`, a Strouhal
number of about 0.2 as for subsonic jets in general.

**Belt slip and dry rail.** Friction that falls with speed lets surfaces stick and slip (Bowden and Leben 1939;
Rabinowicz, "The nature of the static and kinetic coefficients of friction", 1951). A belt does so at one of its modes,
as a squeal with harmonics whose pitch wanders with the load. A carriage does so once for each short distance run, so
its chatter quickens with the speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from edge_asd_export.simulation.body import Body, Stroke
from edge_asd_export.simulation.chance import Chance, Floats
from edge_asd_export.simulation.excitation import (
    Envelope,
    Episodes,
    Excitation,
    Hits,
    Source,
    impacts,
    look_up,
    tabulated,
    tones,
    turbulence,
)
from edge_asd_export.simulation.machine import FaultKind, Machine
from edge_asd_export.simulation.motion import Rotation, Segment, drift
from edge_asd_export.simulation.path import Modes, Shape, humps, response
from edge_asd_export.simulation.sliding import in_motion

LEVEL_DB = 6.0
BURST_SECONDS = 0.06
BURST_SLOT = 2.5
IMBALANCE_DEPTH = 0.5
BEARING_LOAD_DEPTH = 0.5
_BURST_DB = 11.0
_SQUEAL_PERIODS = ((0.07, 0.12), (0.6, 1.2), (1.8, 4.0), (5.0, 12.0))
_SLIP_LIMIT = 0.01
_SLIP_PERIODS = ((0.5, 1.5), (2.0, 5.0), (8.0, 20.0))

_Part = TypeVar("_Part")
Modulation = Callable[[Segment, Floats], Floats]


@dataclass(frozen=True)
class Fault:
    """What a fault does.

    Parameters
    ----------
    sources
        What it adds, at severity 1; levels in dB relative to the machine.
    modulation
        What it does to the machine's own sound: a factor for each sample, given the severity at each sample.
    """

    sources: tuple[Source, ...] = ()
    modulation: Modulation | None = None


@dataclass(frozen=True)
class Case:
    """A machine that a fault befalls.

    Parameters
    ----------
    machine
        The machine.
    body
        Its parts, at work in this stretch.
    run
        Draws what is random in this stretch.
    mixture_db
        Power of machine and noise together, in dB relative to the machine.
    """

    machine: Machine
    body: Body
    run: Chance
    mixture_db: float

    @property
    def unit(self) -> Chance:
        """Draws what the fault is like in this machine, whatever the stretch."""
        return Chance.of("fault", self.machine.kind, self.machine.unit)

    @property
    def shaft(self) -> Rotation:
        """What turns in the machine."""
        return _present(self.body.shaft)

    @property
    def stroke(self) -> Stroke:
        """What moves to and fro in the machine."""
        return _present(self.body.stroke)


def fault_of(kind: FaultKind, case: Case) -> Fault:
    """Build a fault, one of :func:`~edge_asd_export.simulation.machine.faults_of` the machine's kind."""
    return _BUILDERS[kind](case)


def ball_pass_ratio(machine: Machine) -> float:
    """Give the ball-pass frequency of a machine's outer race in multiples of its shaft's frequency."""
    unit = Chance.of("bearing", machine.kind, machine.unit)
    balls = int(unit.between("balls", 7.0, 10.0))
    return 0.5 * balls * (1 - unit.between("diameters", 0.18, 0.28))


def _bearing(case: Case) -> Fault:
    shaft = case.shaft
    rate = shaft.geared(ball_pass_ratio(case.machine), drift(case.run.child("slip"), _SLIP_LIMIT, _SLIP_PERIODS))
    lowest = case.unit.between("resonance", 2200.0, 2900.0)
    race = Modes(((lowest, 0.0022, 1.0), (1.45 * lowest, 0.0016, 0.7), (0.37 * lowest, 0.003, 0.25)))
    hits = Hits(times=(0.0,), strengths=(1.0,), jitter=0.015, unevenness=0.2)

    def weight(times: Floats) -> Floats:
        pressed = 1 + BEARING_LOAD_DEPTH * np.cos(2 * np.pi * shaft.cycles(times))
        return np.asarray(pressed / np.sqrt(1 + BEARING_LOAD_DEPTH**2 / 2))

    train = impacts(case.run.child("impacts"), rate, hits, case.machine.sample_rate, weight)
    return Fault((Source(0.0, response(case.machine, "near", race), train),))


def _imbalance(case: Case) -> Fault:
    shaft = case.shaft
    frame = Shape(((15.0, 0.0), (120.0, 0.0), (600.0, -12.0), (4000.0, -40.0)))
    heard = response(case.machine, "near", frame)
    orders = {1: 1.0, 2: 0.6, 3: 0.45, 4: 0.3, 5: 0.2, 6: 0.15}
    rumble = tones(case.machine, shaft.turns, shaft.rate, orders, heard, chance=case.unit.child("tones"))

    def swell(segment: Segment, severity: Floats) -> Floats:
        return np.asarray(1 + IMBALANCE_DEPTH * severity * np.cos(2 * np.pi * shaft.turns(segment)))

    return Fault((Source(0.0, heard, rumble),), swell)


def _leakage(case: Case) -> Fault:
    jet = Shape(
        ((100.0, -30.0), (1000.0, -10.0), (4000.0, -8.0), (8000.0, -12.0)),
        ((case.unit.between("jet", 2500.0, 5000.0), 0.6, 12.0),),
    )
    return Fault((Source(0.0, response(case.machine, "near", jet), turbulence(case.run.child("jet"))),))


def _belt_slip(case: Case) -> Fault:
    pitch = case.unit.between("pitch", 900.0, 1700.0)
    squeal = Rotation(pitch, drift(case.run.child("wander"), 0.05, _SQUEAL_PERIODS), 0.0)
    belt = Shape(((300.0, -10.0), (1000.0, 0.0), (5000.0, -3.0), (8000.0, -8.0)), humps(case.unit, 4, 800, 6000, 6.0))
    heard = response(case.machine, "near", belt)
    orders = {1: 1.0, 2: 0.7, 3: 0.4, 4: 0.3, 5: 0.15}
    steady = tones(case.machine, squeal.turns, squeal.rate, orders, heard, chance=case.unit.child("tones"))
    episodes = Episodes(case.run.child("episodes"), slot=1.6, likelihood=0.85, shortest=0.3, longest=1.1, edge=0.06)
    driven = None if case.body.stroke is None else in_motion(case.body.stroke, 0.5)
    return Fault((Source(0.0, heard, _now_and_then(steady, episodes, driven)),))


def _now_and_then(steady: Envelope, episodes: Episodes, driven: Envelope | None) -> Excitation:
    """Let a steady sound be heard in episodes only, of unit power in the long run."""
    scale = episodes.duty**-0.5

    def excite(segment: Segment) -> Floats | None:
        envelope = episodes.envelope(segment)
        if envelope is None:
            return None
        sound = np.asarray(scale * envelope * steady(segment))
        return sound if driven is None else sound * driven(segment)

    return excite


def _dry_rail(case: Case) -> Fault:
    stroke = case.stroke
    rail = Shape(((150.0, -20.0), (1200.0, 0.0), (4000.0, -2.0), (8000.0, -10.0)), humps(case.unit, 5, 900, 5500, 9.0))
    scraping = turbulence(case.run.child("scraping"), _chatter(stroke, case.unit.between("slips", 35.0, 60.0)))
    return Fault((Source(0.0, response(case.machine, "near", rail), scraping),))


def _chatter(stroke: Stroke, slips_per_second: float) -> Envelope:
    """Trace the scraping of a carriage that sticks and slips, so often a second at top speed."""
    slips = slips_per_second / stroke.top_speed
    slip = tabulated(lambda phase: 0.25 + np.exp(-phase / 0.2))
    moving = in_motion(stroke)

    def envelope(segment: Segment) -> Floats:
        return look_up(slip, slips * stroke.place(segment)) * moving(segment)

    return envelope


def _level(_case: Case) -> Fault:
    def louder(_segment: Segment, severity: Floats) -> Floats:
        return np.asarray(10 ** (LEVEL_DB / 20 * severity))

    return Fault(modulation=louder)


def _burst(case: Case) -> Fault:
    slots = Episodes(case.run.child("bursts"), BURST_SLOT, 1.0, BURST_SECONDS, BURST_SECONDS, edge=0.008)
    noise = turbulence(case.run.child("noise"))
    struck = Shape(((100.0, -12.0), (400.0, 0.0), (2000.0, -4.0), (8000.0, -16.0)), humps(case.unit, 4, 400, 6000, 5.0))

    def excite(segment: Segment) -> Floats | None:
        envelope = slots.envelope(segment)
        return None if envelope is None else envelope * noise(segment)

    return Fault((Source(case.mixture_db + _BURST_DB, response(case.machine, "microphone", struck), excite),))


def _present(part: _Part | None) -> _Part:
    if part is None:
        raise LookupError("this machine has no part that such a fault could befall")
    return part


_BUILDERS: dict[FaultKind, Callable[[Case], Fault]] = {
    "bearing": _bearing,
    "imbalance": _imbalance,
    "leakage": _leakage,
    "belt-slip": _belt_slip,
    "dry-rail": _dry_rail,
    "burst": _burst,
    "level": _level,
}
