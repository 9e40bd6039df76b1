from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from edge_asd.bundle import read_bundle
from edge_asd.errors import CheckFailedError
from edge_asd.pipeline import Pipeline
from edge_asd_export.demo.folder import Folder
from edge_asd_export.demo.hearing import Hearing, hear
from tests.handmade import RATE


@pytest.fixture(scope="module")
def heard(site: Folder) -> Hearing:
    return hear(site.stretch, read_bundle(site.bundle))


def test_the_scores_are_the_pipeline_s(site: Folder, heard: Hearing) -> None:
    samples, _ = soundfile.read(site.stretch, dtype="float32")
    scores = list(Pipeline(read_bundle(site.bundle)).process(samples))
    np.testing.assert_allclose(heard.scores, [score.value for score in scores], rtol=1e-9)
    np.testing.assert_array_equal(heard.ends, [score.end / RATE for score in scores])
    assert (heard.threshold, heard.seconds) == (4.0, 120.0)
    assert heard.scores[heard.ends <= 40].max() < 4 < heard.scores[(heard.ends > 42) & (heard.ends <= 80)].min()


def test_the_spectrogram_is_librosa_s_averaged_in_time(site: Folder, heard: Hearing) -> None:
    samples, _ = soundfile.read(site.stretch, dtype="float32")
    bands = heard.bands
    powers = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=bands.n_fft, hop_length=bands.hop_length, n_mels=bands.n_mels, fmin=bands.fmin,
        center=False,
    )  # fmt: skip
    columns = heard.levels.shape[1]
    column = np.arange(powers.shape[1]) * bands.hop_length * columns // len(samples)
    means = np.stack([powers[:, column == number].mean(axis=1) for number in range(columns)], axis=1)
    np.testing.assert_allclose(heard.levels, 10 * np.log10(means), atol=0.01)


def test_a_short_recording_has_as_many_columns_as_it_has_frames(tmp_path: Path, site: Folder) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(3 * RATE, 0.01), RATE)
    assert np.isfinite(hear(tmp_path / "short.wav", read_bundle(site.bundle)).levels).all()


def test_a_decision_is_found_by_its_score(heard: Hearing) -> None:
    for index in (0, 60, 150, len(heard.scores) - 1):
        assert heard.moment(heard.scores[index] * (1 + 1e-9)) == heard.ends[index]
    again = heard._replace(ends=np.array([10.0, 11.0, 12.0]), scores=np.array([5.0, 1.0, 5.0]))
    assert [again.moment(5.0), again.moment(5.0, after=11.0)] == [10.0, 12.0]


@pytest.mark.parametrize(("factor", "after"), [(1.001, 0.0), (1.0, 119.9)])
def test_a_score_that_nothing_has_is_told(heard: Hearing, factor: float, after: float) -> None:
    with pytest.raises(CheckFailedError, match="the daemon told of a score of"):
        heard.moment(factor * heard.scores.max(), after)
