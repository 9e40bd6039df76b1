"""`edge-asd export`: normal recordings become a bundle."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from edge_asd.errors import InputError
from edge_asd.recipe.models import QuantizationChoice
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.boards import board_names, find_board
from edge_asd_export.exporter import export
from edge_asd_export.progress import reporting
from edge_asd_export.report import describe, prepare_folder, write_report

EXAMPLE = """\
  edge-asd export recordings/normal -o pump.easd
  edge-asd export fan/id_00 --board raspberry-pi-4 --report report -o fan.easd
  edge-asd export fan/id_00 --recipe default --set parts.level.enabled=false -o fan.easd
  edge-asd export fan/id_00 --recipe my-net.yaml --weights net.tflite -o fan.easd

RECORDINGS are normal sound: a plain folder, normal/ beside abnormal/, or a MIMII or DCASE folder. What is anomalous by
its name or folder (abnormal/, anomaly_001.wav) is never trained on; it only serves to say how well the two are told
apart. Stretches that are silent, interrupted or clipped flat are left out, and named."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recordings", type=Path, nargs="+", help="recording, or folder of recordings")
    parser.add_argument("-o", "--output", type=Path, required=True, help="bundle to write, such as pump.easd")
    parser.add_argument("--recipe", default="default", help="shipped recipe or YAML file (default: default)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a recipe's setting")
    add_quantize(parser)
    parser.add_argument("--board", choices=board_names(), help="board that the bundle is for")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="file of pretrained weights or TFLite file; NAME is a branch or the weights' own name",
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="folder for report.txt, report.json and report.html")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random (default: 0)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def add_quantize(parser: argparse.ArgumentParser) -> None:
    """Declare how nets are stored, for every command that makes bundles."""
    parser.add_argument(
        "--quantize",
        choices=get_args(QuantizationChoice),
        help="how nets are stored (default: as the recipe says, usually auto: chosen per net and board, with a reason)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export, and say what came of it."""
    recipe = load_recipe(arguments.recipe, arguments.set)
    if arguments.report:
        prepare_folder(arguments.report)
    if arguments.quantize:
        recipe = recipe.quantized(arguments.quantize)
    with reporting(quiet=arguments.quiet) as reporter:
        exported = export(
            arguments.recordings,
            recipe,
            arguments.output,
            weights=given_weights(arguments.weights),
            board=find_board(arguments.board) if arguments.board else None,
            seed=arguments.seed,
            reporter=reporter,
        )
    print(describe(exported, arguments.output))
    if arguments.report:
        print(f"report      {write_report(arguments.report, exported, arguments.output)}")
    return 0


def given_weights(words: Sequence[str]) -> dict[str, Path]:
    """Return what `--weights` names: FILE for the only pretrained net, or NAME=FILE for each of several.

    Raises
    ------
    InputError
        When two files are given under one name.
    """
    given: dict[str, Path] = {}
    for word in words:
        name, equals, file = word.partition("=")
        named = bool(equals) and "/" not in name
        key, path = (name, file) if named else ("", word)
        if key in given:
            raise InputError("--weights", expected="one file for each name", found=f"{word!r} too")
        given[key] = Path(path)
    return given
