"""How well the default recipe hears faults, as tables in Markdown: `python -m tests.benchmarks.default_recipe`.

Simulated machines of all four kinds, machine and factory noise equally loud: AUC of ten-second recordings with a fault
against normal ones. A steady fault has the power of the machine itself; a growing one rises from nothing to that within
the ten seconds; a burst lasts 60 ms and comes four times; the machine alone becomes 6 dB louder or quieter. Where the
microphone's gain changes, recordings to judge, normal or not, are by turns louder and quieter. The last two columns are
plain statistics of 16 bands under a Mahalanobis distance, from the same recordings.

Real machines, where EDGE_ASD_TEST_DATA names a folder of recordings: a fan of MIMII, fitted to ten normal recordings,
and a slide rail of DCASE 2020.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import compress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from edge_asd.audio import find_recordings
from edge_asd_export.progress import reporting
from edge_asd_export.simulation import Machine, MachineKind
from tests.benchmarks.recipe_trials import (
    MANY,
    SNR_DB,
    Course,
    Real,
    Result,
    Size,
    courses,
    setups,
    try_real,
    try_simulated,
)

KINDS: tuple[MachineKind, ...] = ("rotating", "pumping", "sliding", "clicking")
FULL = Size(normal=40, abnormal=12, watch_s=900.0)
QUICK = Size(normal=20, abnormal=6, watch_s=120.0)

Rows = Iterable[Sequence[str]]
Trials = dict[Machine, list[Result]]


def main() -> None:
    """Run all trials, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one machine of each kind, fewer recordings")
    parser.add_argument("--units", type=int, default=3, help="machines of each kind (default: 3)")
    parser.add_argument("--first-unit", type=int, default=0, help="number of the first of them (default: 0)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="kinds of machine (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    options = parser.parse_args()
    units = range(options.first_unit, options.first_unit + (1 if options.quick else options.units))
    machines = [Machine(kind, unit) for kind in options.kinds for unit in units]
    size, real = (QUICK if options.quick else FULL), real_machines()
    with (
        reporting() as reporter,
        reporter.bar("machines", len(machines) + len(real)) as advance,
        ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool,
    ):
        trials = {machine: pool.submit(try_simulated, machine, size) for machine in machines}
        rows = [pool.submit(real_row, machine) for machine in real]
        tasks: list[Future[Any]] = [*trials.values(), *rows]
        for task in tasks:
            task.add_done_callback(lambda _: advance())
    print(simulated_tables({machine: trial.result() for machine, trial in trials.items()}, size))
    if rows:
        print(real_table(row.result() for row in rows))


def real_machines() -> list[Real]:
    """Return the real machines that are at hand."""
    data = Path(os.environ.get("EDGE_ASD_TEST_DATA", "missing"))
    fan, slider = data / "mimii" / "fan" / "id_00", data / "dcase2020" / "slider"
    found = []
    if fan.is_dir():
        normal, abnormal = find_recordings(fan / "normal"), find_recordings(fan / "abnormal")
        found.append(Real("fan, first ten", normal[:10], normal[10:], abnormal))
        found.append(Real("fan, last ten", normal[-10:], normal[:-10], abnormal))
    if slider.is_dir():
        test = find_recordings(slider / "test")
        normal, abnormal = ([path for path in test if path.name.startswith(label)] for label in ("normal", "anomaly"))
        found.append(Real("slide rail", find_recordings(slider / "train"), normal, abnormal))
    return found


def real_row(machine: Real) -> tuple[str, ...]:
    """Return a real machine's row of the table."""
    counts = (machine.training, machine.normal, machine.abnormal)
    aucs = [try_real(machine, setup) for setup in setups() if setup.clips == MANY]
    return (machine.name, *(str(len(paths)) for paths in counts), *(f"{auc:.2f}" for auc in aucs))


def real_table(rows: Rows) -> str:
    """Return the table of real machines."""
    names = [setup.name for setup in setups() if setup.clips == MANY]
    head = ("machine", "trained on", "normal", "abnormal", *names)
    return f"\n### Real machines\n\nAUC.\n\n{_table(head, rows)}"


def simulated_tables(trials: Trials, size: Size) -> str:
    """Return the tables of simulated machines."""
    names = [f"{setup.name}, {setup.clips} clips" for setup in setups()]
    return "\n".join(
        (
            f"### Simulated machines, {SNR_DB:g} dB SNR\n",
            "AUC: mean over the machines of a kind (lowest). Of each machine there are",
            f"{size.normal} normal recordings and {size.abnormal} of each fault.\n",
            _table(("machine", "what is wrong", *names), _auc_rows(trials, lambda kind, course: (kind, str(course)))),
            "",
            _table(("what is wrong, all machines", *names), _auc_rows(trials, lambda _, course: (course.name,))),
            "\n### False alarms\n",
            f"Normal horizons that reach the threshold, in {size.watch_s / 60:g} minutes of each machine.\n",
            _table(("machine", *names[: sum(_is_default())]), _false_alarm_rows(trials)),
        )
    )


def _auc_rows(trials: Trials, label: Callable[[MachineKind, Course], tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Give a row for each label, with a cell for each setup."""
    found: dict[tuple[str, ...], list[list[float]]] = defaultdict(list)
    for machine, results in trials.items():
        for course in courses(machine.kind):
            found[label(machine.kind, course)].append([result.auc[course] for result in results])
    for labels, aucs in found.items():
        means, lowest = np.mean(aucs, axis=0), np.min(aucs, axis=0)
        yield (*labels, *(f"{mean:.2f} ({least:.2f})" for mean, least in zip(means, lowest, strict=True)))


def _false_alarm_rows(trials: Trials) -> Iterator[tuple[str, ...]]:
    for kind in dict.fromkeys(machine.kind for machine in trials):
        of_kind = [results for machine, results in trials.items() if machine.kind == kind]
        by_setup = compress(zip(*of_kind, strict=True), _is_default())
        yield (kind, *(_share(results) for results in by_setup))


def _is_default() -> list[bool]:
    # The others' thresholds promise something else.
    return [setup.is_default for setup in setups()]


def _share(results: Sequence[Result]) -> str:
    return f"{sum(result.false for result in results) / sum(result.horizons for result in results):.2%}"


def _table(head: Sequence[str], rows: Rows) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    main()
