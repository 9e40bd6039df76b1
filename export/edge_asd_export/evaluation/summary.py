"""Results of units → the rows of a table: units, means over units, mean ± standard deviation over seeds, a ranking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from edge_asd_export.cost import Cost
from edge_asd_export.evaluation.datasets import LeftOut, UnitName, by_machine
from edge_asd_export.evaluation.jobs import ClipScore, UnitResult
from edge_asd_export.evaluation.judging import deviation
from edge_asd_export.evaluation.metrics import Decisions, Judged, arithmetic_mean, decisions, figures, harmonic_mean
from edge_asd_export.evaluation.protocols import Protocol
from edge_asd_export.fitting.requirements import listed

ALL = "h-mean"
"""The figure that takes all others of a row together, where the protocol has one for each domain."""


class Measured(NamedTuple):
    """The figures of one result."""

    result: UnitResult
    device: dict[str, float]
    """By the bundle, each from 0 to 1."""
    reference: dict[str, float]
    """By the float reference."""
    deviation: float
    """Largest difference of the two scores of a recording, relative to the range of the reference's."""
    decisions: Decisions | None
    """At the field's threshold; None where labels are withheld."""


class Cell(msgspec.Struct, frozen=True):
    """A figure over all seeds, from 0 to 1."""

    mean: float
    std: float
    """Standard deviation over the seeds (of the population)."""
    reference: float
    """Mean of the float reference."""


class Row(msgspec.Struct, frozen=True):
    """A line of the table."""

    label: str
    """Unit, or group of units and how they are averaged."""
    cells: dict[str, Cell]
    """By figure."""
    units: int
    """How many units it is taken over."""
    is_mean: bool


class RecipeTable(msgspec.Struct, frozen=True):
    """The table of one recipe."""

    recipe: str
    figures: list[str]
    """Names of the columns."""
    rows: list[Row]
    deviation: float
    """Largest of any result."""
    bundle_bytes: int
    """Size of the largest bundle."""
    costs: list[Cost]
    """What the nets of a bundle cost while it listens; none where it has none."""

    @property
    def gmac_per_s(self) -> float:
        """Multiply-accumulates of all nets per second of sound, in billions."""
        return sum(cost.gmac_per_s for cost in self.costs)

    @property
    def total(self) -> Row:
        """The row over all units."""
        return self.rows[-1]


class Summary(NamedTuple):
    """Everything that a report says."""

    measured: list[Measured]
    tables: list[RecipeTable]
    """One for each recipe with a labelled result, the best first."""
    ranked_by: list[str]
    """The figures over all units that a ranking shows: the one that it goes by, and others."""
    left_out: list[LeftOut]
    notes: list[str]
    """What has scores, but no figures."""


def summarize(results: Sequence[UnitResult], protocol: Protocol) -> Summary:
    """Take the figures of every result, and average them as the protocol does."""
    measured: list[Measured] = []
    left_out: list[LeftOut] = []
    for result in results:
        found, missing = _measure(result, protocol)
        measured.append(found)
        left_out += [LeftOut(f"{result.unit}, {result.recipe}, seed {result.seed}", reason) for reason in missing]
    names = list(dict.fromkeys(result.recipe for result in results))
    by_recipe = [[each for each in measured if each.result.recipe == name and each.device] for name in names]
    tables = [_table(name, group, protocol) for name, group in zip(names, by_recipe, strict=True) if group]
    # Where a protocol takes all figures together, that is its official score.
    ranked_by = ["AUC", "pAUC"] if protocol.rule == "plain" else [ALL, "AUC", "pAUC"]
    return Summary(
        measured,
        sorted(tables, key=lambda table: -overall(table, ranked_by[0])),
        ranked_by,
        left_out,
        _withheld(measured),
    )


def _withheld(measured: Sequence[Measured]) -> list[str]:
    units = list(dict.fromkeys(str(each.result.unit) for each in measured if each.decisions is None))
    return [f"scores alone are written, for labels are held back: {listed(units)}"] if units else []


def overall(table: RecipeTable, figure: str) -> float:
    """Return the mean of all figures over all units whose name begins with this word, such as `AUC` or `pAUC`."""
    return arithmetic_mean([cell.mean for name, cell in table.total.cells.items() if name.split()[0] == figure])


def _measure(result: UnitResult, protocol: Protocol) -> tuple[Measured, list[str]]:
    device, reference = _judged(result.scores, "score"), _judged(result.scores, "reference")
    pair = np.array([[each.score, each.reference] for each in result.scores]).reshape(-1, 2)
    apart = deviation(pair[:, 0], pair[:, 1])
    if not device:
        return Measured(result, {}, {}, apart, None), []
    found = figures(device, protocol.rule)
    verdicts = decisions(device, result.field_threshold)
    return Measured(result, found.values, figures(reference, protocol.rule).values, apart, verdicts), found.missing


def _judged(scores: Iterable[ClipScore], which: str) -> list[Judged]:
    return [Judged(each.label, each.domain, getattr(each, which)) for each in scores if each.label is not None]


def _table(recipe: str, measured: Sequence[Measured], protocol: Protocol) -> RecipeTable:
    units = sorted({each.result.unit for each in measured}, key=lambda unit: unit.sort_key)
    rows: list[Row] = []
    for group in by_machine(units):
        rows += [_row(str(unit), [unit], measured, protocol) for unit in group]
        if len(group) > 1 and len(group) < len(units):
            machine = str(group[0]._replace(name=""))
            rows.append(_row(f"{machine}: {protocol.mean_name} of {len(group)}", group, measured, protocol))
    if len(units) > 1:
        rows.append(_row(f"all: {protocol.mean_name} of {len(units)}", units, measured, protocol))
    columns = list(dict.fromkeys(name for row in rows for name in row.cells))
    columns = [*(name for name in columns if name != ALL), *([ALL] if ALL in columns else [])]
    return RecipeTable(
        recipe,
        columns,
        rows,
        max(each.deviation for each in measured),
        max(each.result.bundle_bytes for each in measured),
        max((each.result.costs for each in measured), key=lambda costs: sum(cost.gmac_per_s for cost in costs)),
    )


def _row(label: str, units: Sequence[UnitName], measured: Sequence[Measured], protocol: Protocol) -> Row:
    members = [each for each in measured if each.result.unit in units]
    seeds = sorted({each.result.seed for each in members})
    by_seed = [[each for each in members if each.result.seed == seed] for seed in seeds]
    device = [_means([each.device for each in group], protocol) for group in by_seed]
    reference = [_means([each.reference for each in group], protocol) for group in by_seed]
    names = list(dict.fromkeys(name for means in device for name in means))
    cells = {name: _cell(_column(device, name), _column(reference, name)) for name in names}
    return Row(label, cells, len(units), is_mean=len(units) > 1)


def _means(figures_of_units: Sequence[dict[str, float]], protocol: Protocol) -> dict[str, float]:
    mean: Callable[[Sequence[float]], float] = protocol.mean
    names = list(dict.fromkeys(name for values in figures_of_units for name in values))
    means = {name: mean([values[name] for values in figures_of_units if name in values]) for name in names}
    if protocol.rule != "plain":
        means[ALL] = harmonic_mean([value for values in figures_of_units for value in values.values()])
    return means


def _column(means: Sequence[dict[str, float]], name: str) -> list[float]:
    return [values[name] for values in means if name in values]


def _cell(device: Sequence[float], reference: Sequence[float]) -> Cell:
    return Cell(arithmetic_mean(device), float(np.std(device)), arithmetic_mean(reference))
