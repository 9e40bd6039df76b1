"""One bundle, of one recipe and seed: trains it, judges test recordings with it as the device does, keeps the results.

A bundle serves one unit, or all sections of a machine where the recipe asks for that.

A result is kept under a hash of all that it depends on, in one atomic step: a run that was killed finds what it had
finished, and no result outlives a change of recording, recipe or seed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from edge_asd.audio.labels import Label
from edge_asd.bundle import Bundle, NetworkRecord
from edge_asd.calibration.calibrate import find_threshold
from edge_asd.errors import EdgeAsdError, InputError
from edge_asd.files import write_atomically
from edge_asd.recipe.graph import Recipe, Threshold
from edge_asd.recipe.models import Quantization
from edge_asd.recipe.sections import judging_any
from edge_asd.text import legible, to_json
from edge_asd.version import __version__
from edge_asd_export.boards import Board
from edge_asd_export.cost import Cost
from edge_asd_export.evaluation.datasets import Clip, Domain, LeftOut, UnitName, shown
from edge_asd_export.evaluation.inspection import Heard
from edge_asd_export.evaluation.judging import DeviceJudge, Reference
from edge_asd_export.exporter import Exported, export
from edge_asd_export.labels import Labelled
from edge_asd_export.memory import Memory

FIELD_RULE = Threshold(rule="gamma", false_alarm_probability=0.1)
"""The threshold of the field's decision files: the 90th percentile of a gamma distribution of normal scores."""


class Job(NamedTuple):
    """What one worker does at a time."""

    tests: dict[UnitName, list[Clip]]
    """Test recordings of the units that the bundle serves."""
    recipe: Recipe
    seed: int
    root: Path
    """The data set's folder."""
    train: list[Clip]
    """Training recordings of them all."""
    weights: dict[str, Path]
    """Files of pretrained weights, as `export` takes them."""
    board: Board | None
    """Board that the bundle is for, which has a say in how nets are stored."""
    memory: Memory
    """Where forms and rows of pretrained nets are kept."""
    key: str
    """Hash of all that the result depends on."""


class ClipScore(msgspec.Struct, frozen=True):
    """What a test recording scored."""

    path: str
    """The recording, below the data set's folder."""
    label: Label | None
    domain: Domain | None
    score: float
    """By the bundle, as the device judges it."""
    reference: float
    """By the same recipe with its nets in float32, whole recordings at a time."""


class UnitResult(msgspec.Struct, frozen=True):
    """What came of a job for one unit."""

    unit: UnitName
    recipe: str
    seed: int
    trained_on: int
    """Recordings that its bundle's training sound is of."""
    scores: list[ClipScore] = []
    threshold: float = 0.0
    """The bundle's own."""
    field_threshold: float = 0.0
    """By the field's rule, on the scores of the unit's held-out training recordings, or of all where they are alike."""
    bundle_bytes: int = 0
    bundle_sha256: str = ""
    costs: list[Cost] = []
    """How each net is stored, and what it costs while it listens."""
    seconds: float = 0.0
    """Time that the job took."""
    left_out: list[LeftOut] = []
    """The unit's recordings that could not be trained on or judged."""
    fault: str = ""
    """Why there are no scores; nothing where there are."""


def job_key(
    recipe: Recipe,
    seed: int,
    root: Path,
    train: Sequence[Clip],
    tests: Mapping[UnitName, Sequence[Clip]],
    heard: Mapping[Path, Heard],
    weights: Mapping[str, str],
    board: Board | None,
) -> str:
    """Return the hash of recordings, labels, recipe, seed, weights (given by their own hashes), board and version.

    Where the data set lies is no matter, but a recording's place in it is: a result names it so.
    """

    def listing(clips: Sequence[Clip]) -> list[tuple[object, ...]]:
        found = [heard[clip.path] for clip in clips]
        return [
            (legible(str(clip.unit)), each.sound, each.native_rate, shown(clip.path, root), clip.label, clip.domain)
            for clip, each in zip(clips, found, strict=True)
        ]

    content = [__version__, msgspec.to_builtins(recipe), seed, listing(train), weights]
    content += [(legible(str(unit)), listing(clips)) for unit, clips in tests.items()]
    content.append(board.name if board else None)
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def find_results(folder: Path, key: str) -> list[UnitResult] | None:
    """Return a job's kept results; None where there are none, or they cannot be read."""
    try:
        return msgspec.json.decode((folder / f"{key}.json").read_bytes(), type=list[UnitResult])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def run(job: Job, folder: Path) -> list[UnitResult]:
    """Do a job and keep its results in `folder`; what is the matter with the recordings becomes each result's `fault`.

    Each job computes on one thread, so that its results do not depend on how many run beside it.
    """
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    begin = time.monotonic()
    with threadpool_limits(limits=1), tempfile.TemporaryDirectory(prefix="edge-asd-") as temporary:
        try:
            results = _evaluate(job, Path(temporary) / "unit.easd")
        except EdgeAsdError as error:
            return [UnitResult(unit, job.recipe.name, job.seed, len(job.train), fault=str(error)) for unit in job.tests]
    results = [msgspec.structs.replace(result, seconds=time.monotonic() - begin) for result in results]
    write_atomically(folder / f"{job.key}.json", to_json(results))
    return results


def _evaluate(job: Job, output: Path) -> list[UnitResult]:
    # What trains is the protocol's to say, whatever names would say of it to a plain export; and the data set tells the
    # section of each recording, whichever a recipe is for.
    labelled, recipe = Labelled([clip.path for clip in job.train], [], []), judging_any(job.recipe)
    exported = export(labelled, recipe, output, weights=job.weights, board=job.board, seed=job.seed, memory=job.memory)
    reference = Reference(exported.bundle, labelled, weights=job.weights, seed=job.seed, memory=job.memory)
    return [_of_unit(job, unit, exported, reference, output.stat().st_size) for unit in job.tests]


def _of_unit(job: Job, unit: UnitName, exported: Exported, reference: Reference, size: int) -> UnitResult:
    bundle = exported.bundle
    scores, left_out = _judge(job, unit, bundle, reference)
    return UnitResult(
        unit=unit,
        recipe=job.recipe.name,
        seed=job.seed,
        trained_on=bundle.manifest.training.recordings,
        scores=scores,
        threshold=bundle.manifest.calibration.threshold,
        field_threshold=_field_threshold(job, unit, exported),
        bundle_bytes=size,
        bundle_sha256=bundle.sha256,
        costs=[_cost(name, net) for name, net in bundle.manifest.networks.items()],
        left_out=[*_untrained(job, unit, exported), *left_out],
    )


def _untrained(job: Job, unit: UnitName, exported: Exported) -> list[LeftOut]:
    """Name the unit's training recordings that no stretch is of."""
    heard = {excerpt.recording for excerpt in exported.excerpts}
    reason = f"no {job.recipe.horizon.seconds:g} s of a live signal to train on"
    return [
        LeftOut(shown(clip.path, job.root), reason)
        for clip in job.train
        if clip.unit == unit and clip.path not in heard
    ]


def _field_threshold(job: Job, unit: UnitName, exported: Exported) -> float:
    own = {clip.path for clip in job.train if clip.unit == unit}
    scores = exported.calibrated.told
    pairs = zip(exported.excerpts, scores, strict=True)
    held_out = np.array([score for excerpt, score in pairs if excerpt.recording in own])
    if not held_out.size or np.ptp(held_out) == 0:
        # Of a section with a single live recording, or none, no distribution can be told: its machine's stands in.
        held_out = np.array(scores)
    recipe = msgspec.structs.replace(exported.bundle.recipe, threshold=FIELD_RULE)
    return find_threshold(recipe, held_out)[0]


def _cost(branch: str, net: NetworkRecord) -> Cost:
    # A TFLite file of the user's counts as floating point.
    known: tuple[Quantization, ...] = get_args(Quantization)
    stored: Quantization = next((form for form in known if form == net.quantization), "float32")
    return Cost(branch, stored, net.macs, net.runs_per_second)


def _judge(job: Job, unit: UnitName, bundle: Bundle, reference: Reference) -> tuple[list[ClipScore], list[LeftOut]]:
    judge = DeviceJudge(bundle, job.memory, unit.name)
    judged: dict[Path, float] = {}
    left_out: list[LeftOut] = []
    for clip in job.tests[unit]:
        try:
            judged[clip.path] = judge.score(clip.path)
        except InputError as error:
            left_out.append(LeftOut(shown(clip.path, job.root), error.fault))
    expected = reference.scores(list(judged), unit.name)
    scores = [
        ClipScore(shown(clip.path, job.root), clip.label, clip.domain, judged[clip.path], expected[clip.path])
        for clip in job.tests[unit]
        if clip.path in judged
    ]
    return scores, left_out
