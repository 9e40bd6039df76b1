"""Normal recordings → a bundle: reads, cross-fits, calibrates, fits, proves and writes."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge_asd import golden
from edge_asd.audio import cut_blocks, find_rooted, read_blocks, spare_recording, to_int16
from edge_asd.bundle import SCHEMA, Bundle, Manifest, Quality, Training, pack, unpack, write_bundle
from edge_asd.calibration.calibrate import Calibrated, calibrate
from edge_asd.errors import InputError
from edge_asd.files import require_writable
from edge_asd.interpreter import Engine
from edge_asd.liveness import find_live, live_pieces
from edge_asd.pipeline import Pipeline
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.models import Trained
from edge_asd.scoring import RecordingScore, Scorer
from edge_asd.version import __version__
from edge_asd_export.bandwidth import limit_bandwidth
from edge_asd_export.boards import Board
from edge_asd_export.cost import Ledger
from edge_asd_export.crossfit import cross_fit, folds_of, require_enough
from edge_asd_export.explaining import explanation_arrays
from edge_asd_export.fit import Arrays, Embedders, Fitted, fit_graph
from edge_asd_export.fitting.requirements import listed
from edge_asd_export.labels import Labelled, sort_recordings
from edge_asd_export.material import (
    Material,
    Stretch,
    gather,
    gather_labelled,
    leave_out_unfit,
    side_by_side_horizons,
)
from edge_asd_export.memory import Memory
from edge_asd_export.oddities import odd_recordings
from edge_asd_export.pretrained import GivenWeights, store_pretrained
from edge_asd_export.progress import SILENT, Reporter
from edge_asd_export.quantization.select import Evidence, Selected, select, spread
from edge_asd_export.reach import reach_notes
from edge_asd_export.sections import judged_among, name_sections, several_machines
from edge_asd_export.training import training_steps

TOLERANCES = {"patches": 1e-4, "rows": 1e-3, "features": 1e-3, "parts": 1e-3, "score": 1e-3}
"""Largest deviation of each golden stage that is accepted on another machine, relative to the stage's magnitude."""


class Excerpt(NamedTuple):
    """Where a stretch of training sound is."""

    recording: Path
    """The recording."""
    start: int
    """Its first sample, at the recipe's rate."""


class Exported(NamedTuple):
    """An export, and what it rests on."""

    bundle: Bundle
    labelled: Labelled
    calibrated: Calibrated
    test_scores: dict[Path, float]
    """Scores of labelled recordings that were not trained on."""
    excerpts: list[Excerpt]
    """The stretches that were trained on, in the order of their held-out scores in the bundle."""
    notes: list[str]
    """What the user should know."""


def export(
    recordings: Sequence[Path] | Labelled,
    recipe: Recipe,
    output: Path,
    *,
    weights: GivenWeights | None = None,
    board: Board | None = None,
    seed: int = 0,
    reporter: Reporter = SILENT,
    memory: Memory | None = None,
) -> Exported:
    """Make a bundle of normal recordings.

    Parameters
    ----------
    recordings
        Recordings, or folders of them in any known layout, or such as have been sorted already; anomalous ones are only
        used to say how well it works.
    recipe
        What to fit.
    output
        Bundle to write, in one atomic step.
    weights
        Files of pretrained weights, by branch or by their own name, or `""` for the only pretrained branch.
    board
        The board that it is for, where one is named: it has a say in how nets are stored.
    seed
        Seed of all that is random, 0 to 2³² − 1; the same seed, recordings and software give the same bundle.
    reporter
        Shows how far it is.
    memory
        Where forms and rows of pretrained nets are kept, for whoever exports many bundles of the same recordings.

    Raises
    ------
    InputError
        When the recordings or the weights cannot be used, the recipe does not fit them, the seed is out of range, or
        `output` cannot be written; what stood there before is then untouched.
    CheckFailedError
        When a net cannot be stored as was asked for without becoming another one.
    """
    check_seed(seed)
    require_writable(output)
    spare_recording(output)
    given = recordings if isinstance(recordings, Labelled) else sort_recordings(find_rooted(recordings))
    labelled, unfit = leave_out_unfit(given, recipe, reporter)
    recipe = name_sections(limit_bandwidth(recipe, labelled.training), labelled.training)
    ledger = Ledger(board, reporter.say)
    pretrained = store_pretrained(
        recipe, labelled, weights or {}, ledger=ledger, seed=seed, reporter=reporter, memory=memory
    )
    recipe = pretrained.recipe
    material = gather(labelled.training, recipe, reporter, networks=pretrained.networks, memory=memory)
    require_enough(recipe, material.stretches)
    selected, arrays, calibrated = _fit(pretrained, material, labelled, ledger, seed, reporter)
    recipe = selected.recipe
    judged = [material.stretches[index] for index in judged_among(recipe, material.stretches)]
    arrays |= explanation_arrays(recipe, judged)
    arrays |= _golden(recipe, judged, calibrated, arrays, selected.networks)
    manifest = _manifest(selected, material, calibrated, seed)
    # What stands at `output` gives way only to a bundle that was proved.
    bundle = unpack(pack(manifest, arrays, selected.networks), str(output))
    golden.require(bundle)
    test_scores = _test(bundle, labelled, reporter)
    if labelled.anomalous:
        quality = _quality(bundle, labelled, test_scores, reporter)
        manifest = msgspec.structs.replace(manifest, quality=quality)
    bundle = write_bundle(output, manifest, arrays, selected.networks)
    excerpts = [Excerpt(stretch.recording, stretch.start) for stretch in judged]
    notes = [
        *_left_out(labelled),
        *unfit,
        *material.notes,
        *several_machines(recipe, labelled.training),
        *selected.notes,
        *calibrated.notes,
        *reach_notes(bundle),
        *odd_recordings(recipe, material.stretches),
    ]
    return Exported(
        bundle,
        labelled,
        calibrated,
        test_scores,
        excerpts,
        notes,
    )


def _left_out(labelled: Labelled) -> list[str]:
    if not labelled.doubtful:
        return []
    return [f"left out, for their names do not say whether they are normal: {listed(labelled.doubtful)}"]


def check_seed(seed: int) -> None:
    """Refuse a seed that is out of range: an InputError says what is in it."""
    # NumPy's legacy generator, which Keras seeds too, takes no other.
    if not 0 <= seed < 2**32:
        raise InputError("seed", expected=f"0 to {2**32 - 1}", found=f"{seed}")


def _fit(
    pretrained: Selected, material: Material, labelled: Labelled, ledger: Ledger, seed: int, reporter: Reporter
) -> tuple[Selected, Arrays, Calibrated]:
    recipe, stretches = pretrained.recipe, material.stretches
    models = [branch.model for branch in recipe.trained_branches.values() if isinstance(branch.model, Trained)]
    evidence = _evidence(pretrained, stretches, labelled, reporter) if models else Evidence([], [], [])
    folds = len(folds_of(stretches, recipe.folds))
    with reporter.bar("fitting and cross-fitting", (folds + 1) * max(1, sum(map(training_steps, models)))) as advance:
        selected = select(recipe, stretches, evidence, ledger=ledger, seed=seed, advance=advance).joined(pretrained)
        embedders = Embedders(selected.recipe, selected.networks)
        arrays = fit_graph(selected.recipe, [embedders.embed(stretch) for stretch in stretches], seed=seed)
        fitted = Fitted(selected.networks, arrays)
        scores = cross_fit(selected.recipe, stretches, fitted, seed=seed, advance=advance)
    calibrated = calibrate(selected.recipe, scores, folds)
    return selected, {**arrays, **calibrated.arrays}, calibrated


def _evidence(pretrained: Selected, stretches: Sequence[Stretch], labelled: Labelled, reporter: Reporter) -> Evidence:
    recipe, networks = pretrained.recipe, pretrained.networks
    found = [
        spread(gather_labelled(spread(paths), recipe, reporter, networks=networks)) if paths else []
        for paths in (labelled.normal, labelled.anomalous)
    ]
    anomalous = [False] * len(found[0]) + [True] * len(found[1])
    return Evidence(spread(stretches), [*found[0], *found[1]], anomalous)


def _golden(
    recipe: Recipe,
    stretches: Sequence[Stretch],
    calibrated: Calibrated,
    arrays: Arrays,
    networks: Mapping[str, bytes],
) -> Arrays:
    # The most ordinary stretch: what it scores is furthest from any edge.
    ordinary = int(np.argsort(calibrated.record.held_out)[len(calibrated.record.held_out) // 2])
    pcm = to_int16(_samples(recipe, stretches[ordinary]))
    stages = golden.compute_stages(recipe, arrays, networks, pcm, engine=Engine(), where=recipe.name)
    return {"golden/samples": pcm, **{f"golden/{stage}": values for stage, values in stages.items()}}


def _samples(recipe: Recipe, stretch: Stretch) -> NDArray[np.float32]:
    blocks = read_blocks(stretch.recording, channel=recipe.channel, sample_rate=recipe.sample_rate)
    return np.concatenate(list(cut_blocks(blocks, stretch.start, stretch.start + recipe.horizon_samples)))


def _manifest(selected: Selected, material: Material, calibrated: Calibrated, seed: int) -> Manifest:
    return Manifest(
        schema=SCHEMA,
        recipe=selected.recipe,
        members={},
        networks=selected.records,
        calibration=calibrated.record,
        training=Training(
            recordings=material.recordings,
            horizons=len(material.stretches),
            list_sha256=material.list_sha256,
            native_rates=material.native_rates,
            bandwidth_hz=min(material.native_rates) / 2,
            seed=seed,
        ),
        tolerances=TOLERANCES,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "keras", "soxr")}
    return {"edge-asd": __version__, "python": platform.python_version(), **packages}


def _test(bundle: Bundle, labelled: Labelled, reporter: Reporter) -> dict[Path, float]:
    paths = [*labelled.normal, *labelled.anomalous]
    if not paths:
        return {}
    scorer = Scorer(bundle)
    judged = {path: scorer.judge(path) for path in reporter.track(paths, "scoring test recordings")}
    return {path: found.score for path, found in judged.items() if isinstance(found, RecordingScore)}


def _quality(bundle: Bundle, labelled: Labelled, test_scores: Mapping[Path, float], reporter: Reporter) -> Quality:
    if labelled.normal:
        normal = [test_scores[path] for path in labelled.normal]
        return _ranked(normal, [test_scores[path] for path in labelled.anomalous], "recordings")
    # Without normal recordings kept for testing, the cross-fitted scores of the training ones stand in: they too were
    # given by a graph that had not seen them. They are of single stretches, so anomalous sound is cut as they were: the
    # highest of many scores would beat any one of them.
    anomalous = list(_stretch_scores(bundle, labelled.anomalous, reporter))
    return _ranked(bundle.manifest.calibration.held_out, anomalous, "stretches")


def _stretch_scores(bundle: Bundle, paths: Sequence[Path], reporter: Reporter) -> Iterator[float]:
    recipe = side_by_side_horizons(bundle.recipe)
    pipeline = Pipeline(bundle._replace(manifest=msgspec.structs.replace(bundle.manifest, recipe=recipe)))
    for path in reporter.track(paths, "scoring stretches of test recordings"):
        for _, blocks in live_pieces(path, recipe, find_live(path, recipe)):
            pipeline.reset()
            yield from (score.value for block in blocks for score in pipeline.process(block))


def _ranked(normal: Sequence[float], anomalous: Sequence[float], what: Literal["recordings", "stretches"]) -> Quality:
    truth = [0] * len(normal) + [1] * len(anomalous)
    scores = [*normal, *anomalous]
    return Quality(
        auc=float(roc_auc_score(truth, scores)),
        pauc=float(roc_auc_score(truth, scores, max_fpr=0.1)),
        normal=len(normal),
        anomalous=len(anomalous),
        ranked=what,
    )
