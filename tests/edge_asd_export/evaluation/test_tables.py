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


def of_domains(source: list[float], target: list[float]) -> list[ClipScore]:
    """Return scores of normal recordings of both domains, and of two anomalous ones that score 1 and 2."""
    normal = [ClipScore("n.wav", "normal", "source", score, score) for score in source]
    normal += [ClipScore("n.wav", "normal", "target", score, score) for score in target]
    return [*normal, *(ClipScore("a.wav", "anomalous", "source", score, score) for score in (1.0, 2.0))]


@pytest.mark.parametrize(
    ("protocol", "figure", "first"), [("dcase2022+", "h-mean", "gwrp-gmm"), ("folders", "AUC", "default")]
)
def test_recipes_are_ranked_by_the_protocol_s_own_score(protocol: str, figure: str, first: str) -> None:
    # All right in the source domain and all wrong in the target domain, which no mean but the harmonic one minds.
    scores = {"default": of_domains([0.0], [3.0]), "gwrp-gmm": of_domains([1.5], [1.5, 2.5])}
    results = [UnitResult(UnitName("fan", None, ""), recipe, 0, 4, found) for recipe, found in scores.items()]
    recipes = [load_recipe(recipe) for recipe in scores]
    request = Request(Path("hall"), recipes, PROTOCOLS[protocol], 1, None, {}, None, Path("out"), 1, None)
    text = render(Outcome(request, results, [], [], 0), summarize(results, PROTOCOLS[protocol]))
    heading, _, header, _, best, *_ = text.split("## Ranked by ")[1].splitlines()
    assert heading == figure
    assert header.split("|")[3].strip() == figure
    assert best.split("|")[2].strip() == first


def test_a_name_neither_breaks_a_row_nor_reaches_the_terminal_as_a_command() -> None:
    rows = markdown(["unit", "AUC"], [["pump\n3", "1.0"], ["a|b \x1b[31m", "0.5"]]).splitlines()
    assert rows[2:] == ["| pump\\n3       | 1.0 |", "| a\\|b \\x1b[31m | 0.5 |"]
