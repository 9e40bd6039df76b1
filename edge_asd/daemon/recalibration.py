"""A new threshold for a machine that is heard right now, from the scores of its sound as it is judged anyway."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from edge_asd.bundle import Bundle
from edge_asd.calibration.alarms import HeldOut, alarm_rate, asked_per_week
from edge_asd.calibration.calibrate import FEWEST_STRETCHES
from edge_asd.daemon.judgement import Judgement
from edge_asd.errors import InputError
from edge_asd.firmware import Decision

USUAL_S = 600.0
"""Seconds to listen for where nobody says."""
_USUAL_PER_WEEK = 1.0


def recalibrate(judgement: Judgement, bundle: Bundle, decision: Decision, seconds: float | None) -> float:
    """Listen for a while, set the threshold by what was heard, and return it.

    All of it is taken for normal sound. The threshold is the one at which a week of such sound is expected to raise as
    many false alarms as the configuration asks for, else as the bundle was made for, with this source's hysteresis.

    Parameters
    ----------
    judgement
        What judges the source.
    bundle, decision
        What it judges with.
    seconds
        How long to listen; :data:`USUAL_S` where None.

    Raises
    ------
    InputError
        When that is too short, or the machine cannot be heard for so long.
    """
    horizon = bundle.recipe.horizon
    asked = USUAL_S if seconds is None else seconds
    # Rounded, since three times 0.2 s is a little more than 0.6 s otherwise.
    least = round(FEWEST_STRETCHES * horizon.seconds, 9)
    if asked < least:
        raise InputError("value", expected=f"at least {least:g} seconds to listen for", found=f"{asked:g}")
    scores = np.array(judgement.gather(asked))
    if not len(scores):
        raise InputError(judgement.name, expected="scores of its sound", found="none")
    held_out = HeldOut(scores, np.array([len(scores)]))
    rate = alarm_rate(held_out, bundle.recipe, decision, bundle.manifest.calibration.centre)
    threshold = rate.threshold(_per_week(bundle, decision))
    judgement.set_threshold(threshold)
    return threshold


def _per_week(bundle: Bundle, decision: Decision) -> float:
    # A threshold that is configured gives way to the one that was asked for.
    asked = asked_per_week(bundle.recipe, replace(decision, threshold=None))
    return asked or bundle.manifest.calibration.alarms_per_week or _USUAL_PER_WEEK
