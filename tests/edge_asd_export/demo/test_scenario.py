from __future__ import annotations

import math

import numpy as np
import pytest

from edge_asd.errors import InputError
from edge_asd_export.demo.scenario import HOUR, QUICK, Lengths, Scenario, checked_snr
from edge_asd_export.simulation import Machine


@pytest.mark.parametrize("lengths", [HOUR, QUICK])
def test_the_fault_comes_after_a_normal_stretch_grows_and_is_repaired(lengths: Lengths) -> None:
    scenario = Scenario(Machine("rotating"), "bearing", 0.0, 0, lengths)
    assert 0 < scenario.onset < scenario.grown < scenario.repaired < lengths.seconds
    course = scenario.course()
    assert len(course) == lengths.seconds + 1
    times = np.arange(len(course))
    assert not course[times <= scenario.onset].any()
    assert not course[times >= scenario.repaired].any()
    growing = course[(times > scenario.onset) & (times <= scenario.grown)]
    assert (np.diff(growing) > 0).all()
    assert course.max() == course[round(scenario.grown)] == 1.0
    halfway = (scenario.onset + scenario.grown) / 2
    assert scenario.severity(np.array([halfway]))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("snr_db", [math.nan, math.inf, -math.inf, -20.5, 41.0])
def test_a_ratio_at_which_nothing_is_to_be_heard_is_refused(snr_db: float) -> None:
    with pytest.raises(InputError, match="--snr: expected -20 to 40 dB"):
        checked_snr(snr_db)
    assert checked_snr(-20.0) == -20.0
