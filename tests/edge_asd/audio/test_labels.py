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
