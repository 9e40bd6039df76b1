from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from edge_asd.bundle import read_bundle
from edge_asd.errors import InputError
from edge_asd_export.demo.folder import Folder
from edge_asd_export.demo.hearing import Hearing, hear
from edge_asd_export.demo.outcome import Outcome, Span
from edge_asd_export.demo.picture import draw
from edge_asd_export.demo.scenario import Lengths, Scenario
from edge_asd_export.simulation import Machine

SCENARIO = Scenario(Machine("rotating"), "bearing", 0.0, 0, Lengths(1, 10.0, 120.0))


@pytest.fixture(scope="module")
def hearing(site: Folder) -> Hearing:
    return hear(site.stretch, read_bundle(site.bundle))


def reddish(path: Path) -> list[float]:
    """Columns, as shares of the width, in which the score's panel has the colour of an alarm."""
    image = matplotlib.image.imread(path)[..., :3]
    panel = image[round(0.5 * len(image)) : round(0.72 * len(image))]
    red = (panel[..., 0] > 0.9) & (panel[..., 1] > 0.75) & (panel[..., 1] < 0.9) & (panel[..., 2] < 0.9)
    return [float(column) / image.shape[1] for column in np.flatnonzero(red.mean(axis=0) > 0.5)]


def test_the_picture_shows_the_alarm_where_it_was(tmp_path: Path, hearing: Hearing) -> None:
    path = tmp_path / "demo.png"
    draw(path, SCENARIO, hearing, Outcome((), (Span(60.0, 90.0),), ()))
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    image = matplotlib.image.imread(path)
    assert image.shape[0] >= 600
    assert image.shape[1] >= 1000
    assert np.unique(image[..., 0]).size > 100
    alarm = reddish(path)
    # The time axis spans some 86 % of the width; a quarter of the stretch is an alarm.
    assert len(alarm) / image.shape[1] == pytest.approx(0.25 * 0.86, abs=0.02)
    assert alarm[0] == pytest.approx(0.06 + 0.5 * 0.86, abs=0.03)


def test_without_an_alarm_it_shows_none(tmp_path: Path, hearing: Hearing) -> None:
    draw(tmp_path / "demo.png", SCENARIO, hearing, Outcome((), (), ()))
    assert reddish(tmp_path / "demo.png") == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, hearing: Hearing) -> None:
    with pytest.raises(InputError, match=r"missing/demo\.png: expected a place that can be written"):
        draw(tmp_path / "missing" / "demo.png", SCENARIO, hearing, Outcome((), (), ()))
