"""A threshold from what is heard, while it is judged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_asd.bundle import Bundle
from edge_asd.calibration.alarms import SECONDS_PER_WEEK
from edge_asd.daemon.judgement import Judgement
from edge_asd.daemon.recalibration import recalibrate
from edge_asd.errors import InputError
from edge_asd.firmware import Decision, Source
from edge_asd.recipe.graph import Horizon
from tests.handmade import write_handmade

HOP_S = 0.5


class Nobody:
    """Takes whatever it is told."""

    def state(self, state: Any) -> None:
        pass

    def event(self, event: Any) -> None:
        pass


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """It decides every half second on the last two; its threshold is 4."""
    return write_handmade(tmp_path_factory.mktemp("bundle") / "hum.easd")


@pytest.fixture
def judgement(bundle: Bundle) -> Judgement:
    judgement = Judgement(Source(name="hum", bundle="hum.easd", source="mic"), bundle, Nobody())
    judgement.report("ok", "heard", 0.0)
    return judgement


def while_asked(judgement: Judgement, ask: Callable[[], float], hear: Callable[[], None]) -> Future[float]:
    """Ask in a thread of its own, and let the machine be heard as soon as it listens."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        pause = threading.Event()
        while judgement._gathering is None and not asked.done():
            pause.wait(0.001)
        hear()
    return asked


def test_so_many_false_alarms_come_of_it_as_were_asked_for(judgement: Judgement, bundle: Bundle) -> None:
    # Independent scores of exponential distribution: every decision stands for itself, the tail is known exactly.
    spread, seconds, per_week = 0.5, 20_000.0, 7.0
    scores = 1.0 + np.random.default_rng(5).exponential(spread, int(seconds / HOP_S))
    decision = Decision(exit=1, exit_fraction=1.0, false_alarms_per_week=per_week)

    def hear() -> None:
        for index, score in enumerate(scores, 1):
            judgement.decide(float(score), HOP_S * index)

    asked = while_asked(judgement, lambda: recalibrate(judgement, bundle, decision, seconds), hear)
    exact = 1.0 + spread * np.log(SECONDS_PER_WEEK / HOP_S / per_week)
    assert asked.result() == pytest.approx(exact, abs=1.0)
    assert judgement.threshold == asked.result()


def test_a_break_ends_it_and_leaves_the_threshold(judgement: Judgement, bundle: Bundle) -> None:
    def hear() -> None:
        judgement.decide(1.0, 1.0)
        judgement.report("gone", "unplugged", 1.5)

    asked = while_asked(judgement, lambda: recalibrate(judgement, bundle, Decision(), 60), hear)
    with pytest.raises(InputError, match="without a break, found unplugged"):
        asked.result()
    assert judgement.threshold == 4.0
    with pytest.raises(InputError, match="a microphone that is gone"):
        recalibrate(judgement, bundle, Decision(), 60)


def test_too_short_a_while_and_two_at_once_are_refused(judgement: Judgement, bundle: Bundle) -> None:
    with pytest.raises(InputError, match="at least 6 seconds"):
        recalibrate(judgement, bundle, Decision(), 5)

    def hear() -> None:
        with pytest.raises(InputError, match="a calibration that is under way"):
            recalibrate(judgement, bundle, Decision(), 60)
        for index in range(200):
            judgement.decide(1.0 + 0.01 * (index % 7), HOP_S * (1 + index))

    assert np.isfinite(while_asked(judgement, lambda: recalibrate(judgement, bundle, Decision(), 60), hear).result())


def test_a_decision_now_and_then_is_waited_for(bundle: Bundle) -> None:
    # Three horizons of 0.2 s are asked for, and it decides every 3 s.
    horizon = Horizon(seconds=0.2, hop_seconds=3.0)
    seldom = bundle._replace(
        manifest=msgspec.structs.replace(
            bundle.manifest, recipe=msgspec.structs.replace(bundle.recipe, horizon=horizon)
        )
    )
    judgement = Judgement(Source(name="hum", bundle="hum.easd", source="mic"), seldom, Nobody())
    judgement.report("ok", "heard", 0.0)

    def hear() -> None:
        threading.Event().wait(3.0)
        judgement.decide(1.0, 3.0)

    assert np.isfinite(while_asked(judgement, lambda: recalibrate(judgement, seldom, Decision(), 0.6), hear).result())
