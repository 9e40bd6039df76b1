"""Why a horizon is anomalous: which bands are louder, quieter or unsteadier than they should be, and when.

The spectrum of the latest horizon is held against what normal sound showed at export: each band's level (its mean over
the horizon), its variation (standard deviation over time) and the level of each slice of time, in standard deviations
of normal horizons. It costs a few passes over one branch's rows, and is asked for only when a score is worth it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader, median
from edge_asd.features.mel import hz_to_mel, mel_to_hz
from edge_asd.features.presets import resolve
from edge_asd.recipe.front_ends import LogMel, LogSpectrogram
from edge_asd.recipe.graph import Branch, Recipe

NOTABLE = 3.0
"""Standard deviations from which a band or a slice is worth a word."""
_MOST = 5
"""Most bands, and most slices, that are told."""
_LEAST_SPREAD = 0.1
"""Least standard deviation that is believed, as a share of the bands' median."""

Floats = NDArray[np.float64]


class BandDeviation(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the spectrum that is not as it should be."""

    low_hz: float
    """Its lower edge, in hertz."""
    high_hz: float
    """Its upper edge, in hertz."""
    z: float
    """The larger of the two below, with its sign."""
    level_z: float
    """How much louder it is, in standard deviations of normal horizons; negative where quieter."""
    variation_z: float
    """How much more it goes up and down, in standard deviations of normal horizons."""


class MomentDeviation(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of the horizon that stands out."""

    start_s: float
    """Where it begins, in seconds from the start of the horizon."""
    end_s: float
    """Where it ends."""
    z: float
    """How unlike normal slices it is, in their standard deviations."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What stands out in a horizon, most anomalous first; nothing where the recipe has no spectrum to look at."""

    bands: list[BandDeviation] = []
    moments: list[MomentDeviation] = []


class Spectrum(NamedTuple):
    """What is measured of a horizon."""

    level: Floats
    """Mean of each band over time, shape (b,)."""
    variation: Floats
    """Standard deviation of each band over time, shape (b,)."""
    slices: Floats
    """Mean of each band in each slice of time, shape (s, b)."""


class Normal(NamedTuple):
    """What normal horizons measure: means and standard deviations, shape (b,) each."""

    level_mean: Floats
    level_std: Floats
    variation_mean: Floats
    variation_std: Floats
    slice_mean: Floats
    slice_std: Floats
    strangeness: Floats
    """Mean and standard deviation of the root mean square z of normal slices, shape (2,)."""


class Explainer:
    """Explains horizons with a bundle's statistics of normal ones, `explanation/…`.

    Raises
    ------
    InputError
        When an array is missing, unknown, of another form, or not finite.
    """

    def __init__(self, recipe: Recipe, arrays: Mapping[str, NDArray[np.generic]], where: str) -> None:
        self._recipe = recipe
        self._branch = spectral_branch(recipe) if arrays else None
        if self._branch is None:
            return
        reader = ArrayReader(arrays, where)
        self._edges = band_edges(recipe.branches[self._branch], recipe.sample_rate)
        reader.sizes["b"] = len(self._edges) - 1
        fields = {name: reader.floats(name, "b") for name in Normal._fields if name != "strangeness"}
        self._normal = Normal(**fields, strangeness=reader.floats("strangeness", 2))
        reader.finish()

    def explain(self, rows: Mapping[str, NDArray[np.floating]]) -> Explanation:
        """Say what stands out in a horizon, given the rows of its branches."""
        if self._branch is None or self._branch not in rows or not len(rows[self._branch]):
            return Explanation()
        spectrum = measure(rows[self._branch], len(self._edges) - 1, slice_count(self._recipe))
        return Explanation(bands=self._bands(spectrum), moments=self._moments(spectrum))

    def _bands(self, spectrum: Spectrum) -> list[BandDeviation]:
        normal = self._normal
        level = standardized(spectrum.level, normal.level_mean, normal.level_std)
        variation = standardized(spectrum.variation, normal.variation_mean, normal.variation_std)
        strongest = np.where(np.abs(level) >= np.abs(variation), level, variation)
        found = []
        for first, last in _alike(strongest):
            peak = first + int(np.argmax(np.abs(strongest[first:last])))
            found.append(
                BandDeviation(
                    low_hz=round(float(self._edges[first]), 1),
                    high_hz=round(float(self._edges[last]), 1),
                    z=_rounded(strongest[peak]),
                    level_z=_rounded(level[peak]),
                    variation_z=_rounded(variation[peak]),
                )
            )
        return sorted(found, key=lambda band: -abs(band.z))[:_MOST]

    def _moments(self, spectrum: Spectrum) -> list[MomentDeviation]:
        mean, spread = self._normal.strangeness
        scores = (strangeness(spectrum.slices, self._normal) - mean) / max(float(spread), 1e-9)
        length = self._recipe.horizon.seconds / len(scores)
        return [
            MomentDeviation(start_s=index * length, end_s=(index + 1) * length, z=_rounded(scores[index]))
            for index in np.argsort(-scores)[:_MOST].tolist()
            if scores[index] >= NOTABLE
        ]


def fit_normal(spectra: Sequence[Spectrum]) -> Normal:
    """Take mean and standard deviation over normal horizons, of all that is measured of one."""
    levels, variations = (np.stack(values) for values in zip(*((s.level, s.variation) for s in spectra), strict=True))
    slices = np.concatenate([spectrum.slices for spectrum in spectra])
    normal = Normal(
        level_mean=levels.mean(axis=0),
        level_std=levels.std(axis=0),
        variation_mean=variations.mean(axis=0),
        variation_std=variations.std(axis=0),
        slice_mean=slices.mean(axis=0),
        slice_std=slices.std(axis=0),
        strangeness=np.zeros(2),
    )
    scores = strangeness(slices, normal)
    return normal._replace(strangeness=np.array([scores.mean(), scores.std()]))


def normal_arrays(spectra: Sequence[Spectrum]) -> dict[str, NDArray[np.generic]]:
    """Return what a bundle keeps of normal horizons, as arrays named `explanation/…`."""
    return {f"explanation/{name}": values for name, values in fit_normal(spectra)._asdict().items()}


def spectral_branch(recipe: Recipe) -> str | None:
    """Return the branch whose rows are spectra over the horizon: no net, frame by frame; None where there is none."""
    for name, branch in recipe.used_branches.items():
        front_end = resolve(branch.front_end)
        streams = isinstance(front_end, LogMel | LogSpectrogram) and front_end.segment_length is None
        if streams and branch.model is None and branch.patch.level == "keep" and branch.patch.frames == 1:
            return name
    return None


def band_edges(branch: Branch, sample_rate: int) -> Floats:
    """Return the edges between a branch's bands in hertz, shape (b + 1,): halfway between neighbouring centres."""
    front_end = resolve(branch.front_end)
    if isinstance(front_end, LogMel):
        ends = np.array([front_end.fmin, front_end.fmax or sample_rate / 2.0])
        low, high = hz_to_mel(ends, htk=front_end.htk)
        mels = np.linspace(low, high, front_end.n_mels + 2)
        return np.asarray(mel_to_hz(0.5 * (mels[:-1] + mels[1:]), htk=front_end.htk), np.float64)
    if isinstance(front_end, LogSpectrogram):
        step = sample_rate / front_end.n_fft
        return np.asarray(np.maximum(0.0, (np.arange(front_end.n_fft // 2 + 2) - 0.5) * step), np.float64)
    raise ValueError("only a spectrum has bands")


def slice_count(recipe: Recipe) -> int:
    """Return into how many slices of time a horizon is cut: as many as decisions fall into it, 2 to 20."""
    return int(np.clip(round(recipe.horizon.seconds / recipe.horizon.hop_seconds), 2, 20))


def measure(rows: NDArray[np.floating], bands: int, slices: int) -> Spectrum:
    """Measure a horizon's spectra, shape (n, b)."""
    values = rows.astype(np.float64).reshape(-1, bands)
    pieces = np.array_split(values, min(slices, len(values)))
    return Spectrum(values.mean(axis=0), values.std(axis=0), np.stack([piece.mean(axis=0) for piece in pieces]))


def standardized(values: Floats, mean: Floats, std: Floats) -> Floats:
    """Return values, shape (…, b), in standard deviations from the mean; tiny deviations count as larger."""
    least = max(_LEAST_SPREAD * median(std), 1e-9)
    return np.asarray((values - mean) / np.maximum(std, least), np.float64)


def strangeness(slices: Floats, normal: Normal) -> Floats:
    """Return the root mean square z over the bands of each slice, shape (s,)."""
    z = standardized(slices, normal.slice_mean, normal.slice_std)
    return np.asarray(np.sqrt(np.mean(z**2, axis=1)))


def _alike(z: Floats) -> list[tuple[int, int]]:
    """Return first and past-the-last of each run of neighbouring bands that deviate notably to the same side."""
    signs = np.where(np.abs(z) >= NOTABLE, np.sign(z), 0.0)
    edges = np.flatnonzero(np.diff(signs, prepend=0.0, append=0.0))
    return [(int(first), int(last)) for first, last in pairwise(edges) if signs[first]]


def _rounded(value: float) -> float:
    return round(float(value), 2)
