"""A report as text: the few lines that a person reads at once, and all of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_asd.errors import one_line
from edge_asd_export.exporter import Exported
from edge_asd_export.quantization.gate import describe as describe_fidelity
from edge_asd_export.report.facts import ClipFacts, Facts


def describe(exported: Exported, output: Path) -> str:
    """Return a few lines on an export: what it was made from, its threshold, and how well it works."""
    manifest = exported.bundle.manifest
    training, calibration, seconds = manifest.training, manifest.calibration, manifest.recipe.horizon.seconds
    lines = [
        f"bundle      {output} ({output.stat().st_size / 1024:.0f} KiB, sha256 {exported.bundle.sha256[:12]})",
        f"trained on  {training.recordings} recordings, {training.horizons} stretches of {seconds:g} s",
        f"threshold   {calibration.threshold:.4g} ({calibration.rule}); normal sound scores {calibration.centre:.3g}",
    ]
    for name, network in manifest.networks.items():
        lines.append(
            f"net         {name}: {network.quantization} ({network.reason}), "
            f"by {network.interpreter} {network.interpreter_version}"
        )
        if network.fidelity:
            lines.append(f"            against float32: {describe_fidelity(network.fidelity)}")
    if manifest.quality:
        quality = manifest.quality
        lines.append(
            f"labelled    AUC {quality.auc:.3f}, pAUC {quality.pauc:.3f} "
            f"({quality.normal} normal, {quality.anomalous} anomalous {quality.ranked})"
        )
    return "\n".join([*lines, *(one_line(f"note        {note}") for note in exported.notes)])


def full(facts: Facts, said: str) -> str:
    """Return the whole report, which begins with what was said at once (`describe`)."""
    sections = [
        said,
        _nets(facts),
        _speed(facts),
        _scores(facts),
        "self-test: deviation on this machine, and what verify accepts\n"
        + table((stage.stage, f"{stage.deviation:.2e}", f"{stage.tolerance:.0e}") for stage in facts.stages),
        "made with: " + ", ".join(f"{name} {version}" for name, version in facts.versions.items()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of words in columns as wide as their longest word."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return "\n".join(
        "  " + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _nets(facts: Facts) -> str:
    rows = [("net", "stored", "size", "MMAC a run", "runs/s of sound", "GMAC/s of sound", "oldest runtime")]
    for net in facts.nets:
        figures = f"{net.macs / 1e6:.4g}", f"{net.runs_per_second:.4g}", f"{net.gmac_per_s:.3g}"
        size = f"{net.size_bytes / 1024:.1f} KiB"
        rows.append((net.branch, net.quantization, size, *figures, net.minimum_runtime or "unknown"))
    return f"nets\n{table(rows)}" if facts.nets else ""


def _speed(facts: Facts) -> str:
    speed = facts.speed
    rows = [("this machine, measured", f"{speed.real_time_factor:.2g}", f"{speed.machine}, one thread, all stages")]
    for board in facts.boards:
        threads = f"{board.threads} thread{'s' if board.threads > 1 else ''}"
        rests_on = f"nets alone, {threads}; {board.source}"
        rows.append((f"{board.title}, estimated", f"{board.real_time_factor:.2g}", rests_on))
    return f"real-time factor: share of its time that a machine spends\n{table(rows)}"


def _scores(facts: Facts) -> str:
    scores = facts.scores
    groups = ("held-out normal", scores.held_out), ("other normal", scores.normal), ("anomalous", scores.anomalous)
    rows: list[Sequence[str]] = [("scores", "count", "lowest", "median", "highest", "reach the threshold")]
    for name, values in groups:
        if values:
            figures = (f"{value:.3g}" for value in (min(values), statistics.median(values), max(values)))
            above = sum(value >= scores.threshold for value in values)
            rows.append((name, str(len(values)), *figures, str(above)))
    clips = [("lowest", clip) for clip in facts.lowest] + [("highest", clip) for clip in facts.highest]
    named = table((place, f"{clip.score:.3g}", name_of(clip)) for place, clip in clips)
    return f"{table(rows)}\n\ntraining clips that score lowest and highest: listen to the highest\n{named}"


def name_of(clip: ClipFacts) -> str:
    """Return the name of a clip, as a person looks for it."""
    return f"{clip.recording} from {clip.start_s:g} s"
