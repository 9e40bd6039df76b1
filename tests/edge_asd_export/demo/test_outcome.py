from __future__ import annotations

from typing import Literal

import pytest

from edge_asd.publish import BundleReference, Event
from edge_asd_export.demo.outcome import Span, anomalies, describe, judge
from edge_asd_export.demo.replay import Told
from edge_asd_export.demo.scenario import HOUR, Scenario
from edge_asd_export.simulation import Machine

SCENARIO = Scenario(Machine("rotating"), "bearing", 0.0, 0, HOUR)
ULIDS = ["01M7YXYVCW0G8SSX5VV9ZY9ET2", "01M7YXYVCW0G8SSX5VV9ZY9ET3"]


def told(minute: float, type_: Literal["new", "update", "end"], ulid: str = ULIDS[0]) -> Told:
    when = "2026-11-21T02:27:01.632Z"
    event = Event(
        ts=when, id=ulid, type=type_, source="rotating", score=4.0, threshold=3.0, peak=4.0, window_s=10.0,
        severity="alarm", since=when, bundle=BundleReference(id="rotating", sha256="ab" * 32),
    )  # fmt: skip
    return Told(event, 60 * minute)


def test_an_anomaly_lasts_from_new_to_end() -> None:
    messages = [told(25, "new"), told(30, "update"), told(55, "end"), told(58, "new", ULIDS[1])]
    assert anomalies(messages, 3600.0) == [Span(1500, 3300), Span(3480, 3600)]
    assert anomalies([], 3600.0) == []


def test_an_alarm_during_the_fault_and_none_before_is_what_is_wanted() -> None:
    outcome = judge(SCENARIO, [told(35, "new"), told(54.5, "end")])
    assert outcome.holds
    assert describe(SCENARIO, outcome) == (
        "the fault began at minute 20.0; 1 alarm at minute 35.0, when it had grown to 50 %, and none before it; "
        "it was repaired at minute 54.0, and the last alarm ended at minute 54.5"
    )


def test_an_alarm_after_the_repair_is_owned_up_to() -> None:
    outcome = judge(SCENARIO, [told(35, "new"), told(54.5, "end"), told(57, "new", ULIDS[1])])
    assert outcome.holds
    assert describe(SCENARIO, outcome).endswith("; 1 alarm at minute 57.0 after the repair")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "expected an alarm during the fault, found none; the fault began at minute 20.0 and ended at minute 54.0"),
        ([told(54, "new")], "expected an alarm during the fault, found none"),
        ([told(19.9, "new"), told(54, "end")], "1 alarm at minute 19.9 before the fault: expected none"),
        (
            [told(5, "new"), told(6, "end"), told(15, "new", ULIDS[1])],
            "2 alarms, the first at minute 5.0 before the fault: expected none",
        ),
        ([told(5, "new"), told(6, "end"), told(30, "new", ULIDS[1])], "1 alarm at minute 5.0 before the fault"),
    ],
)
def test_anything_else_is_not(messages: list[Told], said: str) -> None:
    outcome = judge(SCENARIO, messages)
    assert not outcome.holds
    assert describe(SCENARIO, outcome).startswith(said)
