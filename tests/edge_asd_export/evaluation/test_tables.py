"""What tables say of how much they rest on, whatever names folders bear."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.evaluation.datasets import UnitName
from edge_asd_export.evaluation.jobs import ClipScore, UnitResult
from edge_asd_export.evaluation.protocols import PROTOCOLS
from edge_asd_export.evaluation.running import Outcome, Request
from edge_asd_export.evaluation.summary import summarize
from edge_asd_export.evaluation.tables import markdown, render

SCORES = [ClipScore("a.wav", "normal", None, 0.1, 0.1), ClipScore("b.wav", "anomalous", None, 0.9, 0.9)]


def heading(seeds_of: dict[str, list[int]], wanted: int) -> str:
    """Return the second paragraph of a report on results of these seeds, by unit."""
    recipe, protocol = load_recipe("default"), PROTOCOLS["folders"]
    results = [
        UnitResult(UnitName(unit, None, ""), recipe.name, seed, 4, SCORES)
        for unit, seeds in seeds_of.items()
        for seed in seeds
    ]
    request = Request(Path("hall"), [recipe], protocol, wanted, None, {}, None, Path("out"), 1, None)
    outcome = Outcome(request, results, [], [], 0)
    return render(outcome, summarize(results, protocol)).split("\n\n")[1]


@pytest.mark.parametrize(
    ("seeds_of", "wanted", "said"),
    [
        ({"press": [0], "lathe": [0]}, 1, "; 1 seed. In"),
        ({"press": [0, 1, 2]}, 3, "; 3 seeds, mean ± standard deviation over them. In"),
        ({"press": [0, 2]}, 3, "; 2 of 3 seeds, mean ±"),
        ({"press": [1], "lathe": [0, 1, 2]}, 3, "; 1 to 3 of 3 seeds, by unit and recipe, mean ±"),
    ],
)
def test_the_heading_counts_the_seeds_that_there_are(seeds_of: dict[str, list[int]], wanted: int, said: str) -> None:
    assert said in heading(seeds_of, wanted)


def test_a_name_neither_breaks_a_row_nor_reaches_the_terminal_as_a_command() -> None:
    rows = markdown(["unit", "AUC"], [["pump\n3", "1.0"], ["a|b \x1b[31m", "0.5"]]).splitlines()
    assert rows[2:] == ["| pump\\n3       | 1.0 |", "| a\\|b \\x1b[31m | 0.5 |"]
