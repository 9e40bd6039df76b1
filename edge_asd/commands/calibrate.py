"""`edge-asd calibrate`: re-thresholds a bundle on site, on normal sound as it is heard there."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from edge_asd import golden
from edge_asd.audio import spare_recording
from edge_asd.bundle import read_bundle
from edge_asd.calibration.site import SiteReport, calibrate_on_site, choose_normal, listen
from edge_asd.errors import InputError, one_line
from edge_asd.files import require_writable
from edge_asd.interpreter import Engine
from edge_asd.text import to_json

EXAMPLE = """\
  edge-asd calibrate pump.easd normal/ -o pump-hall-7.easd
  edge-asd calibrate pump.easd monday/ tuesday/ -o here.easd --adapt --false-alarms-per-week 1

All recordings must be of the machine in good order: an hour makes a threshold, a working day an exact one. What is
anomalous by its name or folder (abnormal/, anomaly_001.wav) is left out, and named; so are stretches that are silent,
interrupted or clipped flat.
With --adapt the scaler and the means of Gaussian detectors move to what is heard here: after a change of the
microphone, its gain or its place. Nothing is trained, and the bundle given stays as it is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", type=Path, help="bundle to calibrate")
    parser.add_argument(
        "recordings", type=Path, nargs="+", metavar="NORMAL", help="normal recording, or folder of such"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="B2", help="bundle to write")
    parser.add_argument("--adapt", action="store_true", help="move scaler and means to what is heard here")
    parser.add_argument(
        "--false-alarms-per-week",
        type=_rate,
        metavar="N",
        help="threshold by this (default: the recipe's rule)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="output (default: text)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each interpreter (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Write the new bundle, and say what has changed."""
    bundle = read_bundle(arguments.bundle)
    _spare_bundle(arguments.bundle, arguments.output)
    require_writable(arguments.output)
    spare_recording(arguments.output)
    engine = Engine(arguments.threads)
    golden.require(bundle, engine=engine)
    paths, left_out = choose_normal(arguments.recordings)
    heard = listen(bundle, paths, engine=engine)
    report = calibrate_on_site(
        bundle, heard, arguments.output, adapting=arguments.adapt, per_week=arguments.false_alarms_per_week
    )
    report = msgspec.structs.replace(report, left_out=left_out)
    if arguments.format == "json":
        print(to_json(report, indent=2).decode())
    else:
        _print(report, arguments.output)
    return 0


def _spare_bundle(bundle: Path, output: Path) -> None:
    # What was calibrated once on bad recordings can be calibrated anew only from what it was before.
    if output.exists() and output.samefile(bundle):
        raise InputError(
            str(output),
            expected="another file than the bundle given, which stays as it is",
            found="the same",
            remedy="choose another path for -o",
        )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate < float("inf"):
        raise InputError("--false-alarms-per-week", expected="a number above 0", found=repr(text))
    return rate


def _print(report: SiteReport, output: Path) -> None:
    print(f"{'':12}{'before':>12}{'after':>12}")
    rows = [
        ("threshold", "{:.4g}", "threshold"),
        ("normal score", "{:.3g}", "centre"),
        ("alarms/week", "{:.3g}", "alarms_per_week"),
        ("reaching", "{}", "reaching"),
    ]
    for title, form, name in rows:
        cells = [form.format(getattr(standing, name)) for standing in (report.before, report.after)]
        print(f"{title:12}{cells[0]:>12}{cells[1]:>12}")
    print(f"heard       {report.recordings} recordings, {report.decisions} decisions")
    print(f"threshold   by {report.rule}")
    print(f"adapted     {', '.join(report.adapted) or 'nothing'}")
    for item in report.left_out:
        print(one_line(f"left out    {item.path}: {item.reason}"))
    for path in report.suspicious:
        print(one_line(f"listen to   {path}: {report.reasons[path]}; leave it out if it is not normal"))
    for note in report.notes:
        print(one_line(f"note        {note}"))
    print(f"written     {output}  {report.bundle[:12]}")
