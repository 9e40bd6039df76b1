"""A seeded generator of machine sounds: four kinds of machine, their real faults, a factory around them.

It serves the demo, the tests, the benchmarks and the counting of false alarms. It simulates causes, not spectra: what
turns, moves, strikes, flows and rubs in a machine (``rotating``, ``pumping``, ``sliding``, ``clicking``), what goes
wrong with it (``faults``), what else sounds in the hall (``factory``), and each one's way to the microphone (``path``).
Machines of one kind differ by their unit; one machine's load and speed drift within limits; another seed is another
stretch of the same machine's life. The same arguments give the same samples (with one release of NumPy, on one kind of
processor), in whatever blocks they are asked for.

The signal's way: ``chance`` and ``motion`` (what is random, what turns) -> ``excitation`` (what sets it sounding) ->
``path`` (structure, room, microphone) -> ``scene`` (levels) -> ``render`` (sum).
"""

from edge_asd_export.simulation.machine import FaultKind, Machine, MachineKind, faults_of
from edge_asd_export.simulation.recordings import write_recordings
from edge_asd_export.simulation.render import NORMAL_LEVEL_DBFS, simulate, stream
from edge_asd_export.simulation.scene import Hear

__all__ = [
    "NORMAL_LEVEL_DBFS",
    "FaultKind",
    "Hear",
    "Machine",
    "MachineKind",
    "faults_of",
    "simulate",
    "stream",
    "write_recordings",
]
