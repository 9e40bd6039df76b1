"""The files that this field's evaluators read, box plots, and a JSON file of everything."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge_asd.files import write_atomically
from edge_asd.text import to_json
from edge_asd.version import __version__
from edge_asd_export.evaluation.datasets import UnitName
from edge_asd_export.evaluation.jobs import FIELD_RULE, ClipScore
from edge_asd_export.evaluation.protocols import Protocol
from edge_asd_export.evaluation.running import Outcome, Request
from edge_asd_export.evaluation.summary import Measured, Summary, overall

SCHEMA = "edge-asd/evaluation/1"
"""Schema of `results.json`."""
_FORMER = re.compile(
    r"seed-\d+/(?:-?\d+_dB/)?(?:(?:anomaly_score|decision_result)_[^/]*|result)\.csv|boxes_[^/]*\.png", re.ASCII
)
"""Files of one recipe, below its folder, and plots of all."""


class _Former(msgspec.Struct):
    """What is read again of `results.json`."""

    files: list[str] = []


def write_all(outcome: Outcome, summary: Summary, table: str) -> list[Path]:
    """Write table, JSON, CSV files and plots into the output folder; return what was written."""
    output = outcome.request.output
    names = file_names(each.result.unit.machine for each in summary.measured)
    written: list[Path] = []
    for recipe in outcome.request.recipes:
        for seed in range(outcome.request.seeds):
            chosen = [
                each for each in summary.measured if (each.result.recipe, each.result.seed) == (recipe.name, seed)
            ]
            if chosen:
                folder = output / recipe.name / f"seed-{seed}"
                written += write_csv(folder, chosen, outcome.request.protocol, names)
    written += write_plots(output, summary, names)
    inside = [path.relative_to(output).as_posix() for path in written]
    listed = [*inside, *_remove_former(outcome.request, inside)]
    first = [_write(output / "table.md", table.encode("utf-8", "surrogateescape"))]
    return [*first, _write(output / "results.json", _everything(outcome, summary, listed)), *written]


def _remove_former(request: Request, written: Sequence[str]) -> list[str]:
    """Remove what a former run wrote for these recipes and this one did not, so that files say what the table says.

    Known are the files that `results.json` lists; nobody else's are touched. Those of other recipes stay: return them.
    """
    other: list[str] = []
    for name in _former(request.output):
        if name in written:
            continue
        if any(_FORMER.fullmatch(name.removeprefix(f"{recipe.name}/")) for recipe in request.recipes):
            with contextlib.suppress(OSError):
                (request.output / name).unlink()
        elif (request.output / name).is_file():
            other.append(name)
    return other


def _former(output: Path) -> list[str]:
    try:
        return msgspec.json.decode((output / "results.json").read_bytes(), type=_Former).files
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return []


def file_names(machines: Iterable[str]) -> dict[str, str]:
    """Return each machine as files name it: without slashes, and no two alike."""
    names: dict[str, str] = {}
    # A name that needs no change keeps it, whatever `hall/press` beside `hall_press` would become.
    for machine in sorted(set(machines), key=lambda machine: ("/" in machine, machine)):
        stem = machine.replace("/", "_")
        numbered = (stem if number == 1 else f"{stem}-{number}" for number in itertools.count(1))
        names[machine] = next(name for name in numbered if name not in names.values())
    return names


def write_csv(folder: Path, measured: Sequence[Measured], protocol: Protocol, names: Mapping[str, str]) -> list[Path]:
    """Write the result files of one recipe and seed; `names` are those of machines in files.

    - `anomaly_score_<machine>_section_<NN>_test.csv` and `decision_result_<machine>_section_<NN>_test.csv` from DCASE
      2021 on, `anomaly_score_<machine>_id_<NN>.csv` and `decision_result_<machine>_id_<NN>.csv` elsewhere: without a
      header, a line of file name and value for each test recording. A decision is 1 from the field's threshold on,
      else 0. DCASE 2021's evaluator takes `…_section_<NN>_source_test.csv` and `…_target_test.csv`, which lie beside.
    - `result.csv` where figures are by id: each machine's name, `id,AUC,pAUC`, a line for each id, and `Average`.

    A data set of several signal-to-noise ratios gets a folder for each.
    """
    written: list[Path] = []
    ratios = list(dict.fromkeys(each.result.unit.snr_db for each in measured))
    for snr_db in ratios:
        inside = folder if snr_db is None else folder / f"{snr_db}_dB"
        chosen = [each for each in measured if each.result.unit.snr_db == snr_db]
        for each in chosen:
            for ending, clips in _by_file(each.result.scores, protocol):
                name = _file_name(each.result.unit, names) + ending
                scores = [(Path(clip.path).name, clip.score) for clip in clips]
                verdicts = [(path, int(score >= each.result.field_threshold)) for path, score in scores]
                written.append(_write_rows(inside / f"anomaly_score_{name}.csv", scores))
                written.append(_write_rows(inside / f"decision_result_{name}.csv", verdicts))
        if protocol.layout != "dcase2021":
            written.append(_write_rows(inside / "result.csv", _result_rows(chosen)))
    return written


def _by_file(scores: Sequence[ClipScore], protocol: Protocol) -> Iterator[tuple[str, Sequence[ClipScore]]]:
    """Give the ending of each file's name, and the test recordings in it."""
    if protocol.layout != "dcase2021":
        yield "", scores
        return
    yield "_test", scores
    if protocol.rule == "dcase2021":
        for domain in sorted({clip.domain for clip in scores if clip.domain}):
            yield f"_{domain}_test", [clip for clip in scores if clip.domain == domain]


def write_plots(output: Path, summary: Summary, names: Mapping[str, str]) -> list[Path]:
    """Write a box plot of AUC over units and seeds for each machine: a box for each recipe, a panel for each ratio."""
    labelled = [each for each in summary.measured if each.device]
    machines = list(dict.fromkeys(each.result.unit.machine for each in labelled))
    return [
        _write_boxes(
            output / f"boxes_{names[machine]}.png", machine, [e for e in labelled if e.result.unit.machine == machine]
        )
        for machine in machines
    ]


def _write_boxes(path: Path, machine: str, measured: Sequence[Measured]) -> Path:
    import matplotlib.figure  # noqa: PLC0415 - takes a second

    ratios = list(dict.fromkeys(each.result.unit.snr_db for each in measured))
    recipes = list(dict.fromkeys(each.result.recipe for each in measured))
    figure = matplotlib.figure.Figure(figsize=(1.5 + (1 + 0.6 * len(recipes)) * len(ratios), 4.5), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(ratios), sharey=True, squeeze=True))
    for panel, snr_db in zip(panels, ratios, strict=True):
        values = [
            [auc for e in measured if (e.result.recipe, e.result.unit.snr_db) == (recipe, snr_db) for auc in _aucs(e)]
            for recipe in recipes
        ]
        panel.boxplot(values, tick_labels=recipes)
        panel.tick_params(axis="x", labelrotation=90)
        panel.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
        panel.set_title(machine if snr_db is None else f"{machine}, {snr_db} dB")
        panel.set_ylim(-0.02, 1.02)
    panels[0].set_ylabel("AUC over units and seeds")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    return _write(path, content.getvalue())


def _aucs(measured: Measured) -> list[float]:
    return [value for name, value in measured.device.items() if name.startswith("AUC")]


def _file_name(unit: UnitName, names: Mapping[str, str]) -> str:
    return "_".join([names[unit.machine], *([unit.name] if unit.name else [])])


def _result_rows(measured: Sequence[Measured]) -> list[list[object]]:
    rows: list[list[object]] = []
    for machine in dict.fromkeys(each.result.unit.machine for each in measured):
        values = {
            each.result.unit.name.removeprefix("id_"): (each.device["AUC"], each.device["pAUC"])
            for each in measured
            if each.result.unit.machine == machine and each.device
        }
        if values:
            rows += [[machine], ["id", "AUC", "pAUC"], *([name, *pair] for name, pair in values.items())]
            rows += [["Average", *np.mean(list(values.values()), axis=0).tolist()], []]
    return rows


def _everything(outcome: Outcome, summary: Summary, files: Sequence[str]) -> bytes:
    request = outcome.request
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "version": __version__,
        "dataset": str(request.root),
        "protocol": request.protocol.name,
        "seeds": request.seeds,
        "test_recordings_per_class": request.per_class,
        "field_threshold": FIELD_RULE,
        "ranking": [
            {
                "recipe": t.recipe,
                **{figure: overall(t, figure) for figure in summary.ranked_by},
                "GMAC/s": t.gmac_per_s,
                "bundle_bytes": t.bundle_bytes,
            }
            for t in summary.tables
        ],
        "tables": [
            {**msgspec.to_builtins(table), "costs": [cost._asdict() for cost in table.costs]}
            for table in summary.tables
        ],
        "left_out": [item._asdict() for item in [*outcome.left_out, *summary.left_out]],
        "notes": [*outcome.notes, *summary.notes],
        "results": [_result(each) for each in summary.measured],
        "recipes": request.recipes,
        "files": files,
    }
    return to_json(content, indent=1)


def _result(measured: Measured) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(measured.result),
        "unit": measured.result.unit._asdict(),
        "costs": [cost._asdict() for cost in measured.result.costs],
        "figures": measured.device,
        "reference_figures": measured.reference,
        "deviation": measured.deviation,
        "decisions": measured.decisions._asdict() if measured.decisions else None,
    }


def _write_rows(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return _write(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return path
