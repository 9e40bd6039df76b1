from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asd.decision import ACKNOWLEDGED, NAN_SCORE, RECOVERED, Change, Decider, Moment, Outcome
from edge_asd.firmware import Decision

CENTRE, THRESHOLD = 1.0, 3.0
STEP_S = 10.0
SCORES = st.one_of(st.floats(-2, 12), st.sampled_from([2.6, THRESHOLD, 4.0, math.nan, math.inf, -math.inf]))
INPUTS = st.lists(st.one_of(SCORES, st.just("gone")), max_size=80)
SETTINGS = st.builds(
    Decision,
    enter=st.integers(1, 4),
    exit=st.integers(1, 4),
    exit_fraction=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    min_duration_s=st.sampled_from([0.0, 15.0, 30.0]),
    cooldown_s=st.sampled_from([0.0, 10.0, 45.0]),
)


def ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"anomaly-{next(numbers)}"


def moment(index: int) -> Moment:
    return Moment(STEP_S * index, 1.7e9 + STEP_S * index)


def run(settings: Decision, inputs: list[float | str], centre: float = CENTRE) -> list[Outcome]:
    decider = Decider(settings, centre, ids())
    return [
        decider.unknown(given_, moment(index))
        if isinstance(given_, str)
        else decider.decide(given_, THRESHOLD, moment(index))
        for index, given_ in enumerate(inputs)
    ]


def naive_verdicts(settings: Decision, inputs: list[float | str]) -> list[str]:
    """The rules, read off the whole history at each step."""
    level = CENTRE + settings.exit_fraction * (THRESHOLD - CENTRE)
    verdicts: list[str] = []
    heard: list[float] = []  # since the last unknown, or the last change of the verdict
    ended = -math.inf
    for index, given_ in enumerate(inputs):
        if isinstance(given_, str) or math.isnan(given_):
            ended = index if verdicts[-1:] == ["anomaly"] else ended
            heard = []
            verdicts.append("unknown")
            continue
        heard.append(given_)
        before = verdicts[-1] if verdicts else "unknown"
        if before == "anomaly":
            tail = heard[-settings.exit :]
            ends = len(tail) == settings.exit and all(score < level for score in tail)
            verdicts.append("normal" if ends else "anomaly")
            heard, ended = ([], index) if ends else (heard, ended)
        else:
            run = list(itertools.takewhile(lambda score: score >= THRESHOLD, reversed(heard)))
            lasted = STEP_S * (len(run) - 1) >= settings.min_duration_s
            begins = len(run) >= settings.enter and lasted and STEP_S * (index - ended) >= settings.cooldown_s
            verdicts.append("anomaly" if begins else "normal" if given_ < THRESHOLD else before)
            heard = [] if begins else heard
    return verdicts


@given(SETTINGS, INPUTS)
def test_verdicts_are_those_of_the_rules_read_naively(settings: Decision, inputs: list[float | str]) -> None:
    assert [outcome.verdict for outcome in run(settings, inputs)] == naive_verdicts(settings, inputs)


@given(SETTINGS, INPUTS)
def test_anomalies_alternate_new_updates_end_and_never_overlap(settings: Decision, inputs: list[float | str]) -> None:
    open_id: str | None = None
    seen: set[str] = set()
    for index, outcome in enumerate(run(settings, inputs)):
        for change in outcome.changes:
            assert change.at == moment(index)
            assert (change.reason is not None) == (change.type == "end")
            if change.type == "new":
                assert open_id is None
                assert change.anomaly.id not in seen
                open_id = change.anomaly.id
                seen.add(open_id)
            else:
                assert change.anomaly.id == open_id
            if change.type == "end":
                open_id = None
        assert (outcome.anomaly.id if outcome.anomaly else None) == open_id
        assert (outcome.verdict == "anomaly") == (open_id is not None)


@given(SETTINGS, INPUTS)
def test_what_is_told_of_an_anomaly_is_finite_and_only_ever_rises(
    settings: Decision, inputs: list[float | str]
) -> None:
    changes = [change for outcome in run(settings, inputs) for change in outcome.changes]
    for change in changes:
        assert all(map(math.isfinite, (change.anomaly.score, change.anomaly.peak, change.anomaly.threshold)))
        assert change.anomaly.peak >= change.anomaly.score
        assert change.anomaly.since <= change.at
    for before, after in itertools.pairwise(changes):
        if before.anomaly.id == after.anomaly.id:
            assert after.anomaly.peak >= before.anomaly.peak
            assert (before.anomaly.severity, after.anomaly.severity) != ("alarm", "warning")


def changes_of(settings: Decision, inputs: list[float | str], centre: float = CENTRE) -> list[Change]:
    return [change for outcome in run(settings, inputs, centre) for change in outcome.changes]


def test_the_verdict_is_unknown_before_the_first_decision_and_after_hearing_is_lost() -> None:
    settings = Decision(enter=3)
    inputs: list[float | str] = [4.0, 4.0, 1.0, "microphone gone", 4.0, 4.0, 4.0]
    verdicts = [outcome.verdict for outcome in run(settings, inputs)]
    assert verdicts == ["unknown", "unknown", "normal", "unknown", "unknown", "unknown", "anomaly"]


def test_an_anomaly_ends_with_the_reason_when_hearing_is_lost_and_comes_back_as_another() -> None:
    new, end, another = changes_of(Decision(), [4.0, "microphone gone", "still gone", 4.0])
    assert (new.type, new.reason) == ("new", None)
    assert (end.type, end.reason, end.anomaly.id) == ("end", "microphone gone", new.anomaly.id)
    assert (another.type, another.anomaly.id == new.anomaly.id) == ("new", False)


def test_a_score_that_is_no_number_counts_as_not_hearing() -> None:
    outcomes = run(Decision(), [4.0, math.nan])
    assert outcomes[1].verdict == "unknown"
    assert outcomes[1].changes[0].reason == NAN_SCORE


def test_an_anomaly_ends_below_the_exit_level_only() -> None:
    # The exit level is 1 + 0.8 · (3 - 1) = 2.6.
    new, end = changes_of(Decision(exit=2), [3.0, 2.6, 2.6, 2.5, 2.6, 2.5, 2.5])
    assert (new.at, end.at) == (moment(0), moment(6))
    assert end.reason == RECOVERED


def test_an_anomaly_begins_with_the_first_decision_of_its_run_and_remembers_the_peak() -> None:
    (new,) = changes_of(Decision(enter=3), [1.0, 3.5, 9.0, 4.0])
    assert (new.at, new.anomaly.since) == (moment(3), moment(1))
    assert (new.anomaly.score, new.anomaly.peak, new.anomaly.severity) == (4.0, 9.0, "alarm")


@pytest.mark.parametrize(
    ("score", "severity"), [(3.0, "warning"), (3.99, "warning"), (4.0, "alarm"), (math.inf, "alarm")]
)
def test_severity_is_the_excess_in_units_of_the_way_to_the_threshold(score: float, severity: str) -> None:
    (new,) = changes_of(Decision(), [score])
    assert new.anomaly.severity == severity


def test_updates_tell_of_a_rise_and_of_nothing_else() -> None:
    # Excesses: 1, 1.2, 1.5 (an alarm), 2, 2.3 (more than 1.5 times 1.5), 2.3, 1.1.
    told = changes_of(Decision(), [3.0, 3.4, 4.0, 5.0, 5.6, 5.6, 3.2])
    assert [(change.type, change.anomaly.score) for change in told] == [("new", 3.0), ("update", 4.0), ("update", 5.6)]


def test_a_steadily_growing_fault_makes_few_updates() -> None:
    growing: list[float | str] = [3.0 + 0.1 * step for step in range(1000)]
    assert len(changes_of(Decision(), growing)) < 15


def test_a_threshold_below_the_typical_score_still_lets_an_anomaly_end() -> None:
    new, end = changes_of(Decision(exit=1), [3.0, 2.9], centre=50.0)
    assert (new.anomaly.severity, end.type) == ("warning", "end")
    assert Decider(Decision(), 50.0).exit_level(3.0) == 3.0


LATCHED_INPUTS = st.lists(st.one_of(SCORES, st.sampled_from(["gone", "acknowledge"])), max_size=80)


def run_latched(settings: Decision, inputs: list[float | str]) -> list[Outcome]:
    decider = Decider(settings, CENTRE, ids())
    outcomes = []
    for index, given_ in enumerate(inputs):
        at = moment(index)
        if given_ == "acknowledge":
            outcomes.append(decider.acknowledge(at))
        elif isinstance(given_, str):
            outcomes.append(decider.unknown(given_, at))
        else:
            outcomes.append(decider.decide(given_, THRESHOLD, at))
    return outcomes


@given(SETTINGS, LATCHED_INPUTS)
def test_a_latched_anomaly_ends_only_after_it_was_acknowledged(settings: Decision, inputs: list[float | str]) -> None:
    settings = msgspec.structs.replace(settings, latch=True)
    acknowledged = False
    for given_, outcome in zip(inputs, run_latched(settings, inputs), strict=True):
        for change in outcome.changes:
            acknowledged = change.type != "new" and (acknowledged or given_ == "acknowledge")
            assert change.anomaly.acknowledged == acknowledged
            assert change.type != "end" or acknowledged
        if outcome.anomaly is not None:
            assert outcome.verdict in {"anomaly", "unknown"}
        else:
            assert outcome.verdict != "anomaly"


@given(SETTINGS, LATCHED_INPUTS)
def test_acknowledging_what_is_not_latched_tells_it_once_and_changes_nothing_else(
    settings: Decision, inputs: list[float | str]
) -> None:
    outcomes = run_latched(settings, inputs)
    kept = [(given_, outcome) for given_, outcome in zip(inputs, outcomes, strict=True) if given_ != "acknowledge"]
    decider = Decider(settings, CENTRE, ids())
    for index, given_ in enumerate(inputs):
        if given_ == "acknowledge":
            continue
        at = moment(index)
        plain = decider.unknown(given_, at) if isinstance(given_, str) else decider.decide(given_, THRESHOLD, at)
        _, outcome = kept.pop(0)
        assert outcome.verdict == plain.verdict
        assert [change.type for change in outcome.changes] == [change.type for change in plain.changes]
    told = [change for given_, outcome in zip(inputs, outcomes, strict=True) if given_ == "acknowledge"
            for change in outcome.changes]  # fmt: skip
    assert {change.type for change in told} <= {"update"}
    assert len({change.anomaly.id for change in told}) == len(told)


def told_of(settings: Decision, inputs: list[float | str]) -> list[tuple[str, str | None, int]]:
    outcomes = run_latched(settings, inputs)
    return [(change.type, change.reason, index) for index, outcome in enumerate(outcomes) for change in outcome.changes]


def test_a_latched_anomaly_waits_for_its_acknowledgement_or_for_the_machine() -> None:
    settings = Decision(exit=2, latch=True)
    ack = "acknowledge"
    assert told_of(settings, [4.0, 1.0, 1.0, 1.0, ack]) == [("new", None, 0), ("end", ACKNOWLEDGED, 4)]
    assert told_of(settings, [4.0, ack, ack, 1.0, 1.0]) == [
        ("new", None, 0),
        ("update", None, 1),
        ("end", RECOVERED, 4),
    ]
    assert told_of(settings, [4.0, "gone", 1.0, 1.0, 1.0]) == [("new", None, 0)]
    assert told_of(settings, [4.0, "gone", ack]) == [("new", None, 0), ("end", ACKNOWLEDGED, 2)]
    assert told_of(settings, [4.0, ack, "gone"])[-1] == ("end", "gone", 2)
    verdicts = [outcome.verdict for outcome in run_latched(settings, [4.0, "gone", 1.0, "gone", ack, 1.0])]
    assert verdicts == ["anomaly", "unknown", "anomaly", "unknown", "unknown", "normal"]


def test_an_anomaly_has_to_last_and_to_keep_its_distance() -> None:
    settings = Decision(exit=1, min_duration_s=20, cooldown_s=50)
    told = changes_of(settings, [4.0, 4.0, 4.0, 1.0, 4.0, 4.0, 4.0, 4.0, 4.0])
    assert [(change.type, change.at, change.anomaly.since) for change in told] == [
        ("new", moment(2), moment(0)),
        ("end", moment(3), moment(0)),
        ("new", moment(8), moment(4)),
    ]
