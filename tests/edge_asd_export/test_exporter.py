from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.metrics import auc as area
from sklearn.metrics import roc_auc_score, roc_curve

from edge_asd import golden
from edge_asd.bundle import Bundle, Manifest, read_bundle
from edge_asd.errors import CheckFailedError, InputError
from edge_asd.scoring import Scorer
from edge_asd_export import exporter
from edge_asd_export.exporter import export
from edge_asd_export.material import gather
from edge_asd_export.sections import several_machines
from tests.edge_asd_export.conftest import Made
from tests.edge_asd_export.small import recipe, write, write_normal, write_wrong
from tests.handmade import RATE, hum, scored

WITHOUT_NET = "parts.transient.enabled=false"


def test_the_bundle_on_disk_is_the_one_returned_and_proves_itself(made: Made) -> None:
    bundle = read_bundle(made.path)
    assert bundle.sha256 == made.exported.bundle.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert max(deviation.largest for deviation in golden.check(bundle)) < 1e-6
    assert {path.name for path in made.path.parent.iterdir()} == {"recordings", "small.easd"}


def test_normal_recordings_to_train_on_and_nothing_else_are_trained_on(made: Made) -> None:
    labelled = made.exported.labelled
    assert [len(group) for group in labelled] == [12, 5, 4, 0]
    training = made.exported.bundle.manifest.training
    assert (training.recordings, training.horizons, training.seed) == (12, 12, 1)
    assert (training.native_rates, training.bandwidth_hz) == ([RATE], RATE / 2)
    assert training.list_sha256 == gather(sorted(made.folder.glob("train/normal/*")), recipe()).list_sha256


def test_quality_is_what_scikit_learn_makes_of_the_bundles_own_scores(made: Made) -> None:
    quality = made.exported.bundle.manifest.quality
    assert quality is not None
    scorer = Scorer(read_bundle(made.path))
    normal = [scored(scorer, path).score for path in sorted(made.folder.glob("test/normal/*"))]
    wrong = [scored(scorer, path).score for path in sorted(made.folder.glob("test/abnormal/*"))]
    pairs = [(a > n) + 0.5 * (a == n) for a in wrong for n in normal]
    assert quality.auc == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
    truth, scores = [0] * 5 + [1] * 4, [*normal, *wrong]
    assert quality.pauc == pytest.approx(_mcclish(truth, scores, 0.1), abs=1e-12)
    assert (quality.normal, quality.anomalous, quality.ranked) == (5, 4, "recordings")
    assert made.exported.test_scores == dict(
        zip(
            [*sorted(made.folder.glob("test/normal/*")), *sorted(made.folder.glob("test/abnormal/*"))],
            scores,
            strict=True,
        )
    )


def _mcclish(truth: list[int], scores: list[float], most: float) -> float:
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    height = float(np.interp(most, false, true))
    kept = false <= most
    partial = float(area(np.append(false[kept], most), np.append(true[kept], height)))
    return 0.5 * (1 + (partial - most**2 / 2) / (most - most**2 / 2))


def test_without_normal_recordings_to_test_with_the_held_out_scores_stand_in(tmp_path: Path) -> None:
    write_normal(tmp_path / "normal", 8)
    write_wrong(tmp_path / "abnormal", 3)
    exported = export([tmp_path], recipe(WITHOUT_NET), tmp_path / "a.easd")
    quality, held_out = exported.bundle.manifest.quality, exported.calibrated.record.held_out
    assert quality is not None
    assert (quality.normal, quality.anomalous, quality.ranked) == (8, 3, "stretches")
    wrong = list(exported.test_scores.values())
    assert quality.auc == pytest.approx(roc_auc_score([0] * 8 + [1] * 3, [*held_out, *wrong]))


def test_what_cannot_be_told_apart_is_not_told_apart_by_the_length_of_its_recordings(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("normal", "abnormal"):
        for number in range(12):
            write(tmp_path / kind / f"{number}.wav", 0.05 * rng.standard_normal(6 * RATE))
    quality = export(
        [tmp_path], recipe(WITHOUT_NET, "horizon.hop_seconds=0.5"), tmp_path / "a.easd"
    ).bundle.manifest.quality
    assert quality is not None
    assert (quality.normal, quality.anomalous, quality.ranked) == (72, 72, "stretches")
    assert 0.35 < quality.auc < 0.6


def test_without_anomalous_recordings_there_is_no_quality(tmp_path: Path) -> None:
    write_normal(tmp_path / "rec", 6)
    exported = export([tmp_path / "rec"], recipe(WITHOUT_NET), tmp_path / "a.easd")
    assert exported.bundle.manifest.quality is None
    assert exported.test_scores == {}


def test_wrong_sound_scores_above_every_normal_one_and_above_the_threshold(made: Made) -> None:
    scores = made.exported.test_scores
    threshold = made.exported.bundle.manifest.calibration.threshold
    wrong = [score for path, score in scores.items() if path.parent.name == "abnormal"]
    normal = [score for path, score in scores.items() if path.parent.name == "normal"]
    assert min(wrong) > threshold > max(normal)


def test_one_seed_gives_one_bundle_and_another_seed_another(made: Made, tmp_path: Path) -> None:
    # Byte by byte, whatever else this process has trained before.
    again = export([made.folder], recipe(), tmp_path / "again.easd", seed=1)
    other = export([made.folder], recipe(), tmp_path / "other.easd", seed=2)
    assert again.bundle.sha256 == made.exported.bundle.sha256
    assert other.bundle.networks != made.exported.bundle.networks
    first, second = (np.array(result.calibrated.record.held_out) for result in (made.exported, other))
    assert np.abs(first - second).max() > 1e-6


def test_files_named_one_by_one_keep_the_labels_of_their_folders(tmp_path: Path) -> None:
    normal, wrong = write_normal(tmp_path / "normal", 6), write_wrong(tmp_path / "abnormal", 2)
    exported = export([*wrong, *normal, normal[0]], recipe(WITHOUT_NET), tmp_path / "a.easd")
    assert (exported.labelled.training, exported.labelled.anomalous) == (normal, wrong)


def text(folder: Path) -> None:
    (folder / "rec" / "b.wav").write_text("no sound at all")


def no_samples(folder: Path) -> None:
    write(folder / "rec" / "b.wav", hum(1.0, 0)[:0])


def no_bytes(folder: Path) -> None:
    (folder / "rec" / "b.wav").touch()


def not_a_number(folder: Path) -> None:
    sound = hum(1.0, 77)
    sound[RATE // 2] = np.nan
    write(folder / "rec" / "b.wav", sound)


def short(folder: Path) -> None:
    write(folder / "rec" / "b.wav", hum(0.5, 77))


def twice(folder: Path) -> None:
    write(folder / "rec" / "b.wav", hum(1.0, 3))


def slower(folder: Path) -> None:
    write(folder / "rec" / "b.wav", hum(1.0, 77), 4000)


def empty(folder: Path) -> None:
    for path in (folder / "rec").iterdir():
        path.unlink()


def few(folder: Path) -> None:
    for path in sorted((folder / "rec").iterdir())[4:]:
        path.unlink()


def silent(folder: Path) -> None:
    for path in (folder / "rec").iterdir():
        write(path, np.zeros(RATE))


def wrong_only(folder: Path) -> None:
    (folder / "rec").rename(folder / "abnormal")
    (folder / "rec").symlink_to(folder)


SPOILT: dict[Callable[[Path], None], str] = {
    text: r"b\.wav: expected a recording \(WAV, FLAC, Ogg …\), found something else",
    no_samples: r"b\.wav: expected a recording, found no samples in it",
    no_bytes: r"b\.wav: expected a recording, found an empty file",
    not_a_number: r"b\.wav: expected numbers, found NaN or infinity at 0\.500 s; leave it out",
    short: r"b\.wav: expected at least 1 s of sound, .*, found 0\.5 s; record longer",
    twice: r"b\.wav: expected another recording, found the sound of .*03\.wav again; leave one out",
    slower: r"b\.wav: expected recordings of one sampling rate, .*, found 4000 Hz here, 8000 Hz in .*00\.wav; leave",
    empty: r"rec: expected a folder of recordings .*, found none in it or below it",
    few: r"expected at least 5 stretches of 1 s of normal sound, found 4; record more",
    silent: r"00\.wav: expected sound, found silence from end to end; leave it out",
    wrong_only: r"expected normal recordings to train on, found 12 recordings, all anomalous",
}


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_what_cannot_be_used_is_refused_and_an_older_bundle_stays(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    write_normal(tmp_path / "rec", 12)
    older = tmp_path / "a.easd"
    older.write_bytes(b"older")
    spoil(tmp_path)
    with pytest.raises(InputError, match=SPOILT[spoil]) as caught:
        export([tmp_path / "rec"], recipe(WITHOUT_NET), older)
    assert "\n" not in str(caught.value)
    assert older.read_bytes() == b"older"
    assert not list(tmp_path.glob(".*"))


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    write_normal(tmp_path / "normal", 6)
    (whistling,) = write_wrong(tmp_path / "whistling", 1)
    exported = export([tmp_path], recipe(WITHOUT_NET), tmp_path / "a.easd")
    assert exported.bundle.manifest.training.recordings == 6
    assert exported.notes[0] == f"left out, for their names do not say whether they are normal: {whistling}"


def test_several_machines_in_one_bundle_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for unit, first in (("id_00", 0), ("id_02", 6)):
        write_normal(tmp_path / "fan" / unit / "normal", 6, first=first)
    monkeypatch.chdir(tmp_path / "fan" / "id_02" / "normal")
    said = "recordings of 2 machines by their names (id_00, id_02): what is normal for one is normal for all; "
    said += "export each by itself"
    for given in ([tmp_path / "fan"], [Path(), Path("../../id_00")]):
        assert said in export(given, recipe(WITHOUT_NET), tmp_path / "a.easd").notes
    assert not [note for note in export([Path()], recipe(WITHOUT_NET), tmp_path / "a.easd").notes if "machines" in note]
    paths = list((tmp_path / "fan").rglob("*.wav"))
    minding = msgspec.structs.replace(recipe(), one_model_for="machine")
    assert several_machines(minding, paths) == []


def test_no_recording_gives_way_to_a_bundle(tmp_path: Path) -> None:
    # `-o rec/*.wav` makes of the first recording the place to write to.
    first, *others = write_normal(tmp_path / "rec", 12)
    kept = first.read_bytes()
    with pytest.raises(
        InputError, match=r"00\.wav: expected a place to write to, found a recording, which would be lost"
    ):
        export(others, recipe(WITHOUT_NET), first)
    assert first.read_bytes() == kept


def test_a_labelled_recording_that_cannot_be_judged_costs_no_export(tmp_path: Path) -> None:
    write_normal(tmp_path / "normal", 6)
    short, dead = tmp_path / "abnormal" / "short.wav", tmp_path / "abnormal" / "dead.wav"
    write(short, hum(0.5, 99))
    write(dead, np.zeros(2 * RATE, np.float32))
    made = export([tmp_path], recipe(WITHOUT_NET), tmp_path / "a.easd")
    assert made.bundle.manifest.quality is None
    assert made.test_scores == {}
    (note,) = (note for note in made.notes if note.startswith("not tested with: "))
    assert f"{dead} (expected 1 s of a live signal, found one that is interrupted)" in note
    assert f"{short} (expected at least 1 s of sound, the horizon of one decision, found 0.5 s)" in note


def test_a_bundle_that_fails_its_own_test_never_takes_anothers_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlike(bundle: Bundle) -> None:
        raise CheckFailedError("it is another one here")

    write_normal(tmp_path / "rec", 6)
    (tmp_path / "a.easd").write_bytes(b"older")
    monkeypatch.setattr(golden, "require", unlike)
    with pytest.raises(CheckFailedError):
        export([tmp_path / "rec"], recipe(WITHOUT_NET), tmp_path / "a.easd")
    assert (tmp_path / "a.easd").read_bytes() == b"older"


@pytest.mark.parametrize("stage", ["gather", "cross_fit", "write_bundle"])
def test_an_interrupt_leaves_nothing_behind(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    write_normal(tmp_path / "rec", 6)
    monkeypatch.setattr(exporter, stage, interrupted)
    with pytest.raises(KeyboardInterrupt):
        export([tmp_path / "rec"], recipe(WITHOUT_NET), tmp_path / "a.easd")
    assert [path.name for path in tmp_path.iterdir()] == ["rec"]


def test_an_interrupt_between_writing_and_renaming_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    write_normal(tmp_path / "rec", 6)
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export([tmp_path / "rec"], recipe(WITHOUT_NET), tmp_path / "a.easd")
    assert [path.name for path in tmp_path.iterdir()] == ["rec"]


@pytest.mark.parametrize("output", ["missing/a.easd", "rec", "rec/00.wav/a.easd"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_normal(tmp_path / "rec", 6)
    monkeypatch.setattr(exporter, "gather", lambda *_: pytest.fail("the recordings were read"))
    with pytest.raises(InputError, match="expected a place that can be written, found"):
        export([tmp_path / "rec"], recipe(WITHOUT_NET), tmp_path / output)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(seed: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"seed: expected 0 to 4294967295, found {seed}"):
        export([tmp_path], recipe(), tmp_path / "a.easd", seed=seed)


def test_the_manifest_names_what_made_it(made: Made) -> None:
    manifest: Manifest = made.exported.bundle.manifest
    assert manifest.versions["numpy"] == np.__version__
    assert manifest.networks["surprise"].quantization == "float32"
    assert manifest.calibration.folds == 2
    assert len(manifest.calibration.held_out) == 12
