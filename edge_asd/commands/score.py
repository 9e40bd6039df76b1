"""`edge-asd score`: judges recordings with a bundle."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from edge_asd.audio import find_recordings
from edge_asd.bundle import read_bundle
from edge_asd.errors import InputError, one_line
from edge_asd.interpreter import Engine
from edge_asd.liveness import no_live_signal, said_of
from edge_asd.scoring import RecordingScore, Scorer, UnknownScore
from edge_asd.streams import complain
from edge_asd.text import to_json

Judged = RecordingScore | UnknownScore

EXAMPLE = """\
  edge-asd score pump.easd recordings/*.wav
  edge-asd score pump.easd recordings/ --format csv > scores.csv

A recording longer than the bundle's horizon is judged by its worst horizon, as the daemon would: a horizon in which the
signal is clipped flat, silent or interrupted does not count, and where no other is left the verdict is unknown.

exit status: 0 every recording was judged, 2 one could not be read, or is unknown"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", type=Path, help="bundle to judge with")
    parser.add_argument("recordings", type=Path, nargs="+", metavar="WAV", help="recording, or folder of recordings")
    parser.add_argument("--format", choices=_WRITERS, default="text", help="form of the output (default: text)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each interpreter (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Write a line for each recording; 2 where one could not be judged."""
    bundle = read_bundle(arguments.bundle)
    scorer = Scorer(bundle, engine=Engine(arguments.threads))
    faults: list[InputError] = []
    scores = _scores(scorer, arguments.recordings, bundle.recipe.horizon.seconds, faults)
    _WRITERS[arguments.format](scores, scorer.part_names)
    return 2 if faults else 0


def _scores(scorer: Scorer, given: Iterable[Path], horizon_s: float, faults: list[InputError]) -> Iterable[Judged]:
    # One bad recording among many is named, and the others are judged all the same.
    for path in given:
        try:
            for recording in find_recordings(path):
                try:
                    judged = scorer.judge(recording)
                    if isinstance(judged, UnknownScore):
                        _complain(no_live_signal(judged.path, judged.faults, horizon_s), faults)
                    yield judged
                except InputError as error:
                    _complain(error, faults)
        except InputError as error:
            _complain(error, faults)


def _complain(error: InputError, faults: list[InputError]) -> None:
    faults.append(error)
    complain(f"edge-asd: {error}")


def _write_text(scores: Iterable[Judged], parts: Sequence[str]) -> None:
    for score in scores:
        value = f"{'-':>10}" if isinstance(score, UnknownScore) else f"{score.score:10.4g}"
        said = f"{score.verdict:<8} {value}  threshold {score.threshold:.4g}  {score.path}{_remark(score)}"
        print(one_line(said), flush=True)


def _remark(score: Judged) -> str:
    if isinstance(score, UnknownScore):
        return f"  ({score.reason})"
    return f"  (left out where it is {said_of(score.faults)})" if score.faults else ""


def _write_json(scores: Iterable[Judged], parts: Sequence[str]) -> None:
    print(to_json(list(scores), indent=2).decode())


def _write_csv(scores: Iterable[Judged], parts: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    header = ["path", "score", "threshold", "verdict", "horizons", "worst_second"]
    writer.writerow([*header, *parts, "probability", "severity", "faults"])
    for score in scores:
        writer.writerow(
            [
                score.path,
                _number(score.score, ".9g"),
                _number(score.threshold, ".9g"),
                score.verdict,
                score.horizons,
                _number(score.worst_second, "g"),
                *(_number(score.parts.get(part), ".6g") for part in parts),
                _number(score.probability, ".6g"),
                _number(score.severity, ".6g"),
                " ".join(score.faults),
            ]
        )
        sys.stdout.flush()


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


_WRITERS: dict[str, Callable[[Iterable[Judged], Sequence[str]], None]] = {
    "text": _write_text,
    "json": _write_json,
    "csv": _write_csv,
}
