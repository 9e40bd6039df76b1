from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edge_asd.bundle import Fidelity
from edge_asd.errors import CheckFailedError
from edge_asd.interpreter import Network
from edge_asd.recipe.models import Quantization
from edge_asd_export.conversion import ConversionError, convert
from edge_asd_export.cost import Ledger
from edge_asd_export.progress import SILENT
from edge_asd_export.quantization import select as selecting
from edge_asd_export.quantization.choice import Choice
from edge_asd_export.quantization.select import Comparison, first_faithful, select, spread
from tests.edge_asd_export.quantization import nets

DROWNED = 1e4


@functools.cache
def stored(quantization: Quantization, drowned: float = 0.0) -> bytes:
    return convert(nets.interpolator(drowned), quantization, nets.contexts(nets.stretches(10)))


@functools.cache
def comparison(drowned: float) -> Comparison:
    return Comparison(nets.recipe(), "net", stored("float32", drowned), nets.evidence(), 0)


def test_a_drowned_net_says_the_same_to_everything_in_8_bits() -> None:
    network = Network(stored("int8", DROWNED))
    outputs = [network(context[np.newaxis]) for context in nets.contexts(nets.stretches(3))[:50]]
    assert np.ptp(outputs) == 0.0
    assert np.ptp([Network(stored("int8"))(np.full((1, 16), level, np.float32)) for level in (10, 50)]) > 30


def test_the_gate_tells_the_drowned_from_the_whole() -> None:
    collapsed = comparison(DROWNED)(stored("int8", DROWNED))
    assert collapsed.spearman < 0.8
    assert collapsed.auc_change is not None
    assert collapsed.auc_change < -0.03
    whole = comparison(0.0)(stored("float16"))
    assert min(whole.cosine, whole.centred_cosine, whole.spearman) > 0.99
    assert whole.auc_change == whole.pauc_change == 0.0
    assert whole.clips == 18


def test_what_is_asked_for_and_collapses_is_refused_with_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "train_model", lambda *_: nets.interpolator(DROWNED))
    recipe = nets.recipe().quantized("int8")
    with SILENT.bar("", 1) as advance, pytest.raises(CheckFailedError) as caught:
        select(recipe, nets.stretches(10), nets.evidence(), ledger=Ledger(None, print), seed=0, advance=advance)
    said = str(caught.value)
    assert said.startswith("branches.net: expected a net in int8 that tells apart what it does in float32")
    assert "int8 refused: " in said
    assert "below 0.8" in said
    assert "--quantize auto" in said
    assert "\n" not in said


def test_what_was_not_asked_for_is_replaced_by_the_next_better() -> None:
    choice = Choice(["int8", "float16", "float32"], "a board with dot products")
    form, refused = first_faithful("net", choice, lambda name: stored(name, DROWNED), comparison(DROWNED))
    assert form.quantization == "float16"
    assert form.fidelity is not None
    assert form.fidelity.spearman > 0.99
    assert len(refused) == 1
    assert refused[0].startswith("int8 refused: ")


def test_a_net_that_cannot_be_converted_is_replaced_too() -> None:
    def store(quantization: Quantization) -> bytes:
        if quantization == "int8":
            raise ConversionError("conversion to int8: expected a TFLite file, found nothing")
        return stored(quantization)

    form, refused = first_faithful("net", Choice(["int8", "float16"], ""), store, comparison(0.0))
    assert form.quantization == "float16"
    assert refused == ["int8 refused: conversion to int8: expected a TFLite file, found nothing"]


def test_float32_is_the_last_resort_and_held_against_nothing() -> None:
    def hopeless(_: bytes) -> Fidelity:
        return Fidelity(cosine=0.0, centred_cosine=0.0, spearman=0.0, clips=1)

    form, refused = first_faithful("net", Choice(["float16", "float32"], ""), stored, hopeless)
    assert form.quantization == "float32"
    assert form.fidelity is None
    assert len(refused) == 1


def test_where_nothing_can_be_judged_the_net_stays_in_float32_and_a_note_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selecting, "train_model", lambda *_: nets.interpolator())
    recipe, evidence = nets.recipe(), nets.evidence()._replace(normal=nets.stretches(1))
    with SILENT.bar("", 1) as advance:
        found = select(recipe, nets.stretches(10), evidence, ledger=Ledger(None, print), seed=0, advance=advance)
        assert found.records["net"].quantization == "float32"
        (note,) = found.notes
        assert note.startswith("net: float16 cannot be judged (net: expected at least 2 stretches of normal sound")
        assert note.endswith("; stored in float32")
        with pytest.raises(CheckFailedError, match=r"found int8 cannot be judged .*--quantize auto"):
            select(
                recipe.quantized("int8"),
                nets.stretches(10),
                evidence,
                ledger=Ledger(None, print),
                seed=0,
                advance=advance,
            )


@pytest.mark.parametrize(("asked", "stores"), [("auto", "float16"), ("float32", "float32"), ("int8", "int8")])
def test_the_record_says_what_was_stored_and_why(monkeypatch: pytest.MonkeyPatch, asked: Any, stores: str) -> None:
    monkeypatch.setattr(selecting, "train_model", lambda *_: nets.interpolator())
    monkeypatch.setattr(selecting, "shortfalls", lambda _: [])
    with SILENT.bar("", 1) as advance:
        found = select(
            nets.recipe().quantized(asked),
            nets.stretches(10),
            nets.evidence(),
            ledger=Ledger(None, print),
            seed=0,
            advance=advance,
        )
    record = found.records["net"]
    assert record.quantization == stores
    assert (record.fidelity is None) == (stores == "float32")
    assert record.macs == 2 * 8 * 16 + 16 * 8
    assert record.runs_per_second == 8000 / 256
    assert record.reason == ("a net that predicts is tiny and loses most in 8 bits" if asked == "auto" else "asked for")
    model = found.recipe.branches["net"].model
    assert model is not None
    assert model.quantize == stores
    assert found.networks["branches/net"] == stored(stores)


def test_scores_of_the_evidence_are_those_of_a_plain_loop() -> None:
    # The value detector knows no fitting: a stretch's score is the logarithm of its mean row.
    evidence = nets.evidence()
    network = Network(stored("int8"))
    truth = np.array([False] * 10 + list(evidence.anomalous))
    scores = []
    for stretch in (*evidence.normal, *evidence.labelled):
        patches = stretch.rows["net"].reshape(-1, 3, 8)
        errors = [np.mean((patch[1] - network(patch[[0, 2]].reshape(1, 16))[0]) ** 2) for patch in patches]
        scores.append(np.log(np.mean(errors)))
    float_scores = []
    for stretch in (*evidence.normal, *evidence.labelled):
        patches = stretch.rows["net"].reshape(-1, 3, 8)
        float_scores.append(np.mean((patches[:, 1] - (patches[:, 0] + patches[:, 2]) / 2) ** 2))
    found = comparison(0.0)(stored("int8"))
    change = roc_auc_score(truth, scores) - roc_auc_score(truth, float_scores)
    assert found.auc_change == pytest.approx(change, abs=1e-9)


def test_evidence_is_spread_evenly() -> None:
    assert spread(list(range(100))) == list(range(100))
    for count in (101, 104, 199, 200, 250, 1000):
        found = spread(list(range(count)))
        steps = np.diff([*found, count])
        assert len(found) == 100
        assert found[0] == 0
        assert steps.max() - steps.min() <= 1
    assert spread([]) == []
