"""Normal recordings → a bundle: reads, cross-fits, calibrates, fits, proves and writes."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge_asd import golden
from edge_asd.audio import find_recordings, read_recording
from edge_asd.bundle import SCHEMA, Bundle, Manifest, Quality, Training, write_bundle
from edge_asd.recipe.graph import Recipe
from edge_asd.scoring import Scorer
from edge_asd.version import __version__
from edge_asd_export.bandwidth import limit_bandwidth
from edge_asd_export.calibration import Calibrated, calibrate
from edge_asd_export.conversion import record
from edge_asd_export.crossfit import fold_bounds, held_out_scores
from edge_asd_export.fit import Arrays, Fitted, fit
from edge_asd_export.labels import Labelled, sort_recordings
from edge_asd_export.material import Material, gather
from edge_asd_export.progress import SILENT, Reporter
from edge_asd_export.training import training_steps

TOLERANCES = {"patches": 1e-4, "rows": 1e-3, "features": 1e-3, "parts": 1e-3, "score": 1e-3}
"""Largest deviation of each golden stage that is accepted on another machine, relative to the stage's magnitude."""


class Exported(NamedTuple):
    """An export, and what it rests on."""

    bundle: Bundle
    labelled: Labelled
    calibrated: Calibrated
    test_scores: dict[Path, float]
    """Scores of labelled recordings that were not trained on."""


def export(
    recordings: Sequence[Path], recipe: Recipe, output: Path, *, seed: int = 0, reporter: Reporter = SILENT
) -> Exported:
    """Make a bundle of normal recordings.

    Parameters
    ----------
    recordings
        Recordings, or folders of them in any known layout; anomalous ones are only used to say how well it works.
    recipe
        What to fit.
    output
        Bundle to write, in one atomic step.
    seed
        Seed of all that is random; the same seed, recordings and software give the same bundle.

    Raises
    ------
    InputError
        When the recordings cannot be used, or the recipe does not fit them.
    """
    labelled = _find(recordings)
    recipe = limit_bandwidth(recipe, labelled.training)
    material = gather(labelled.training, recipe, reporter)
    fitted, calibrated = _fit(recipe, material, seed, reporter)
    arrays: Arrays = {**fitted.arrays, **calibrated.arrays}
    arrays |= _golden(recipe, material, calibrated, arrays, fitted)
    manifest = _manifest(recipe, labelled, material, fitted, calibrated, seed)
    bundle = write_bundle(output, manifest, arrays, fitted.networks)
    golden.require(bundle)
    test_scores = _test(bundle, labelled, reporter)
    if test_scores and labelled.anomalous:
        quality = _quality(labelled, calibrated, test_scores)
        bundle = write_bundle(output, msgspec.structs.replace(manifest, quality=quality), arrays, fitted.networks)
    return Exported(bundle, labelled, calibrated, test_scores)


def _find(recordings: Sequence[Path]) -> Labelled:
    found = [sort_recordings(find_recordings(given), given) for given in recordings]
    return Labelled(*(list(chain.from_iterable(group)) for group in zip(*found, strict=True)))


def _fit(recipe: Recipe, material: Material, seed: int, reporter: Reporter) -> tuple[Fitted, Calibrated]:
    folds = len(fold_bounds(len(material.stretches), recipe.folds))
    steps = sum(training_steps(branch.model) for branch in recipe.used_branches.values() if branch.model)
    with reporter.bar("fitting and cross-fitting", (folds + 1) * max(1, steps)) as advance:
        scores = held_out_scores(recipe, material.stretches, seed=seed, advance=advance)
        fitted = fit(recipe, material.stretches, seed=seed, advance=advance)
    return fitted, calibrate(recipe, scores, folds)


def _golden(recipe: Recipe, material: Material, calibrated: Calibrated, arrays: Arrays, fitted: Fitted) -> Arrays:
    # The most ordinary stretch: what it scores is furthest from any edge.
    ordinary = int(np.argsort(calibrated.record.held_out)[len(calibrated.record.held_out) // 2])
    pcm = golden.to_pcm(_samples(recipe, material, ordinary))
    stages = golden.compute_stages(recipe, arrays, fitted.networks, pcm, threads=1, where=recipe.name)
    return {"golden/samples": pcm, **{f"golden/{stage}": values for stage, values in stages.items()}}


def _samples(recipe: Recipe, material: Material, index: int) -> NDArray[np.float32]:
    stretch = material.stretches[index]
    recording = read_recording(stretch.recording, channel=recipe.channel, sample_rate=recipe.sample_rate)
    return recording.samples[stretch.start : stretch.start + recipe.horizon_samples]


def _manifest(
    recipe: Recipe, labelled: Labelled, material: Material, fitted: Fitted, calibrated: Calibrated, seed: int
) -> Manifest:
    models = {name: branch.model for name, branch in recipe.used_branches.items() if branch.model is not None}
    return Manifest(
        schema=SCHEMA,
        recipe=recipe,
        members={},
        networks={name: record(fitted.networks[f"branches/{name}"], model.quantize) for name, model in models.items()},
        calibration=calibrated.record,
        training=Training(
            recordings=len(labelled.training),
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
    return {path: scorer.score(path).score for path in reporter.track(paths, "scoring test recordings")}


def _quality(labelled: Labelled, calibrated: Calibrated, test_scores: dict[Path, float]) -> Quality:
    # Without normal recordings kept for testing, the cross-fitted scores of the training ones stand in: they too were
    # given by a graph that had not seen them.
    normal = [test_scores[path] for path in labelled.normal] or calibrated.record.held_out
    anomalous = [test_scores[path] for path in labelled.anomalous]
    truth = [0] * len(normal) + [1] * len(anomalous)
    scores = [*normal, *anomalous]
    return Quality(
        auc=float(roc_auc_score(truth, scores)),
        pauc=float(roc_auc_score(truth, scores, max_fpr=0.1)),
        normal=len(normal),
        anomalous=len(anomalous),
    )
