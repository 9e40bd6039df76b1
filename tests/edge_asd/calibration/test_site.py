from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd import golden
from edge_asd.bundle import Bundle, read_bundle
from edge_asd.calibration.adaptation import Pooled
from edge_asd.calibration.site import calibrate_on_site, cut_into_folds, joint_scores, listen
from edge_asd.cli import main
from edge_asd.errors import InputError
from edge_asd.scoring import Scorer
from tests.handmade import RATE, hum, scored, write_handmade

soundfile = pytest.importorskip("soundfile")


def write(path: Path, samples: NDArray[np.float32]) -> Path:
    soundfile.write(path, samples, RATE)
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_handmade(tmp_path / "a.easd")


@pytest.fixture
def louder(tmp_path: Path) -> list[Path]:
    """The same machine with another gain."""
    (tmp_path / "normal").mkdir()
    return [write(tmp_path / "normal" / f"{index}.wav", 2.5 * hum(40, 50 + index)) for index in range(3)]


def alarms(bundle: Bundle, path: Path) -> bool:
    return scored(Scorer(bundle), path).verdict == "anomaly"


@pytest.mark.parametrize("adapting", [False, True])
def test_normal_sound_of_the_new_place_is_normal_again(
    bundle: Bundle, louder: list[Path], tmp_path: Path, adapting: bool
) -> None:
    unseen, wrong = (write(tmp_path / f"{wrong}.wav", 2.5 * hum(20, 99, wrong=wrong)) for wrong in (False, True))
    assert alarms(bundle, unseen)
    report = calibrate_on_site(bundle, listen(bundle, louder), tmp_path / "b.easd", adapting=adapting, per_week=100)
    written = read_bundle(tmp_path / "b.easd")
    assert not alarms(written, unseen)
    assert alarms(written, wrong)
    assert written.sha256 == report.bundle
    assert report.parent == bundle.sha256
    assert report.before.alarms_per_week > 100
    assert report.after.alarms_per_week == pytest.approx(100)
    assert report.adapted == (["parts.steady", "parts.level"] if adapting else [])
    golden.require(written)


def test_the_new_bundle_says_where_it_comes_from(bundle: Bundle, louder: list[Path], tmp_path: Path) -> None:
    calibrate_on_site(bundle, listen(bundle, louder), tmp_path / "b.easd", adapting=True)
    written = read_bundle(tmp_path / "b.easd")
    site = written.manifest.site
    assert site is not None
    assert (site.parent, site.recordings) == (bundle.sha256, 3)
    assert written.recipe == bundle.recipe
    for name, array in bundle.arrays.items():
        kept = name.startswith("branches/") or "factor" in name or name == "golden/samples"
        assert np.array_equal(array, written.arrays[name]) or not kept


def test_without_adapting_scores_of_the_parts_stay(bundle: Bundle, louder: list[Path], tmp_path: Path) -> None:
    calibrate_on_site(bundle, listen(bundle, louder), tmp_path / "b.easd", adapting=False)
    written = read_bundle(tmp_path / "b.easd")
    assert {name for name in bundle.arrays if not np.array_equal(bundle.arrays[name], written.arrays[name])} == {
        "golden/score",
        "joint/lengths",
        "joint/scores",
        "parts/level/tail/log_probabilities",
        "parts/level/tail/scores",
        "parts/steady/tail/log_probabilities",
        "parts/steady/tail/scores",
    }


def test_an_anomaly_among_the_recordings_is_named(bundle: Bundle, louder: list[Path], tmp_path: Path) -> None:
    odd = write(tmp_path / "normal" / "odd.wav", 2.5 * hum(6, 3, wrong=True))
    report = calibrate_on_site(bundle, listen(bundle, [*louder, odd]), tmp_path / "b.easd", adapting=False)
    assert report.suspicious == [str(odd)]


@pytest.mark.parametrize("adapting", [False, True])
def test_a_fault_that_sets_the_threshold_by_itself_is_named(bundle: Bundle, tmp_path: Path, adapting: bool) -> None:
    (tmp_path / "monday").mkdir()
    paths = [write(tmp_path / "monday" / f"{index}.wav", 2.5 * hum(3, 50 + index)) for index in range(12)]
    odd = write(tmp_path / "monday" / "odd.wav", 2.5 * hum(3, 3, wrong=True))
    report = calibrate_on_site(bundle, listen(bundle, [*paths, odd]), tmp_path / "b.easd", adapting=adapting)
    assert report.suspicious == [str(odd)]
    assert "where the other recordings set the threshold, at 3" in report.reasons[str(odd)]
    report = calibrate_on_site(bundle, listen(bundle, paths), tmp_path / "b.easd", adapting=adapting)
    assert report.suspicious == []


def test_what_hides_a_fault_is_never_the_rest_of_its_own_recording(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "monday").mkdir()
    paths = [write(tmp_path / "monday" / f"{index}.wav", 2.5 * hum(3, 50 + index)) for index in range(12)]
    dropout = np.zeros(RATE, np.float32)
    faulty = [2.5 * hum(3, seed, wrong=True) for seed in (3, 4, 5)]
    odd = write(tmp_path / "monday" / "odd.wav", np.concatenate([faulty[0], dropout, faulty[1], dropout, faulty[2]]))
    heard = listen(bundle, [*paths, odd])
    assert heard.paths.count(odd) == 3
    report = calibrate_on_site(bundle, heard, tmp_path / "b.easd", adapting=False)
    assert report.suspicious == [str(odd)]
    assert "where the other recordings set the threshold, at 3" in report.reasons[str(odd)]


def test_the_reason_is_that_of_the_loudest_stretch(bundle: Bundle, louder: list[Path], tmp_path: Path) -> None:
    samples = [3.0 * hum(6, 3, wrong=True), np.zeros(RATE, np.float32), 2.5 * hum(3, 4, wrong=True)]
    odd = write(tmp_path / "normal" / "odd.wav", np.concatenate(samples))
    heard = listen(bundle, [*louder, odd])
    assert heard.paths.count(odd) == 2
    report = calibrate_on_site(bundle, heard, tmp_path / "b.easd", adapting=False)
    scores = joint_scores(read_bundle(tmp_path / "b.easd"), heard).scores
    assert report.reasons[str(odd)].startswith(f"scores {scores.max():.3g}, ")


def test_faults_that_hide_one_another_are_named_by_the_bundle_as_it_was(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "monday").mkdir()
    paths = [write(tmp_path / "monday" / f"{index}.wav", hum(3, 50 + index)) for index in range(8)]
    odd = [write(tmp_path / "monday" / f"odd {index}.wav", hum(3, index, wrong=True)) for index in range(3)]
    report = calibrate_on_site(bundle, listen(bundle, [*paths, *odd]), tmp_path / "b.easd", adapting=False)
    assert report.suspicious == [str(path) for path in odd]
    assert all("by the bundle as it was, whose threshold is 4" in reason for reason in report.reasons.values())


def test_folds_share_no_sound() -> None:
    runs: list[list[Pooled]] = [
        [{"x": np.full((1, 1), 10.0 * run + index)} for index in range(length)] for run, length in enumerate((9, 4))
    ]
    blocks = cut_into_folds(runs, 4, 2)
    found = [[[int(pooled["x"][0, 0]) for pooled in run] for run in block] for block in blocks]
    assert found == [[[0, 1, 2, 3, 4]], [[8], [10, 11, 12, 13]]]
    assert len(cut_into_folds(runs, 4, 1)[0]) == 2


def test_too_little_sound_leaves_nothing_behind(bundle: Bundle, tmp_path: Path) -> None:
    short = write(tmp_path / "short.wav", hum(3, 1))
    with pytest.raises(InputError, match="at least 3 stretches of 2 s, found 1"):
        calibrate_on_site(bundle, listen(bundle, [short]), tmp_path / "b.easd", adapting=False)
    with pytest.raises(InputError, match="at least 2 s of sound"):
        listen(bundle, [write(tmp_path / "shorter.wav", hum(1, 1))])
    assert not (tmp_path / "b.easd").exists()


@pytest.mark.parametrize("words", [[], ["--adapt"], ["--false-alarms-per-week", "3"]])
def test_command(
    bundle: Bundle, louder: list[Path], tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "b.easd"
    command = ["calibrate", bundle.where, str(louder[0].parent), "-o", str(output), *words]
    assert main(command) == 0
    assert "threshold" in capsys.readouterr().out
    assert main([*command, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recordings"] == 3
    assert report["bundle"] == read_bundle(output).sha256
    assert bool(report["adapted"]) == ("--adapt" in words)


def test_what_is_anomalous_by_name_is_left_out_and_named(
    bundle: Bundle, louder: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "abnormal").mkdir()
    wrong = write(tmp_path / "abnormal" / "a.wav", hum(5, 3, wrong=True))
    command = ["calibrate", bundle.where, str(louder[0].parent), str(wrong), "-o", str(tmp_path / "b.easd")]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert f"left out    {wrong}: anomalous by its name or folder" in said
    assert "heard       3 recordings" in said
    assert main([*command, "--format", "json"]) == 0
    assert [item["path"] for item in json.loads(capsys.readouterr().out)["left_out"]] == [str(wrong)]


@pytest.mark.parametrize("given", ["abnormal", "."])
def test_faults_alone_are_refused(
    given: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "abnormal").mkdir()
    write(tmp_path / "abnormal" / "a.wav", hum(20, 3, wrong=True))
    monkeypatch.chdir(tmp_path / "abnormal" if given == "." else tmp_path)
    assert main(["calibrate", bundle.where, given, "-o", str(tmp_path / "b.easd")]) == 2
    assert "found 1 recordings, none of which is normal by its name or folder" in capsys.readouterr().err
    assert not (tmp_path / "b.easd").exists()


def test_silence_and_sound_heard_twice_are_refused(
    bundle: Bundle, louder: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = write(tmp_path / "silent.wav", np.zeros(5 * RATE, np.float32))
    copy = tmp_path / "copy.wav"
    copy.write_bytes(louder[0].read_bytes())
    for recording, said in (
        (silent, "silent.wav: expected sound"),
        (copy, f"the sound of {louder[0]} again"),
    ):
        assert main(["calibrate", bundle.where, *map(str, louder), str(recording), "-o", str(tmp_path / "b.easd")]) == 2
        assert said in capsys.readouterr().err
    # A folder that is named twice is one folder.
    assert main(["calibrate", bundle.where, *2 * [str(louder[0].parent)], "-o", str(tmp_path / "b.easd")]) == 0
    assert "3 recordings" in capsys.readouterr().out


def test_what_is_no_live_signal_is_no_normal_sound(
    bundle: Bundle, louder: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = np.sign(hum(3, 1)).astype(np.float32)
    clipped = write(tmp_path / "clipped.wav", flat)
    gaps = write(tmp_path / "gaps.wav", np.concatenate([hum(3, 2), np.zeros(RATE, np.float32), hum(3, 3), flat]))
    heard = listen(bundle, [*louder, clipped, gaps])
    assert [path.name for path in heard.paths] == ["0.wav", "1.wav", "2.wav", "gaps.wav", "gaps.wav"]
    # Within a tenth of a second of what is not live, nothing counts.
    assert [len(run) for run in heard.runs[3:]] == [2, 2]
    (note,) = heard.notes
    assert f"{clipped} (clipped, " in note
    assert f"{gaps} (clipped and interrupted, " in note
    assert heard.recordings == 4
    assert main(["calibrate", bundle.where, str(clipped), "-o", str(tmp_path / "b.easd")]) == 2
    assert "clipped.wav: expected 2 s of a live signal, found one that is clipped" in capsys.readouterr().err


def test_a_name_in_a_note_reaches_the_terminal_as_text_only(
    bundle: Bundle, louder: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "normal" / "red\x1b[31m\n.wav", np.sign(hum(3, 1)).astype(np.float32))
    assert main(["calibrate", bundle.where, str(louder[0].parent), "-o", str(tmp_path / "b.easd")]) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if "left out where" in line]
    assert "red\\x1b[31m\\n.wav (clipped, " in note


def test_nothing_is_listened_to_for_a_place_that_takes_no_bundle(
    bundle: Bundle, louder: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = louder[1].read_bytes()
    assert main(["calibrate", bundle.where, str(louder[0].parent), "-o", str(louder[1])]) == 2
    assert "a recording, which would be lost" in capsys.readouterr().err
    assert louder[1].read_bytes() == kept


@pytest.mark.parametrize("spelled", ["a.easd", "normal/../a.easd", "link.easd"])
def test_the_bundle_given_stays_as_it_is(
    spelled: str, bundle: Bundle, louder: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Path(bundle.where).read_bytes()
    (tmp_path / "link.easd").symlink_to(bundle.where)
    assert main(["calibrate", bundle.where, str(louder[0].parent), "-o", str(tmp_path / spelled)]) == 2
    assert f"{spelled}: expected another file than the bundle given" in capsys.readouterr().err
    assert Path(bundle.where).read_bytes() == kept


def test_command_refuses_a_rate_of_nothing(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["calibrate", bundle.where, str(tmp_path), "-o", "b.easd", "--false-alarms-per-week", "-1"]
    assert main(command) == 2
    assert "expected a number above 0, found '-1'" in capsys.readouterr().err
