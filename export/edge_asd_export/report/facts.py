"""Everything that a report tells, as plain records: what `report.json` holds, word for word."""

from __future__ import annotations

import os
from pathlib import Path

from edge_asd import golden
from edge_asd.bundle import Bundle, Fidelity, NetworkRecord, Quality, Training
from edge_asd.settings import Settings
from edge_asd.text import legible
from edge_asd_export.boards import board_names, find_board
from edge_asd_export.cost import Cost
from edge_asd_export.exporter import Exported
from edge_asd_export.report.speed import Speed, measure_speed

SCHEMA = "edge-asd/report/1"
"""Schema of the reports written here."""
_EXTREMES = 3


class NetFacts(Settings):
    """One net, and what it costs."""

    branch: str
    """Branch that it belongs to."""
    quantization: str
    """How it is stored."""
    reason: str
    """Why so."""
    size_bytes: int
    """Size of its file."""
    sha256: str
    """SHA-256 of its file."""
    macs: int
    """Multiply-accumulates of one run."""
    runs_per_second: float
    """Runs per second of sound."""
    gmac_per_s: float
    """Multiply-accumulates per second of sound, in billions."""
    interpreter: str
    """What computed the rows that the detectors were fitted on, with its version."""
    minimum_runtime: str
    """Oldest TensorFlow Lite runtime that has its operators; empty where unknown."""
    fidelity: Fidelity | None
    """How faithful it is to float32; null where it is float32, or a file that was taken as it is."""


class BoardFacts(Settings):
    """What all nets together ask of one board, estimated."""

    board: str
    """Name of its shipped configuration."""
    title: str
    """What it is called."""
    threads: int
    """Threads of each net there."""
    real_time_factor: float
    """Share of real time that the nets take; above 1 it falls behind."""
    source: str
    """What the estimate rests on."""


class StageFacts(Settings):
    """One stage of the golden self-test."""

    stage: str
    """Name of the stage."""
    deviation: float
    """Deviation on this machine, right after the export."""
    tolerance: float
    """Largest deviation that `verify` accepts."""


class ClipFacts(Settings):
    """One stretch of training sound, as a graph that was not fitted to it scores it."""

    recording: str
    """Path below the folder that holds all recordings: names alone may be the same in several folders."""
    start_s: float
    """Where it begins in the recording, in seconds."""
    score: float
    """Its held-out score."""


class ScoreFacts(Settings):
    """Scores, and the threshold among them."""

    threshold: float
    """Score from which a stretch counts as anomalous."""
    rule: str
    """How it was found."""
    held_out: list[float]
    """Scores of normal training stretches by graphs that were not fitted to them."""
    normal: list[float]
    """Scores of normal recordings kept for testing."""
    anomalous: list[float]
    """Scores of anomalous recordings."""


class Facts(Settings):
    """A whole report."""

    schema: str
    """`edge-asd/report/1`."""
    bundle: str
    """File name of the bundle."""
    sha256: str
    """SHA-256 of the bundle: its id."""
    size_bytes: int
    """Size of the bundle."""
    recipe: str
    """Name of the recipe."""
    description: str
    """What the recipe is."""
    horizon_s: float
    """Seconds of sound that one decision looks at."""
    training: Training
    """What it was made from."""
    versions: dict[str, str]
    """Software that made it."""
    nets: list[NetFacts]
    """The nets."""
    boards: list[BoardFacts]
    """What they ask of each board; empty without nets."""
    speed: Speed
    """How fast the whole bundle is on this machine."""
    scores: ScoreFacts
    """Scores and threshold."""
    quality: Quality | None
    """Figures on labelled recordings, where there were any."""
    lowest: list[ClipFacts]
    """Training stretches that score lowest."""
    highest: list[ClipFacts]
    """Training stretches that score highest, worst first."""
    stages: list[StageFacts]
    """Stages of the golden self-test."""
    notes: list[str]
    """What the user should know."""


def collect(exported: Exported, output: Path) -> Facts:
    """Gather what is to be told of an export; runs the bundle for a moment to see how fast it is."""
    bundle, manifest = exported.bundle, exported.bundle.manifest
    lowest, highest = extremes(exported)
    return Facts(
        schema=SCHEMA,
        bundle=output.name,
        sha256=bundle.sha256,
        size_bytes=output.stat().st_size,
        recipe=manifest.recipe.name,
        description=manifest.recipe.description,
        horizon_s=manifest.recipe.horizon.seconds,
        training=manifest.training,
        versions=manifest.versions,
        nets=[_net(bundle, name, record) for name, record in manifest.networks.items()],
        boards=_boards(manifest.networks),
        speed=measure_speed(bundle),
        scores=_scores(exported),
        quality=manifest.quality,
        lowest=[clip_at(exported, place) for place in lowest],
        highest=[clip_at(exported, place) for place in highest],
        stages=[
            StageFacts(stage=found.stage, deviation=found.largest, tolerance=found.tolerance)
            for found in golden.check(bundle)
        ],
        notes=exported.notes,
    )


def extremes(exported: Exported) -> tuple[list[int], list[int]]:
    """Return the places of the lowest held-out scores among all, and of the highest, worst first."""
    scores = exported.bundle.manifest.calibration.held_out
    order = sorted(range(len(scores)), key=scores.__getitem__)
    return order[:_EXTREMES], order[: -_EXTREMES - 1 : -1]


def clip_at(exported: Exported, place: int) -> ClipFacts:
    """Return what is told of one of the stretches that were trained on."""
    excerpt = exported.excerpts[place]
    return ClipFacts(
        recording=legible(str(excerpt.recording.absolute().relative_to(_folder_of_all(exported)))),
        start_s=excerpt.start / exported.bundle.recipe.sample_rate,
        score=exported.bundle.manifest.calibration.held_out[place],
    )


def _folder_of_all(exported: Exported) -> str:
    return os.path.commonpath([excerpt.recording.absolute().parent for excerpt in exported.excerpts])


def _net(bundle: Bundle, name: str, record: NetworkRecord) -> NetFacts:
    member = bundle.manifest.members[f"branches/{name}.tflite"]
    return NetFacts(
        branch=name,
        quantization=record.quantization,
        reason=record.reason,
        size_bytes=member.size,
        sha256=member.sha256,
        macs=record.macs,
        runs_per_second=record.runs_per_second,
        gmac_per_s=_cost(name, record).gmac_per_s,
        interpreter=f"{record.interpreter} {record.interpreter_version}",
        minimum_runtime=record.minimum_runtime,
        fidelity=record.fidelity,
    )


def _boards(networks: dict[str, NetworkRecord]) -> list[BoardFacts]:
    if not networks:
        return []
    costs = [_cost(name, record) for name, record in networks.items()]
    return [
        BoardFacts(
            board=name,
            title=board.title,
            threads=board.threads,
            real_time_factor=sum(board.load(cost.quantization, cost.gmac_per_s) for cost in costs),
            source=board.cores.source,
        )
        for name, board in ((name, find_board(name)) for name in board_names())
    ]


def _cost(name: str, record: NetworkRecord) -> Cost:
    return Cost(name, record.quantization, record.macs, record.runs_per_second)


def _scores(exported: Exported) -> ScoreFacts:
    calibration = exported.bundle.manifest.calibration
    tested = exported.test_scores
    return ScoreFacts(
        threshold=calibration.threshold,
        rule=calibration.rule,
        held_out=calibration.held_out,
        normal=[tested[path] for path in exported.labelled.normal if path in tested],
        anomalous=[tested[path] for path in exported.labelled.anomalous if path in tested],
    )
