"""A recording heard offline: its scores, the same that the daemon gives, and its spectrogram."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import probe_recording, read_blocks
from edge_asd.bundle import Bundle
from edge_asd.errors import CheckFailedError
from edge_asd.features.log_mel import Spectrogram
from edge_asd.frames import Framer
from edge_asd.pipeline import Pipeline
from edge_asd.recipe.front_ends import LogMel
from edge_asd_export.progress import SILENT, Reporter

_BANDS = LogMel(n_fft=1024, hop_length=512, n_mels=80, fmin=30, log=None)
_MOST_COLUMNS = 720
_AGREEMENT = 1e-6
"""Relative difference of two scores that counts as none: the daemon cuts the same sound into other blocks."""


class Hearing(NamedTuple):
    """What is in a recording, as far as a bundle can tell."""

    ends: NDArray[np.float64]
    """When each decision fell, in seconds from the start, shape (n,)."""
    scores: NDArray[np.float64]
    """Joint score of each, shape (n,)."""
    threshold: float
    seconds: float
    """Length of the recording."""
    levels: NDArray[np.float64]
    """Mean power of each mel band, in dB, shape (bands, columns); the columns share the length equally."""
    bands: LogMel
    """How the bands were made."""
    sample_rate: int

    def moment(self, score: float, after: float = 0.0) -> float:
        """Return when the daemon made a decision, from the score that it told.

        A message carries the score of the decision that made it, and scores of different sound differ; so the first
        decision from `after` (seconds) on with that score is the one, whenever the message came.

        Raises
        ------
        CheckFailedError
            When no decision from there on has that score: the daemon has not heard what was heard offline.
        """
        agrees = (self.ends >= after) & np.isclose(self.scores, score, rtol=_AGREEMENT, atol=_AGREEMENT)
        if not agrees.any():
            raise CheckFailedError(
                f"the daemon told of a score of {score:.6g}; offline, no decision after {after:.0f} s has it"
            )
        return float(self.ends[np.argmax(agrees)])


def hear(path: Path, bundle: Bundle, reporter: Reporter = SILENT) -> Hearing:
    """Score a recording decision by decision, and take its spectrogram.

    Raises
    ------
    InputError
        When the recording cannot be read.
    """
    rate = bundle.recipe.sample_rate
    info = probe_recording(path)
    seconds = info.seconds
    pipeline = Pipeline(bundle)
    spectrogram = _Columns(rate, seconds)
    scores = []
    blocks = read_blocks(path, sample_rate=rate, frames=10 * info.native_rate)
    for block in reporter.track(blocks, "judging it offline", total=int(seconds / 10) + 1):
        scores += [(score.end / rate, score.value) for score in pipeline.process(block)]
        spectrogram.process(block)
    ends, values = np.array(scores, np.float64).reshape(-1, 2).T
    threshold = bundle.manifest.calibration.threshold
    return Hearing(ends, values, threshold, seconds, spectrogram.levels(), _BANDS, rate)


class _Columns:
    """Sound → the mean power of each band in equal lengths of time."""

    def __init__(self, sample_rate: int, seconds: float) -> None:
        self._front_end = Spectrogram(_BANDS, sample_rate)
        self._framer = Framer(_BANDS.n_fft, _BANDS.hop_length)
        self._length = max(_BANDS.n_fft, seconds * sample_rate / _MOST_COLUMNS)
        columns = int(seconds * sample_rate / self._length)
        self._powers = np.zeros((columns, _BANDS.n_mels))
        self._counts = np.zeros(columns)

    def process(self, samples: NDArray[np.float32]) -> None:
        for frames in self._framer.process(samples):
            starts = self._framer.index + np.arange(len(frames)) * _BANDS.hop_length
            column = np.minimum(starts // self._length, len(self._powers) - 1).astype(int)
            np.add.at(self._powers, column, self._front_end.process(frames))
            np.add.at(self._counts, column, 1.0)

    def levels(self) -> NDArray[np.float64]:
        powers = self._powers / np.maximum(self._counts, 1.0)[:, np.newaxis]
        return np.asarray(10 * np.log10(np.maximum(powers, 1e-12)).T)
