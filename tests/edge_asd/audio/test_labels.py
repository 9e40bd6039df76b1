"""What names say of recordings; the layouts of published data sets are tested where they are trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.audio import find_rooted, tell_apart


def grown(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.mark.parametrize(
    ("inside", "given"),
    [
        ("abnormal", ["."]),
        ("abnormal", ["./"]),
        ("abnormal", ["a.wav"]),
        ("abnormal/week 1", [".."]),
        ("normal", ["../abnormal"]),
        ("normal", ["../abnormal/week 1/.."]),
        ("", ["abnormal/"]),
        ("", ["abnormal/a.wav"]),
        ("", ["monday"]),
        ("monday", ["."]),
        ("", ["links"]),
        ("", ["abnormal", "monday/../abnormal"]),
    ],
)
def test_a_folder_says_what_is_in_it_however_its_path_is_spelled(
    inside: str, given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(tmp_path, "abnormal/a.wav", "abnormal/week 1/b.wav", "normal/c.wav", "links/README")
    (tmp_path / "monday").symlink_to(tmp_path / "abnormal")
    (tmp_path / "links" / "monday").symlink_to(tmp_path / "abnormal")
    monkeypatch.chdir(tmp_path / inside)
    told = tell_apart(find_rooted(map(Path, given)))
    assert told.anomalous
    assert (told.normal, told.doubtful, told.withheld) == ([], [], [])


def test_neither_name_of_a_link_makes_a_fault_normal(tmp_path: Path) -> None:
    grown(tmp_path, "abnormal/a.wav", "normal/b.wav", "links/README")
    for name, target in (("normal", "abnormal"), ("faulty", "normal")):
        (tmp_path / "links" / name).symlink_to(tmp_path / target)
    told = tell_apart(find_rooted([tmp_path / "links"]))
    assert [path.name for path in told.anomalous] == ["b.wav", "a.wav"]
    assert told.normal == []


def test_what_stands_above_the_named_folder_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown(tmp_path, "abnormal/week 1/a.wav")
    monkeypatch.chdir(tmp_path / "abnormal/week 1")
    for given in (Path(), Path("a.wav"), tmp_path / "abnormal/week 1"):
        assert len(tell_apart(find_rooted([given])).normal) == 1


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("normal_001.wav", "normal"),
        ("Anomaly_001.wav", "anomalous"),
        ("pump-3 anomalous.wav", "anomalous"),
        ("2026-11-03.abnormal.wav", "anomalous"),
        ("abnormal17.wav", "anomalous"),
        ("fault_001.wav", "anomalous"),
        ("faulty-pump-2.wav", "anomalous"),
        ("broken_bearing 4.wav", "anomalous"),
        ("healthy-17.wav", "normal"),
        ("pump3normal2.wav", "normal"),
        ("normal/anomaly-rig_3.wav", "normal"),
        ("abnormal/normal-load_3.wav", "anomalous"),
        ("train/anomaly_3.wav", "anomalous"),
        # Another word, and the machine's own name.
        ("abnormality-test_001.wav", None),
        ("normally.wav", None),
        ("default_1.wav", None),
        # These say both, or deny what they say.
        ("normal-to-anomaly.wav", "doubtful"),
        ("anomaly-rig_normal_1.wav", "doubtful"),
        ("not_normal_1.wav", "doubtful"),
        ("no anomaly 1.wav", "doubtful"),
        ("fault-free_2.wav", "doubtful"),
        # An evaluation set keeps its labels to itself, whatever its attributes are.
        ("test/section_00_0001_normal.wav", "withheld"),
        ("train/section_00_source_train_normal_0001_anomaly.wav", "normal"),
    ],
)
def test_a_word_of_its_own_says_what_a_recording_is(name: str, label: str | None, tmp_path: Path) -> None:
    grown(tmp_path, name)
    told = tell_apart(find_rooted([tmp_path]))
    named = {group: paths for group, paths in told._asdict().items() if paths}
    assert list(named) == [label or "normal"]
    # Beside what is named normal, what says nothing is left out.
    grown(tmp_path, "normal 2.wav")
    assert (tmp_path / name in tell_apart(find_rooted([tmp_path])).normal) == (label == "normal")
