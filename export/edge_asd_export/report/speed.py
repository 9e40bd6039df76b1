"""How fast a bundle is on the machine that made it."""

from __future__ import annotations

import platform
import statistics
import time
from pathlib import Path

import numpy as np

from edge_asd.audio import from_int16
from edge_asd.bundle import Bundle, arrays_under
from edge_asd.pipeline import Pipeline
from edge_asd.settings import Settings

_PASSES = 5
_CPUINFO = Path("/proc/cpuinfo")


class Speed(Settings):
    """Time that a bundle takes for sound, on one thread."""

    machine: str
    """Processor."""
    real_time_factor: float
    """Seconds of processor time for a second of sound, front end and detectors included; median of the passes."""
    passes: int
    """Passes over the sound."""
    sound_s: float
    """Length of the sound, in seconds."""


def measure_speed(bundle: Bundle, *, passes: int = _PASSES) -> Speed:
    """Put a bundle's golden sound through it, decision by decision, and measure the time.

    Processor time is taken rather than the clock's, since other programs may be running.
    """
    samples = from_int16(np.asarray(arrays_under(bundle.arrays, "golden")["samples"], np.int16))
    hop = bundle.recipe.hop_samples
    pipeline = Pipeline(bundle)
    for _ in pipeline.process(samples):
        pass
    seconds = len(samples) / bundle.recipe.sample_rate
    times = []
    for _ in range(passes):
        begun = time.process_time()
        for start in range(0, len(samples), hop):
            for _ in pipeline.process(samples[start : start + hop]):
                pass
        times.append(time.process_time() - begun)
    return Speed(
        machine=_machine(), real_time_factor=statistics.median(times) / seconds, passes=passes, sound_s=seconds
    )


def _machine() -> str:
    try:
        lines = _CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.lower().startswith(("model name", "hardware"))]
    return names[0] if names else platform.machine()
