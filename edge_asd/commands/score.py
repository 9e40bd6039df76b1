"""`edge-asd score`: judges recordings with a bundle."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from edge_asd.audio import find_recordings
from edge_asd.bundle import read_bundle
from edge_asd.errors import InputError
from edge_asd.interpreter import Engine
from edge_asd.scoring import RecordingScore, Scorer
from edge_asd.text import to_json

EXAMPLE = """\
  edge-asd score pump.easd recordings/*.wav
  edge-asd score pump.easd recordings/ --format csv > scores.csv

A recording longer than the bundle's horizon is judged by its worst horizon, as the daemon would."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", type=Path, help="bundle to judge with")
    parser.add_argument("recordings", type=Path, nargs="+", metavar="WAV", help="recording, or folder of recordings")
    parser.add_argument("--format", choices=_WRITERS, default="text", help="form of the output (default: text)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each interpreter (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Write a line for each recording; 2 where one could not be judged."""
    scorer = Scorer(read_bundle(arguments.bundle), engine=Engine(arguments.threads))
    faults: list[InputError] = []
    _WRITERS[arguments.format](_scores(scorer, arguments.recordings, faults))
    return 2 if faults else 0


def _scores(scorer: Scorer, given: Iterable[Path], faults: list[InputError]) -> Iterable[RecordingScore]:
    # One bad recording among many is named, and the others are judged all the same.
    for path in given:
        try:
            for recording in find_recordings(path):
                try:
                    yield scorer.score(recording)
                except InputError as error:
                    _complain(error, faults)
        except InputError as error:
            _complain(error, faults)


def _complain(error: InputError, faults: list[InputError]) -> None:
    faults.append(error)
    print(f"edge-asd: {error}", file=sys.stderr)


def _write_text(scores: Iterable[RecordingScore]) -> None:
    for score in scores:
        print(f"{score.verdict:<8} {score.score:10.4g}  threshold {score.threshold:.4g}  {score.path}", flush=True)


def _write_json(scores: Iterable[RecordingScore]) -> None:
    print(to_json(list(scores), indent=2).decode())


def _write_csv(scores: Iterable[RecordingScore]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    header = ["path", "score", "threshold", "verdict", "horizons", "worst_second"]
    for index, score in enumerate(scores):
        if index == 0:
            writer.writerow([*header, *score.parts, "probability", "severity"])
        row = [
            score.path,
            f"{score.score:.9g}",
            f"{score.threshold:.9g}",
            score.verdict,
            score.horizons,
            f"{score.worst_second:g}",
        ]
        writer.writerow(
            [*row, *(f"{value:.6g}" for value in (*score.parts.values(), score.probability, score.severity))]
        )
        sys.stdout.flush()


_WRITERS: dict[str, Callable[[Iterable[RecordingScore]], None]] = {
    "text": _write_text,
    "json": _write_json,
    "csv": _write_csv,
}
