"""Calibrates a bundle on site: normal sound of the machine as it is heard there → the same bundle with new thresholds.

It runs on the device. Nothing is trained; what is adapted (`edge_asd.calibration.adaptation`) is scored with
adaptations to the other folds of the sound, so that the new threshold rests on sound that the graph has not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd import golden
from edge_asd.audio import Roll, find_rooted, tell_apart
from edge_asd.bandwidth import BandwidthWatch
from edge_asd.bundle import Bundle, Manifest, Site, pack, unpack, write_bundle
from edge_asd.calibration.adaptation import Pooled, adapt, adaptable
from edge_asd.calibration.alarms import HeldOut, alarm_rate
from edge_asd.calibration.calibrate import Calibrated, PartScores, calibrate, join_all
from edge_asd.calibration.suspicion import loudest, normal_scores, standing_out
from edge_asd.errors import InputError
from edge_asd.explanation import Spectrum, band_edges, measure, normal_arrays, slice_count, spectral_branch
from edge_asd.firmware import Decision
from edge_asd.interpreter import Engine
from edge_asd.liveness import Live, find_live, left_out_dead, live_pieces, require_any_live
from edge_asd.pipeline import Joiner, Judge, Rows, pool_rows
from edge_asd.recipe.graph import Recipe, Threshold

Arrays = Mapping[str, NDArray[np.generic]]
OfRun = TypeVar("OfRun")


class Heard(NamedTuple):
    """Normal sound, as far as the graph's fixed half."""

    runs: list[list[Pooled]]
    """Pooled rows of each decision, by unbroken stretch of live signal."""
    paths: list[Path]
    """The recording of each."""
    spectra: list[Spectrum]
    """Spectra of horizons side by side; none where the recipe keeps no spectrum."""
    list_sha256: str
    """SHA-256 over names and samples of the recordings."""
    notes: list[str]
    """What was left out of them."""

    @property
    def recordings(self) -> int:
        """How many recordings were heard."""
        return len(set(self.paths))

    def by_recording(self, of_runs: Iterable[OfRun]) -> dict[Path, list[OfRun]]:
        """Return what belongs to the runs, one of each, put together by recording."""
        found: dict[Path, list[OfRun]] = {}
        for path, of_run in zip(self.paths, of_runs, strict=True):
            found.setdefault(path, []).append(of_run)
        return found


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How normal sound fares with a bundle."""

    threshold: float
    """Threshold, in the unit of the bundle's scores."""
    centre: float
    """Median score of the sound."""
    alarms_per_week: float
    """Alarms that a week of such sound is expected to raise, with the default hysteresis."""
    reaching: int
    """Decisions that reach the threshold."""


class LeftOut(msgspec.Struct, frozen=True):
    """A recording that was not listened to."""

    path: str
    """The recording."""
    reason: str
    """Why, in words."""


class SiteReport(msgspec.Struct, frozen=True, kw_only=True):
    """What calibrating on site has changed."""

    bundle: str
    """SHA-256 of the new bundle."""
    parent: str
    """SHA-256 of the bundle that was calibrated."""
    recordings: int
    """Recordings heard."""
    decisions: int
    """Decisions that they allowed."""
    before: Standing
    """The sound, judged by the bundle as it was."""
    after: Standing
    """The sound, judged as it will be: by adaptations that had not seen it, where there were any."""
    adapted: list[str]
    """What was adapted."""
    rule: str
    """How the threshold was found, in words."""
    suspicious: list[str]
    """Recordings that stand out from the others: to be listened to, and left out where they are not normal."""
    reasons: dict[str, str]
    """Why, for each of them, in words."""
    notes: list[str]
    """What the user should know."""
    left_out: list[LeftOut] = []
    """Recordings that are not normal by their names."""


def choose_normal(given: Iterable[Path]) -> tuple[list[Path], list[LeftOut]]:
    """Return the recordings of files and folders that may be taken for normal, and those that their names forbid.

    Raises
    ------
    InputError
        When a file or folder cannot be read, or no recording is left.
    """
    found = find_rooted(given)
    told = tell_apart(found)
    left_out = [LeftOut(str(path), "anomalous by its name or folder") for path in told.anomalous]
    left_out += [
        LeftOut(str(path), "its name does not say whether it is normal") for path in (*told.doubtful, *told.withheld)
    ]
    if not told.normal:
        raise InputError(
            str(next(iter(found.values()), "recordings")),
            expected="normal recordings to calibrate on",
            found=f"{len(found)} recordings, none of which is normal by its name or folder",
            remedy="name their folder normal/ if they are normal, or name a folder of such",
        )
    return told.normal, left_out


def listen(bundle: Bundle, paths: Iterable[Path], *, engine: Engine | None = None) -> Heard:
    """Hear recordings as a device would, and keep the pooled rows of every decision.

    Raises
    ------
    InputError
        When one cannot be read, is silent, is shorter than the bundle's horizon, or stands there twice; when
        none holds a horizon of live signal.
    """
    recipe = bundle.recipe
    rows = Rows(recipe, bundle.networks, engine=engine, where=bundle.where)
    runs: list[list[Pooled]] = []
    names: list[Path] = []
    roll, bandwidth = Roll(), BandwidthWatch(bundle)
    branch, step = spectral_branch(recipe), _step(recipe)
    bands = 0 if branch is None else len(band_edges(recipe.branches[branch], recipe.sample_rate)) - 1
    spectra: list[Spectrum] = []
    lives: dict[Path, Live] = {}
    for path in paths:
        bandwidth.look_at(path)
        live = lives[path] = find_live(path, recipe, roll)
        for _, blocks in live_pieces(path, recipe, live):
            run: list[Pooled] = []
            for _, values in rows.of_recording(blocks):
                if branch is not None and len(run) % step == 0:
                    spectra.append(measure(values[branch], bands, slice_count(recipe)))
                run.append(pool_rows(recipe.used_branches, values))
            runs.append(run)
            names.append(path)
    require_any_live(recipe, lives)
    return Heard(runs, names, spectra, roll.sha256, left_out_dead(recipe, lives))


def calibrate_on_site(
    bundle: Bundle, heard: Heard, output: Path, *, adapting: bool, per_week: float | None = None
) -> SiteReport:
    """Write a bundle that suits the sound of this place.

    Parameters
    ----------
    bundle
        The bundle as it is.
    heard
        Normal sound of the machine.
    output
        Where the new bundle goes, in one atomic step.
    adapting
        Adapt the scaler and the Gaussians' means, besides the threshold.
    per_week
        False alarms that a week may raise; the recipe's own rule where left out.

    Raises
    ------
    InputError
        When there is too little sound, or `output` cannot be written.
    """
    recipe = bundle.recipe
    if per_week is not None:
        rule = Threshold(rule="false-alarms", false_alarms_per_week=per_week)
        recipe = msgspec.structs.replace(recipe, threshold=rule)
    step = _step(recipe)
    fitted = {name: array for name, array in bundle.arrays.items() if name.startswith(("branches/", "parts/"))}
    adapted = adaptable(recipe, fitted) if adapting else []
    blocks = cut_into_folds(heard.runs, step, recipe.folds if adapted else 1)
    arrays = adapt(recipe, fitted, _side_by_side(blocks, step)) if adapted else fitted
    runs: list[PartScores] = []
    for fold, block in enumerate(blocks):
        others = [*blocks[:fold], *blocks[fold + 1 :]]
        graph = adapt(recipe, fitted, _side_by_side(others, step)) if adapted else fitted
        runs += part_scores(bundle, graph, block)
    calibrated = calibrate(recipe, normal_scores(runs, step), len(blocks))
    site = Site(parent=bundle.sha256, recordings=heard.recordings, list_sha256=heard.list_sha256, adapted=adapted)
    manifest = msgspec.structs.replace(
        bundle.manifest,
        recipe=recipe,
        calibration=calibrated.record,
        site=site,
        quality=None if adapted else bundle.manifest.quality,
    )
    statistics = normal_arrays(heard.spectra) if heard.spectra else {}
    written = _write(output, manifest, {**arrays, **calibrated.arrays, **statistics}, bundle)
    return _report(bundle, written, heard, calibrated, adapted)


def _step(recipe: Recipe) -> int:
    """Return how many decisions lie between two horizons that share no sound."""
    return max(1, -(-recipe.horizon_samples // recipe.hop_samples))


def cut_into_folds(runs: Sequence[list[Pooled]], step: int, folds: int) -> list[list[list[Pooled]]]:
    """Cut runs of decisions into contiguous folds of horizons side by side, `step` decisions apart.

    A run that a fold's edge cuts loses the decisions that hear both sides of it.
    """
    starts = [(run, start) for run, decisions in enumerate(runs) for start in range(0, len(decisions), step)]
    edges = np.linspace(0, len(starts), min(folds, len(starts)) + 1).round().astype(int)
    blocks = []
    for first, last in pairwise(edges):
        block = []
        for run, of_run in groupby(starts[first:last], key=lambda place: place[0]):
            chosen = [start for _, start in of_run]
            whole = chosen[-1] + step >= len(runs[run])
            block.append(runs[run][chosen[0] : len(runs[run]) if whole else chosen[-1] + 1])
        blocks.append(block)
    return blocks


def part_scores(bundle: Bundle, arrays: Arrays, runs: Iterable[Sequence[Pooled]]) -> list[PartScores]:
    """Return each part's own score of every decision, by run."""
    judge = Judge(bundle.recipe, arrays, where=bundle.where)
    found = []
    for run in runs:
        rows = [judge.part_scores(judge.transform(pooled)) for pooled in run]
        found.append({part: np.array([row[part] for row in rows]) for part in rows[0]})
    return found


def _side_by_side(blocks: Iterable[Iterable[Sequence[Pooled]]], step: int) -> list[Pooled]:
    return [pooled for block in blocks for run in block for pooled in run[::step]]


def _write(output: Path, manifest: Manifest, arrays: dict[str, NDArray[np.generic]], bundle: Bundle) -> Bundle:
    """Write the new bundle with what every stage makes of the old one's golden sound, once it passes its own test."""
    pcm = np.asarray(bundle.arrays["golden/samples"], np.int16)
    stages = golden.compute_stages(manifest.recipe, arrays, bundle.networks, pcm, engine=Engine(), where=str(output))
    kept = {name: array for name, array in bundle.arrays.items() if not name.startswith("golden/")}
    arrays = {**kept, **arrays, "golden/samples": pcm, **{f"golden/{stage}": found for stage, found in stages.items()}}
    golden.require(unpack(pack(manifest, arrays, bundle.networks), str(output)))
    return write_bundle(output, manifest, arrays, bundle.networks)


def _report(bundle: Bundle, written: Bundle, heard: Heard, calibrated: Calibrated, adapted: list[str]) -> SiteReport:
    before = joint_scores(bundle, heard)
    after = calibrated.record
    reasons = _reasons(bundle, written, heard, before)
    return SiteReport(
        bundle=written.sha256,
        parent=bundle.sha256,
        recordings=heard.recordings,
        decisions=sum(len(run) for run in heard.runs),
        before=_standing(bundle, before),
        after=Standing(
            threshold=after.threshold,
            centre=after.centre,
            alarms_per_week=after.alarms_per_week or 0.0,
            reaching=int(np.sum(np.asarray(calibrated.arrays["joint/scores"], np.float64) >= after.threshold)),
        ),
        adapted=adapted,
        rule=after.rule,
        suspicious=list(reasons),
        reasons=reasons,
        notes=[*heard.notes, *calibrated.notes],
    )


def _reasons(bundle: Bundle, written: Bundle, heard: Heard, before: HeldOut) -> dict[str, str]:
    """Return the recordings that stand out, and why: by the new threshold, by that of the others, by the old one."""
    recordings = heard.by_recording(part_scores(written, written.arrays, heard.runs))
    joiner = Joiner(written.recipe, written.arrays, where=written.where)
    now = np.array([loudest(joiner, recording) for recording in recordings.values()])
    was = np.array([max(scores.max() for scores in runs) for runs in heard.by_recording(before.runs()).values()])
    new, old = (each.manifest.calibration.threshold for each in (written, bundle))
    # Where most reach the old threshold, the place has changed and not the machine.
    told_before = was >= old if 2 * np.sum(was >= old) < len(was) else np.zeros(len(was), bool)
    apart = standing_out(written.recipe, written.arrays, list(recordings.values()), _step(written.recipe))
    reasons: dict[str, str] = {}
    for index, path in enumerate(map(str, recordings)):
        if now[index] >= new:
            reasons[path] = f"scores {now[index]:.3g}, and the new threshold is {new:.3g}"
        elif index in apart:
            score, threshold = apart[index]
            reasons[path] = f"scores {score:.3g} where the other recordings set the threshold, at {threshold:.3g}"
        elif told_before[index]:
            reasons[path] = f"scored {was[index]:.3g} by the bundle as it was, whose threshold is {old:.3g}"
    return reasons


def joint_scores(bundle: Bundle, heard: Heard) -> HeldOut:
    """Return the joint score of every decision, run by run as they were heard."""
    joiner = Joiner(bundle.recipe, bundle.arrays, where=bundle.where)
    runs = [np.array(list(join_all(joiner, run))) for run in part_scores(bundle, bundle.arrays, heard.runs)]
    return HeldOut(np.concatenate(runs), np.array([len(run) for run in runs], np.intp))


def _standing(bundle: Bundle, held_out: HeldOut) -> Standing:
    centre, threshold = float(np.median(held_out.scores)), bundle.manifest.calibration.threshold
    rate = alarm_rate(held_out, bundle.recipe, Decision(), centre)
    return Standing(
        threshold=threshold,
        centre=centre,
        alarms_per_week=rate.per_week(threshold),
        reaching=int(np.sum(held_out.scores >= threshold)),
    )
