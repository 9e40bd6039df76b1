"""Tables as the papers print them, in Markdown, which reads well in a terminal too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edge_asd.errors import one_line
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.models import RANDOM, Net
from edge_asd_export.boards import Board
from edge_asd_export.cost import judge_load
from edge_asd_export.evaluation.running import Outcome
from edge_asd_export.evaluation.summary import Cell, RecipeTable, Summary, overall

MANY = 40
"""Lines of a list that are printed; the JSON file has all of them."""


def render(outcome: Outcome, summary: Summary) -> str:
    """Return the whole report: a table for each recipe, the ranking where there are several, what was left out."""
    parts = [_heading(outcome), *(_recipe_table(table, outcome) for table in summary.tables)]
    if len(summary.tables) > 1:
        parts.append(f"## Ranked by {summary.ranked_by[0]}\n\n{ranking(outcome, summary)}")
    parts.append(_list("Notes", [*outcome.notes, *summary.notes]))
    parts.append(_list("Left out of all figures", [str(item) for item in [*outcome.left_out, *summary.left_out]]))
    return "\n\n".join(part for part in parts if part) + "\n"


def ranking(outcome: Outcome, summary: Summary) -> str:
    """Return the recipes in their order with figures over all units, cost, and whether the board carries them."""
    board = outcome.request.board
    header = ["", "recipe", *summary.ranked_by, "GMAC/s", "bundle", *([board.title] if board else [])]
    lines = [
        [
            str(place),
            table.recipe + (" (random weights)" if untrained_branches(_recipe_of(table, outcome)) else ""),
            *(_percent(overall(table, figure)) for figure in summary.ranked_by),
            f"{table.gmac_per_s:.3g}",
            _size(table),
            *([_verdict(table, board)] if board else []),
        ]
        for place, table in enumerate(summary.tables, 1)
    ]
    return markdown(header, lines)


def _verdict(table: RecipeTable, board: Board) -> str:
    carries, _ = judge_load(board, table.costs)
    load = sum(board.load(cost.quantization, cost.gmac_per_s) for cost in table.costs)
    return f"{'real time' if carries else 'too slow'} (load {load:.2g})"


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns stand below one another; all but the second are set to the right."""
    header, lines = _cells(header), [_cells(line) for line in lines]
    widths = [max(2, *(len(line[index]) for line in [header, *lines])) for index in range(len(header))]
    left = {1} if header[0] == "" else {0}

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (width - 1) if index in left else "-" * (width - 1) + ":" for index, width in enumerate(widths)]
    return "\n".join([line(header), line(rule), *map(line, lines)])


def _cells(line: Sequence[str]) -> list[str]:
    # Names of folders stand in them.
    return [one_line(cell).replace("|", "\\|") for cell in line]


def _heading(outcome: Outcome) -> str:
    request = outcome.request
    spread = "" if request.seeds == 1 else ", mean ± standard deviation over them"
    return (
        f"# {request.protocol.name}: {one_line(str(request.root))}\n\n"
        f"{request.protocol.summary}; {_seeds(outcome)}{spread}. In percent: of the bundle as the device runs it; in "
        "brackets of the float reference."
    )


def _seeds(outcome: Outcome) -> str:
    """Say how many seeds there are, and how many of them every unit of a recipe has where some failed."""
    wanted = outcome.request.seeds
    had = Counter((result.recipe, result.unit) for result in outcome.results)
    fewest, most = min(had.values(), default=0), max(had.values(), default=0)
    asked = "1 seed" if wanted == 1 else f"{wanted} seeds"
    if fewest == wanted:
        return asked
    return f"{fewest} of {asked}" if fewest == most else f"{fewest} to {most} of {asked}, by unit and recipe"


def _recipe_table(table: RecipeTable, outcome: Outcome) -> str:
    several = outcome.request.seeds > 1
    lines = [
        [f"*{row.label}*" if row.is_mean else row.label]
        + [_cell(row.cells[name], several=several) if name in row.cells else "—" for name in table.figures]
        for row in table.rows
    ]
    nets = [f"{cost.branch} {cost.quantization}" for cost in table.costs]
    recipe = _recipe_of(table, outcome)
    facts = [
        f"bundle {_size(table)}",
        f"nets: {', '.join(nets)}" if nets else "no nets",
        f"scores differ from the reference by at most {table.deviation:.2g} of their range",
        *(f"RANDOM WEIGHTS in {name}: no figure here says anything" for name in untrained_branches(recipe)),
    ]
    return f"## {table.recipe}\n\n{markdown(['unit', *table.figures], lines)}\n\n{'; '.join(facts)}"


def untrained_branches(recipe: Recipe) -> list[str]:
    """Return the branches whose net has random weights."""
    return [
        name
        for name, branch in recipe.pretrained_branches.items()
        if isinstance(branch.model, Net) and branch.model.weights == RANDOM
    ]


def _recipe_of(table: RecipeTable, outcome: Outcome) -> Recipe:
    return next(recipe for recipe in outcome.request.recipes if recipe.name == table.recipe)


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
    more = [f"and {len(items) - MANY} more, all in results.json"] if len(items) > MANY else []
    return "\n".join([f"## {heading}\n", *(f"- {one_line(item)}" for item in [*items[:MANY], *more])])
