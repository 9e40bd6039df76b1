"""`edge-asd evaluate`: recipes on a data set, by the field's protocols."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_asd.errors import InputError
from edge_asd.recipe.shipped import load_recipe
from edge_asd.streams import complain
from edge_asd_export.boards import board_names, find_board
from edge_asd_export.commands.export import add_quantize, given_weights
from edge_asd_export.evaluation.files import write_all
from edge_asd_export.evaluation.protocols import PROTOCOLS
from edge_asd_export.evaluation.running import Request, evaluate
from edge_asd_export.evaluation.summary import summarize
from edge_asd_export.evaluation.tables import MANY, render
from edge_asd_export.progress import reporting

EXAMPLE = """\
  edge-asd evaluate mimii --recipe gwrp-gmm --protocol mimii-random --seeds 5 -o mimii-results
  edge-asd evaluate dev_data --recipe default --recipe gwrp-gmm --protocol dcase2020 -o results --jobs 4
  edge-asd evaluate my-machines --recipe default --recipe gwrp-gmm --protocol folders -o comparison

Every unit (machine, id or section, signal-to-noise ratio) gets a bundle of its own for each recipe and seed, and is
judged as the device judges. A run that was stopped goes on where it was when it is started again with the same -o.

exit status: 0 everything was evaluated, 1 something was left out (the table names it, or results.json where it is
much), 2 nothing could be evaluated"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    protocols = "; ".join(f"{name}: {protocol.summary}" for name, protocol in PROTOCOLS.items())
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="folder of a MIMII or DCASE data set, or of one's own"
    )
    add("--recipe", action="append", required=True, help="shipped recipe or YAML file; may be repeated")
    add("--protocol", choices=PROTOCOLS, required=True, help=protocols.replace("%", "%%"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting of every recipe"
    )
    add(
        "--weights", action="append", default=[], metavar="[NAME=]FILE", help="file of pretrained weights, as of export"
    )
    add(
        "--board",
        choices=board_names(),
        help="board that the bundles are for",
    )
    add_quantize(parser)
    add("--seeds", type=int, default=1, metavar="N", help="repeat with the seeds 0 … N-1 (default: 1)")
    parser.add_argument(
        "--test-clips",
        type=int,
        metavar="N",
        help="test recordings of either class, where the protocol draws them, as 150 in Müller et al. 2020 (default: "
        "as many as there are anomalies)",
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="units at a time; -1: one on each core (default: 1)"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a Dask cluster, such as tcp://host:8786")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder of all results")
    add("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the table, and say where the files are."""
    if arguments.seeds < 1 or arguments.jobs == 0 or (arguments.test_clips or 1) < 1:
        raise InputError("--seeds, --jobs, --test-clips", expected="at least 1", found="less")
    recipes = [load_recipe(name, arguments.set) for name in arguments.recipe]
    if arguments.quantize:
        recipes = [recipe.quantized(arguments.quantize) for recipe in recipes]
    request = Request(
        root=arguments.dataset,
        recipes=recipes,
        protocol=PROTOCOLS[arguments.protocol],
        seeds=arguments.seeds,
        per_class=arguments.test_clips,
        weights=given_weights(arguments.weights),
        board=find_board(arguments.board) if arguments.board else None,
        output=arguments.output,
        jobs=arguments.jobs,
        cluster=arguments.dask,
    )
    with reporting(quiet=arguments.quiet) as reporter:
        outcome = evaluate(request, reporter)
    summary = summarize(outcome.results, request.protocol)
    table = render(outcome, summary)
    written = write_all(outcome, summary, table)
    print(table, end="")
    again = f", {outcome.resumed} of {len(outcome.results)} results from before" if outcome.resumed else ""
    print(f"\n{len(written)} files in {arguments.output}{again}")
    left_out = len(outcome.left_out) + len(summary.left_out)
    if left_out:
        where = "the table" if left_out <= MANY else arguments.output / "results.json"
        complain(f"edge-asd: left out of all figures: {left_out}, each named in {where}")
    return 1 if left_out else 0
