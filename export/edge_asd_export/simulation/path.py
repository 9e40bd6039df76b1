r"""The way from where a sound arises to the microphone: structure, room, microphone, each a finite impulse response.

Two kinds of structure are told apart. *Modes* are a few damped resonances that ring when struck, the response
:math:`g e^{-t/\tau} \sin 2\pi f t` of a second-order system. A *shape* is a smooth spectrum with humps, made minimum
phase by folding the cepstrum (Oppenheim and Schafer, "Discrete-Time Signal Processing", chapter "Cepstrum analysis
and homomorphic deconvolution") so that it answers at once.

A room is a direct sound and a tail of Gaussian noise under an exponential decay (Polack's model of late reverberation;
Schroeder, "Natural sounding artificial reverberation", 1962). The near room has both; the far one, through which the
rest of the factory is heard, only the tail. The microphone adds a gentle colour within ±3 dB.

Every response has unit energy: white noise of unit power comes out with unit power, whatever the unit's resonances.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_asd_export.simulation.chance import Chance, Floats
from edge_asd_export.simulation.machine import Machine

Response = NDArray[np.complex128]
Surroundings = Literal["near", "far", "microphone"]

_HIGHEST_MODE = 0.45
_STRUCTURE_SECONDS = 0.12
_MICROPHONE_SECONDS = 0.04
_ROOM_SECONDS = 0.33


@dataclass(frozen=True)
class Modes:
    """Damped resonances of a struck structure.

    Parameters
    ----------
    modes
        For each (frequency in Hz, time constant of the decay in seconds, gain).
    """

    modes: tuple[tuple[float, float, float], ...]

    def taps(self, sample_rate: int) -> Floats:
        """Compute the impulse response at a sample rate."""
        frequencies, decays, gains = (np.array(column)[:, None] for column in zip(*self.modes, strict=True))
        frequencies = np.minimum(frequencies, _HIGHEST_MODE * sample_rate)
        times = np.arange(int(_STRUCTURE_SECONDS * sample_rate)) / sample_rate
        ringing = gains * np.exp(-times / decays) * np.sin(2 * np.pi * frequencies * times)
        return _faded(ringing.sum(axis=0))


@dataclass(frozen=True)
class Shape:
    """A smooth spectrum with humps.

    Parameters
    ----------
    points
        (frequency in Hz, level in dB), joined by straight lines over the logarithm of frequency; level below the
        first, on along the last line above the last.
    humps
        (frequency in Hz, width in octaves, height in dB), Gaussian over the logarithm of frequency.
    """

    points: tuple[tuple[float, float], ...]
    humps: tuple[tuple[float, float, float], ...] = ()

    def taps(self, sample_rate: int) -> Floats:
        """Compute the minimum-phase impulse response at a sample rate."""
        length = 1 << int(np.ceil(np.log2(2 * _STRUCTURE_SECONDS * sample_rate)))
        levels = self._levels(np.linspace(0.0, sample_rate / 2, length // 2 + 1))
        return _faded(_minimum_phase(levels)[: int(_STRUCTURE_SECONDS * sample_rate)])

    def _levels(self, frequencies: Floats) -> Floats:
        octaves = np.log2(np.maximum(frequencies, 1.0))
        at, level = np.array(self.points).T
        places = np.log2(at)
        slope = (level[-1] - level[-2]) / (places[-1] - places[-2])
        curve: Floats = np.interp(octaves, places, level) + slope * np.maximum(octaves - places[-1], 0.0)
        for centre, width, height in self.humps:
            curve += height * np.exp(-0.5 * ((octaves - np.log2(centre)) / width) ** 2)
        return curve


def humps(chance: Chance, count: int, low: float, high: float, height: float) -> tuple[tuple[float, float, float], ...]:
    """Draw resonance humps of a structure, evenly strewn between two frequencies (Hz), up to `height` dB high."""
    order = np.arange(count)
    steps = (order + chance.child("place").uniform(order)) / count
    heights = chance.child("height").uniform(order, 0.3 * height, height)
    widths = chance.child("width").uniform(order, 0.08, 0.25)
    return tuple(zip((low * (high / low) ** steps).tolist(), widths.tolist(), heights.tolist(), strict=True))


@lru_cache(maxsize=256)
def response(machine: Machine, surroundings: Surroundings, structure: Modes | Shape) -> Response:
    """Compute the spectrum of a structure, its surroundings and the microphone, with unit energy.

    Parameters
    ----------
    machine
        Whose room and microphone these are.
    surroundings
        ``near`` the microphone, ``far`` off in the hall, or only through the ``microphone``.
    structure
        What the sound passes before it reaches the air.

    Returns
    -------
    Response
        Shape ``(machine.fft_length // 2 + 1,)``; its impulse response fits ``machine.tail``.
    """
    length = machine.fft_length
    spectrum = np.fft.rfft(structure.taps(machine.sample_rate), length) * _surroundings(machine, surroundings)
    taps = np.fft.irfft(spectrum, length)
    return np.asarray(spectrum / np.sqrt(np.square(taps).sum()))


@lru_cache(maxsize=64)
def _surroundings(machine: Machine, surroundings: Surroundings) -> Response:
    chance = Chance.of("room", machine.kind, machine.unit)
    microphone = np.fft.rfft(_microphone(chance, machine.sample_rate), machine.fft_length)
    if surroundings == "microphone":
        return microphone
    room = _near_room if surroundings == "near" else _far_room
    return np.asarray(microphone * np.fft.rfft(room(chance, machine.sample_rate), machine.fft_length))


def _near_room(chance: Chance, sample_rate: int) -> Floats:
    """Direct sound, and a tail 3 to 8 dB below it."""
    taps = _tail(chance, sample_rate, reverberation_time=chance.between("reverberation", 0.25, 0.5))
    taps *= 10 ** (-chance.between("distance", 3.0, 8.0) / 20)
    taps[0] = 1.0
    return taps


def _far_room(chance: Chance, sample_rate: int) -> Floats:
    return _tail(chance.child("hall"), sample_rate, reverberation_time=0.9)


def _tail(chance: Chance, sample_rate: int, *, reverberation_time: float) -> Floats:
    """Noise that decays by 60 dB in the reverberation time (seconds), of unit energy."""
    times = np.arange(int(_ROOM_SECONDS * sample_rate)) / sample_rate
    taps = chance.white(0, times.size) * 10 ** (-3 * times / reverberation_time)
    taps[: int(0.004 * sample_rate)] = 0.0
    taps = _faded(taps)
    return np.asarray(taps / np.sqrt(np.square(taps).sum()))


def _microphone(chance: Chance, sample_rate: int) -> Floats:
    """Colour by three gentle waves over the spectrum, and cut off below 20 Hz with 12 dB an octave."""
    length = 1 << int(np.ceil(np.log2(0.5 * sample_rate)))
    frequencies = np.linspace(0.0, sample_rate / 2, length // 2 + 1)
    decades = np.log10(np.maximum(frequencies, 20.0) / 20.0) / 3
    waves = np.arange(1, 4)[:, None]
    phases = chance.child("microphone").uniform(np.arange(3), 0.0, 2 * np.pi)[:, None]
    colour = np.cos(np.pi * waves * decades + phases).sum(axis=0)
    cut = -10 * np.log10(1 + (20.0 / np.maximum(frequencies, 1.0)) ** 4)
    return _faded(_minimum_phase(colour + cut)[: int(_MICROPHONE_SECONDS * sample_rate)])


def _minimum_phase(levels: Floats) -> Floats:
    """Give the causal impulse response whose magnitude is `levels` (dB, from 0 Hz to half the sample rate)."""
    cepstrum = np.fft.irfft(levels * (np.log(10) / 20))
    half = cepstrum.size // 2
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    return np.asarray(np.fft.irfft(np.exp(np.fft.rfft(cepstrum))))


def _faded(taps: Floats) -> Floats:
    """Let the last quarter die away to nothing."""
    fade = taps.size // 4
    taps[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    return taps
