from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_asd.errors import InputError
from edge_asd.features.presets import resolve
from edge_asd.recipe.front_ends import Image, LogMel
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.bandwidth import limit_bandwidth
from tests.edge_asd_export.small import recipe, write
from tests.handmade import hum


def upper_edge(rates: list[int], folder: Path, *overrides: str) -> float | None:
    paths = [write(folder / f"{number}.wav", hum(1.0, number), rate) for number, rate in enumerate(rates)]
    limited = limit_bandwidth(recipe("sample_rate=16000", *overrides), paths)
    edges = {branch.front_end.fmax for branch in limited.branches.values() if isinstance(branch.front_end, LogMel)}
    assert len(edges) == 1
    return edges.pop()


@pytest.mark.parametrize("rates", [[16000], [44100, 16000], [48000]])
def test_recordings_that_hold_all_of_it_change_nothing(rates: list[int], tmp_path: Path) -> None:
    assert upper_edge(rates, tmp_path) is None


@pytest.mark.parametrize(("rate", "edge"), [(8000, 4000.0), (11025, 5512.5)])
def test_bands_end_where_slow_recordings_do(rate: int, edge: float, tmp_path: Path) -> None:
    assert upper_edge([rate, rate], tmp_path) == edge


def test_an_edge_that_is_low_enough_stays(tmp_path: Path) -> None:
    lowered = [f"branches.{name}.front_end.fmax=3000" for name in ("bands", "surprise")]
    assert upper_edge([8000], tmp_path, *lowered) == 3000.0


def test_recordings_that_hold_less_than_others_are_refused_by_name(tmp_path: Path) -> None:
    found = r"all of 16000 Hz and more, found 8000 Hz here, 16000 Hz in .*0\.wav; .* sample_rate=8000"
    with pytest.raises(InputError, match=r"1\.wav: .*" + found):
        upper_edge([16000, 8000], tmp_path)


@pytest.mark.parametrize("name", ["iaeo3/opt-valve", "mueller2020/small-dcae"])
def test_presets_end_there_too_and_differ_in_nothing_else(name: str, tmp_path: Path) -> None:
    whole = load_recipe(name)
    limited = limit_bandwidth(whole, [write(tmp_path / "a.wav", hum(1.0, 0), 8000)])
    for branch, after in limited.branches.items():
        published = resolve(whole.branches[branch].front_end)
        bands: dict[str, object] = {"fmax": 4000.0}
        if isinstance(published, Image):
            bands = {"mel": msgspec.structs.replace(published.mel, fmax=4000.0)}
        assert after.front_end == msgspec.structs.replace(published, **bands)


def test_what_a_pretrained_net_takes_is_left_as_it_is(tmp_path: Path) -> None:
    whole = load_recipe("mueller2021/vggish-gmm20")
    assert limit_bandwidth(whole, [write(tmp_path / "a.wav", hum(1.0, 0), 8000)]) == whole
