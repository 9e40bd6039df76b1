"""What is to be heard in a stretch: the machine, its fault, the factory, and the level of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from edge_asd.errors import InputError
from edge_asd_export.simulation.body import Body, Builder
from edge_asd_export.simulation.chance import Chance, Floats
from edge_asd_export.simulation.clicking import clicking
from edge_asd_export.simulation.excitation import Source
from edge_asd_export.simulation.factory import factory
from edge_asd_export.simulation.faults import Case, Fault, fault_of
from edge_asd_export.simulation.machine import FaultKind, Machine, MachineKind, require_fault
from edge_asd_export.simulation.motion import Segment
from edge_asd_export.simulation.pumping import pumping
from edge_asd_export.simulation.rotating import rotating
from edge_asd_export.simulation.sliding import sliding

Swell = Callable[[Segment], "Floats | float | None"]
Hear = Literal["everything", "machine", "noise"]

_BUILDERS: dict[MachineKind, Builder] = {
    "rotating": rotating,
    "pumping": pumping,
    "sliding": sliding,
    "clicking": clicking,
}


@dataclass(frozen=True)
class Group:
    """Sources that rise and fall together.

    Parameters
    ----------
    sources
        What sounds.
    swell
        Factor on all samples of a segment or on each, or None where all are silent.
    """

    sources: tuple[Source, ...]
    swell: Swell


@dataclass(frozen=True)
class Severity:
    """The course of a fault.

    Parameters
    ----------
    times
        Seconds from the start of the stretch, rising.
    values
        The severity at these; straight lines between, constant before and after.
    """

    times: Floats
    values: Floats

    def at(self, segment: Segment) -> Floats | None:
        """Give the severity at each sample of a segment, or None where it is 0 throughout."""
        here = np.interp(segment.knots, self.times, self.values)
        return segment.spread(here) if here.any() else None


@dataclass(frozen=True)
class Scene:
    """All that is settled about a stretch before it begins.

    Parameters
    ----------
    machine
        Which machine.
    seed
        Which stretch of its life.
    snr_db
        Long-run power of the normal machine over that of the noise, in dB.
    fault
        What is wrong, if anything.
    severity
        The course of the fault.
    hear
        What is to be heard of it.
    """

    machine: Machine
    seed: int
    snr_db: float
    fault: FaultKind | None
    severity: Severity
    hear: Hear

    @property
    def run(self) -> Chance:
        """Draws what is random in this stretch."""
        return Chance.of("run", self.machine.kind, self.machine.unit, self.seed)

    @property
    def mixture_db(self) -> float:
        """Power of normal machine and noise together, in dB relative to the machine."""
        return 10 * math.log10(1 + 10 ** (-self.snr_db / 10))

    def groups(self) -> tuple[Group, ...]:
        """Build all that sounds."""
        return (*self._machine(), *self._noise())

    def body(self) -> Body:
        """Build the machine at work."""
        unit = Chance.of("unit", self.machine.kind, self.machine.unit)
        return _BUILDERS[self.machine.kind](self.machine, unit, self.run.child("machine"))

    def _machine(self) -> Iterator[Group]:
        if self.hear == "noise":
            return
        body = self.body()
        wrong = Fault()
        if self.fault is not None:
            case = Case(self.machine, body, self.run.child("fault", self.fault), self.mixture_db)
            wrong = fault_of(self.fault, case)
        yield Group(body.sources, _modulated(self.severity, wrong))
        if wrong.sources:
            yield Group(wrong.sources, self.severity.at)

    def _noise(self) -> Iterator[Group]:
        if self.hear == "machine" or self.snr_db == math.inf:
            return
        level = 10 ** (-self.snr_db / 20)
        yield Group(factory(self.machine, self.run.child("noise")), lambda _segment: level)


def _modulated(severity: Severity, wrong: Fault) -> Swell:
    """Let a fault act on what the machine sounds like anyway."""

    def swell(segment: Segment) -> Floats | float:
        now = severity.at(segment)
        return 1.0 if now is None or wrong.modulation is None else wrong.modulation(segment, now)

    return swell


def checked_severity(machine: Machine, seconds: float, fault: FaultKind | None, severity: ArrayLike) -> Severity:
    """Check a fault and spread its severity over a stretch.

    Raises
    ------
    InputError
        When the machine cannot have that fault, when a severity is outside its range, or when it is to change over an
        endless stretch.
    """
    if fault is not None:
        require_fault(machine.kind, fault)
    values: Floats = np.atleast_1d(np.asarray(severity, np.float64))
    lowest = -1.0 if fault == "level" else 0.0
    if values.ndim != 1 or values.size == 0 or not ((values >= lowest) & (values <= 1)).all():
        raise InputError(
            "severity", expected=f"numbers from {lowest:g} to 1", found=np.array2string(values, threshold=6)
        )
    if values.size > 1 and math.isinf(seconds):
        raise InputError("severity", expected="one number for an endless stretch", found=f"{values.size} numbers")
    return Severity(np.linspace(0.0, seconds, values.size) if values.size > 1 else np.zeros(1), values)
