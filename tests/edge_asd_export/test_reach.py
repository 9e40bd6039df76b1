"""A bundle that nothing can set off says so at export."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd_export.exporter import export
from edge_asd_export.reach import reach_notes
from tests.edge_asd_export.conftest import Made
from tests.edge_asd_export.small import recipe, write_normal, write_wrong

STEADY = ("parts.transient.enabled=false", "parts.steady.scale=linear", "threshold.false_alarm_probability=0.00001")


@pytest.mark.parametrize(
    ("detector", "is_deaf"),
    [
        ("{kind: isolation-forest, trees: 16}", True),
        ("{kind: kde, bandwidth: 3.0}", False),
        ("{kind: mahalanobis}", False),
        ("{kind: gmm, components: 2}", False),
        ("{kind: knn, metric: euclidean}", False),
    ],
)
def test_a_detector_whose_scores_end_below_the_threshold_is_told(detector: str, is_deaf: bool, tmp_path: Path) -> None:
    write_normal(tmp_path / "normal", 16)
    write_wrong(tmp_path / "abnormal", 2)
    exported = export([tmp_path], recipe(*STEADY, f"parts.steady.detector={detector}"), tmp_path / "a.easd")
    told = [note for note in exported.notes if note.startswith("deaf: ")]
    assert bool(told) == is_deaf
    if is_deaf:
        # It is so: what sounds altogether different is called normal.
        assert max(exported.test_scores.values()) < exported.bundle.manifest.calibration.threshold


def test_a_net_beside_it_is_heard(made: Made) -> None:
    assert reach_notes(made.exported.bundle) == []
