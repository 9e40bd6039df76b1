"""Judging whole recordings: the very scores of the pipeline, and the worst horizon decides."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from edge_asd.bundle import Bundle, read_bundle
from edge_asd.errors import InputError
from edge_asd.liveness import too_short
from edge_asd.pipeline import Pipeline
from edge_asd.scoring import Scorer, UnknownScore
from tests.handmade import RATE, hum, scored, write_handmade

FULL_SCALE = 2**15


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = tmp_path_factory.mktemp("scoring") / "hum.easd"
    write_handmade(path)
    return read_bundle(path)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return tmp_path / "machine.wav"


def write(path: Path, samples: NDArray[np.float32], rate: int = RATE) -> NDArray[np.float32]:
    """Write as 16 bits, and return what was written."""
    pcm = np.round(samples * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    soundfile.write(path, pcm, rate, subtype="PCM_16")
    return (pcm / FULL_SCALE).astype(np.float32)


def test_the_scores_are_the_pipelines_own(bundle: Bundle, wav: Path) -> None:
    samples = write(wav, np.concatenate([hum(5, 11), hum(3, 12, wrong=True), hum(5, 13)]))
    expected = list(Pipeline(bundle).process(samples))
    worst = max(expected, key=lambda score: score.value)
    found = scored(Scorer(bundle), wav)
    assert found.score == worst.value
    assert found.parts == worst.parts
    assert found.horizons == len(expected)
    assert found.worst_second == worst.end / RATE - 2
    assert found.path == str(wav)
    assert found.threshold == bundle.manifest.calibration.threshold


def test_one_bad_stretch_of_a_long_recording_decides(bundle: Bundle, wav: Path) -> None:
    write(wav, np.concatenate([hum(12, 21), hum(3, 22, wrong=True), hum(12, 23)]))
    found = scored(Scorer(bundle), wav)
    assert found.verdict == "anomaly"
    # Every horizon of 2 s that touches the wrong stretch begins in here.
    assert 10 < found.worst_second < 15
    assert found.horizons == 1 + (27 - 2) / 0.5


@pytest.mark.parametrize(("wrong", "verdict"), [(False, "normal"), (True, "anomaly")])
def test_the_verdict_tells_normal_from_wrong(bundle: Bundle, wav: Path, wrong: bool, verdict: str) -> None:
    write(wav, hum(6, 31, wrong=wrong))
    found = scored(Scorer(bundle), wav)
    assert found.verdict == verdict
    assert (found.score >= found.threshold) == wrong


def test_a_score_at_the_threshold_is_an_anomaly(bundle: Bundle, wav: Path) -> None:
    write(wav, hum(4, 41))
    score = scored(Scorer(bundle), wav).score
    assert scored(Scorer(_with_threshold(bundle, score)), wav).verdict == "anomaly"
    assert scored(Scorer(_with_threshold(bundle, np.nextafter(score, np.inf))), wav).verdict == "normal"


def test_one_horizon_is_just_enough(bundle: Bundle, wav: Path) -> None:
    write(wav, hum(2, 51))
    found = scored(Scorer(bundle), wav)
    assert (found.horizons, found.worst_second) == (1, 0.0)


def test_one_sample_less_is_refused_in_one_line(bundle: Bundle, wav: Path) -> None:
    write(wav, hum(2, 51)[:-1])
    with pytest.raises(InputError, match="at least 2 s of sound") as caught:
        Scorer(bundle).judge(wav)
    assert str(wav) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_short_names_where_how_long_and_what_to_do(bundle: Bundle) -> None:
    error = too_short("pump.wav", 1.25, bundle.recipe)
    assert str(error) == (
        "pump.wav: expected at least 2 s of sound, the horizon of one decision, found 1.25 s; "
        "record longer, or export with --set horizon.seconds=1"
    )


def test_a_length_just_below_the_horizon_is_not_rounded_to_it(bundle: Bundle) -> None:
    assert "found 1.99994 s" in str(too_short("pump.wav", 1.9999375, bundle.recipe))
    assert str(too_short("pump.wav", 0.4, bundle.recipe)).endswith("found 0.4 s; record longer")


def test_recordings_that_lack_what_was_learnt_are_told_of_once(
    bundle: Bundle, wav: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scorer = Scorer(bundle)
    write(wav, soxr.resample(hum(6, 61), RATE, 2 * RATE), 2 * RATE)
    scorer.judge(wav)
    assert not caplog.messages
    write(wav, soxr.resample(hum(6, 61), RATE, RATE // 2), RATE // 2)
    assert [scored(scorer, wav).verdict for _ in range(2)] == 2 * ["anomaly"]
    (said,) = caplog.messages
    assert "sampled at 4000 Hz, it holds nothing above 2000 Hz, and the bundle has learnt up to 4000 Hz" in said


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_recording_of_another_rate_is_resampled(bundle: Bundle, wav: Path, rate: int) -> None:
    samples = write(wav, soxr.resample(hum(6, 61), RATE, rate), rate)
    expected = max(
        Pipeline(bundle).process(soxr.resample(samples, rate, RATE, quality="VHQ")), key=lambda score: score.value
    )
    found = scored(Scorer(bundle), wav)
    assert found.score == pytest.approx(expected.value, rel=1e-6)
    assert found.verdict == "normal"


def test_a_short_recording_of_a_high_rate_is_as_short(bundle: Bundle, wav: Path) -> None:
    # 1 s at 48 kHz is more samples than 2 s at 8 kHz.
    write(wav, soxr.resample(hum(1, 62), RATE, 48_000), 48_000)
    with pytest.raises(InputError, match="found 1 s"):
        Scorer(bundle).judge(wav)


def test_the_recipes_channel_is_judged(bundle: Bundle, wav: Path) -> None:
    quiet, wrong = hum(4, 71), hum(4, 72, wrong=True)
    write(wav, np.stack([quiet, wrong], axis=1))
    assert bundle.recipe.channel == 0
    assert scored(Scorer(bundle), wav).verdict == "normal"
    assert scored(Scorer(_with_channel(bundle, 1)), wav).verdict == "anomaly"


def test_mixed_channels_are_judged_by_their_mean(bundle: Bundle, wav: Path) -> None:
    samples = write(wav, np.stack([hum(4, 73), hum(4, 74)], axis=1))
    mean = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    expected = max(Pipeline(bundle).process(mean), key=lambda score: score.value)
    assert scored(Scorer(_with_channel(bundle, "mix")), wav).score == expected.value


def test_a_channel_that_is_not_there_is_refused(bundle: Bundle, wav: Path) -> None:
    write(wav, hum(4, 75))
    with pytest.raises(InputError, match="channel 1"):
        Scorer(_with_channel(bundle, 1)).judge(wav)


def test_recordings_leave_no_trace_in_each_other(bundle: Bundle, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.wav", "b.wav", "short.wav")]
    for path, samples in zip(paths, (hum(5.3, 81), hum(4, 82, wrong=True), hum(1, 83)), strict=True):
        write(path, samples)
    scorer = Scorer(bundle)
    first = scorer.judge(paths[0])
    scorer.judge(paths[1])
    with pytest.raises(InputError):
        scorer.judge(paths[2])
    assert scorer.judge(paths[0]) == first


@pytest.mark.parametrize("content", [b"", b"not a recording at all\n" * 100])
def test_what_is_no_recording_is_refused(bundle: Bundle, wav: Path, content: bytes) -> None:
    wav.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Scorer(bundle).judge(wav)
    assert str(wav) in str(caught.value)


def test_not_a_number_is_refused_and_the_next_recording_is_judged(bundle: Bundle, wav: Path) -> None:
    samples = hum(4, 91)
    samples[RATE] = np.nan
    soundfile.write(wav, samples, RATE, subtype="FLOAT")
    scorer = Scorer(bundle)
    with pytest.raises(InputError, match=r"NaN or infinity at 1\.000 s"):
        scorer.judge(wav)
    write(wav, hum(4, 92))
    assert scorer.judge(wav) == Scorer(bundle).judge(wav)


LEVELS = {"silent": 0.0, "offset": 0.3, "clipped": 1.0}


def dead(seconds: float, kind: str) -> NDArray[np.float32]:
    """Sound of a microphone that hears nothing of the machine."""
    if kind == "clipped":
        return np.sign(hum(seconds, 93)).astype(np.float32)
    return np.full(int(seconds * RATE), LEVELS[kind], np.float32)


@pytest.mark.parametrize(("kind", "fault"), [("silent", "silent"), ("offset", "silent"), ("clipped", "clipped")])
def test_what_is_no_sound_of_the_machine_is_unknown_as_to_the_daemon(
    bundle: Bundle, wav: Path, kind: str, fault: str
) -> None:
    write(wav, dead(12, kind))
    found = Scorer(bundle).judge(wav)
    assert (found.verdict, found.score, found.horizons) == ("unknown", None, 0)
    assert isinstance(found, UnknownScore)
    assert fault in found.faults
    assert found.reason.startswith("no 2 s of a live signal, it is ")


@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_horizons_without_a_live_signal_are_left_out(bundle: Bundle, wav: Path, kind: str, rate: int) -> None:
    pieces = [hum(5, 94), dead(7, kind), hum(5, 95)]
    write(wav, np.concatenate([soxr.resample(piece, RATE, rate) if rate != RATE else piece for piece in pieces]), rate)
    found = Scorer(bundle).judge(wav)
    assert found.faults
    # The second in which it is found to be clipped is over before that is known: so it is to the daemon.
    assert found.verdict == "normal" or kind == "clipped"
    assert 8 <= found.horizons < (17 - 2) / 0.5


@pytest.mark.parametrize("kind", [None, "silent"])
def test_what_is_too_short_is_so_whatever_is_in_it(bundle: Bundle, wav: Path, kind: str | None) -> None:
    write(wav, dead(1.5, kind) if kind else hum(1.5, 96))
    with pytest.raises(InputError, match=r"found 1\.5 s"):
        Scorer(bundle).judge(wav)


def _with_threshold(bundle: Bundle, threshold: float) -> Bundle:
    calibration = msgspec.structs.replace(bundle.manifest.calibration, threshold=float(threshold))
    return bundle._replace(manifest=msgspec.structs.replace(bundle.manifest, calibration=calibration))


def _with_channel(bundle: Bundle, channel: int | str) -> Bundle:
    recipe = msgspec.structs.replace(bundle.recipe, channel=channel)
    return bundle._replace(manifest=msgspec.structs.replace(bundle.manifest, recipe=recipe))
