"""`edge-asd export`: normal recordings become a bundle."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edge_asd.errors import InputError
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.boards import board_names, find_board
from edge_asd_export.exporter import Exported, export
from edge_asd_export.progress import reporting
from edge_asd_export.quantization.gate import describe as describe_fidelity

EXAMPLE = """\
  edge-asd export recordings/normal -o pump.easd
  edge-asd export fan/id_00 --recipe default --set parts.level.enabled=false -o fan.easd
  edge-asd export fan/id_00 --recipe my-net.yaml --weights net.tflite -o fan.easd

RECORDINGS are normal sound: a plain folder, normal/ beside abnormal/, or a MIMII or DCASE folder. What is anomalous by
its name is never trained on; it only serves to say how well the two are told apart."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recordings", type=Path, nargs="+", help="recording, or folder of recordings")
    parser.add_argument("-o", "--output", type=Path, required=True, help="bundle to write, such as pump.easd")
    parser.add_argument("--recipe", default="default", help="shipped recipe or YAML file (default: default)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a recipe's setting")
    parser.add_argument(
        "--quantize",
        choices=["auto", "float32", "float16", "dynamic", "int8"],
        help="how nets are stored (default: as the recipe says, usually auto: chosen per net and board, with a reason)",
    )
    parser.add_argument("--board", choices=board_names(), help="board that the bundle is for")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="file of pretrained weights or TFLite file; NAME is a branch or the weights' own name",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random (default: 0)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    """Export, and say what came of it."""
    recipe = load_recipe(arguments.recipe, arguments.set)
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
            f"({quality.normal} normal, {quality.anomalous} anomalous)"
        )
    return "\n".join([*lines, *(f"note        {note}" for note in exported.notes)])
