"""Tables as the papers print them, in Markdown, which reads well in a terminal too."""

from __future__ import annotations

from collections.abc import Sequence

from edge_asd_export.evaluation.running import Outcome
from edge_asd_export.evaluation.summary import Cell, RecipeTable, Summary, overall

_MANY = 40
"""Lines of a list that are printed; the JSON file has all of them."""


def render(outcome: Outcome, summary: Summary) -> str:
    """Return the whole report: a table for each recipe, the ranking where there are several, what was left out."""
    parts = [_heading(outcome), *(_recipe_table(table, outcome) for table in summary.tables)]
    if len(summary.tables) > 1:
        parts.append("## Ranked by AUC\n\n" + ranking(summary))
    parts.append(_list("Notes", outcome.notes))
    parts.append(_list("Left out of all figures", [str(item) for item in [*outcome.left_out, *summary.left_out]]))
    return "\n\n".join(part for part in parts if part) + "\n"


def ranking(summary: Summary) -> str:
    """Return the recipes in the order of their AUC over all units."""
    lines = [
        [str(place), table.recipe, _percent(overall(table, "AUC")), _percent(overall(table, "pAUC")), _size(table)]
        for place, table in enumerate(summary.tables, 1)
    ]
    return markdown(["", "recipe", "AUC", "pAUC", "bundle"], lines)


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns stand below one another; all but the second are set to the right."""
    widths = [max(len(line[index]) for line in [header, *lines]) for index in range(len(header))]
    left = {1} if header[0] == "" else {0}

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (width - 1) if index in left else "-" * (width - 1) + ":" for index, width in enumerate(widths)]
    return "\n".join([line(header), line(rule), *map(line, lines)])


def _heading(outcome: Outcome) -> str:
    request = outcome.request
    seeds = "1 seed" if request.seeds == 1 else f"{request.seeds} seeds, mean ± standard deviation over them"
    return (
        f"# {request.protocol.name}: {request.root}\n\n{request.protocol.summary}; {seeds}. In percent: of the "
        "bundle as the device runs it; in brackets of the float reference."
    )


def _recipe_table(table: RecipeTable, outcome: Outcome) -> str:
    several = outcome.request.seeds > 1
    lines = [
        [f"*{row.label}*" if row.is_mean else row.label]
        + [_cell(row.cells[name], several=several) if name in row.cells else "—" for name in table.figures]
        for row in table.rows
    ]
    nets = sorted(
        {f"{name} {how}" for each in outcome.results if each.recipe == table.recipe for name, how in each.nets.items()}
    )
    facts = [
        f"bundle {_size(table)}",
        f"nets: {', '.join(nets)}" if nets else "no nets",
        f"scores differ from the reference by at most {table.deviation:.2g} of their range",
    ]
    return f"## {table.recipe}\n\n{markdown(['unit', *table.figures], lines)}\n\n{'; '.join(facts)}"


def _cell(cell: Cell, *, several: bool) -> str:
    spread = f" ± {100 * cell.std:.1f}" if several else ""
    return f"{_percent(cell.mean)}{spread} ({_percent(cell.reference)})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _size(table: RecipeTable) -> str:
    return (
        f"{table.bundle_bytes / 1024:.0f} KiB"
        if table.bundle_bytes < 1 << 20
        else f"{table.bundle_bytes / 2**20:.1f} MiB"
    )


def _list(heading: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    more = [f"and {len(items) - _MANY} more, all in results.json"] if len(items) > _MANY else []
    return "\n".join([f"## {heading}\n", *(f"- {item}" for item in [*items[:_MANY], *more])])
