"""What can be simulated: kinds of machine, and the faults that each kind can have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from edge_asd.errors import InputError

MachineKind = Literal["rotating", "pumping", "sliding", "clicking"]
FaultKind = Literal["bearing", "imbalance", "leakage", "belt-slip", "dry-rail", "burst", "level"]

_GENERIC: tuple[FaultKind, ...] = ("burst", "level")
_OWN_FAULTS: dict[MachineKind, tuple[FaultKind, ...]] = {
    "rotating": ("bearing", "imbalance", "belt-slip"),
    "pumping": ("bearing", "imbalance", "leakage"),
    "sliding": ("dry-rail", "belt-slip"),
    "clicking": ("leakage",),
}


@dataclass(frozen=True)
class Machine:
    """One individual machine, and the microphone that stands beside it.

    Parameters
    ----------
    kind
        ``rotating`` (a fan), ``pumping`` (a pulsating pump), ``sliding`` (a slide rail in strokes) or ``clicking``
        (a solenoid valve).
    unit
        Which machine of that kind: shaft speed, blade count, resonances, room and microphone follow from it.
    sample_rate
        Samples a second, 4000 to 192000. Resonances above 0.45 of it are drawn down to there.

    Raises
    ------
    InputError
        When a field is out of its range.
    """

    kind: MachineKind
    unit: int = 0
    sample_rate: int = 16_000

    def __post_init__(self) -> None:
        if self.kind not in get_args(MachineKind):
            raise InputError("machine kind", expected=_one_of(get_args(MachineKind)), found=repr(self.kind))
        if self.unit < 0:
            raise InputError("machine unit", expected="0 or more", found=repr(self.unit))
        if not 4_000 <= self.sample_rate <= 192_000:
            raise InputError("sample rate", expected="4000 to 192000 Hz", found=repr(self.sample_rate))

    @property
    def tail(self) -> int:
        """Samples for which a response rings on: a power of two, half a second or a little more."""
        return 1 << math.ceil(math.log2(self.sample_rate / 2))

    @property
    def segment_length(self) -> int:
        """Samples rendered at once; with the tail a power of two, so that the FFT is quick."""
        return 3 * self.tail

    @property
    def fft_length(self) -> int:
        """Samples of the transform that carries one segment and its tail."""
        return 4 * self.tail


def faults_of(kind: MachineKind) -> tuple[FaultKind, ...]:
    """Name the faults that a kind of machine can have: its own mechanisms, then the generic two."""
    return _OWN_FAULTS[kind] + _GENERIC


def require_fault(kind: MachineKind, fault: FaultKind) -> None:
    """Refuse a fault that such a machine cannot have.

    Raises
    ------
    InputError
        When the fault is unknown or not one of :func:`faults_of`.
    """
    if fault not in faults_of(kind):
        raise InputError(f"fault of a {kind} machine", expected=_one_of(faults_of(kind)), found=repr(fault))


def _one_of(names: tuple[str, ...]) -> str:
    return "one of " + ", ".join(names)
