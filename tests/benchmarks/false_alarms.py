"""Counts false alarms on hours of unseen normal sound, by `python -m tests.benchmarks.false_alarms`.

For each simulated machine the default recipe is exported from an hour of recordings; then a bundle is calibrated with
some more hours, as `edge-asd calibrate` does on site. Both judge the same long stretch of the machine's life. Every row
of the table asks for a rate, and shows the threshold, the alarms counted with the daemon's own hysteresis, and the rate
of alarms there: what was counted where that is ten or more, else what the tail of that very stretch says (an alarm a
week is hardly ever met in a day). The last column is that rate over what was asked.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge_asd.bundle import Bundle, read_bundle
from edge_asd.calibration.alarms import SECONDS_PER_WEEK, HeldOut, alarm_peaks, alarm_rate, read_alarm_rate
from edge_asd.calibration.calibrate import PartScores, join_all
from edge_asd.calibration.site import calibrate_on_site, listen
from edge_asd.firmware import Decision
from edge_asd.pipeline import Joiner, Judge, Rows
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.exporter import export
from edge_asd_export.progress import Reporter, reporting
from edge_asd_export.simulation import Machine, MachineKind, stream, write_recordings

KINDS: tuple[MachineKind, ...] = ("rotating", "sliding", "pumping")
ASKED = {"1 an hour": 168.0, "1 a day": 7.0, "1 a week": 1.0}
SNR_DB = 6.0
RECORDING_S = 60.0
LONG_RECORDING_S = 1800.0
_TRAINED, _CALIBRATED, _WATCHED = 1, 2, 777
_ENOUGH = 10


def main() -> None:
    """Count, and print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0, help="hours of normal sound to judge (default: 24)")
    parser.add_argument("--minutes", type=int, default=60, help="minutes of recordings to export from (default: 60)")
    parser.add_argument("--on-site", type=float, default=4.0, help="hours to calibrate with; 0 for none (default: 4)")
    parser.add_argument("--kinds", nargs="+", default=KINDS, help="kinds of machine")
    parser.add_argument("--unit", type=int, default=3, help="which machine of each kind (default: 3)")
    parser.add_argument("--recipe", default="default", help="recipe (default: default)")
    options = parser.parse_args()
    print("| machine | calibrated with | asked | threshold | counted | expected | alarms a week | over asked |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with reporting() as reporter, tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds:
            bundles = make_bundles(Machine(kind, options.unit), Path(folder) / kind, options, reporter)
            for row in rows(Machine(kind, options.unit), bundles, options.hours, reporter):
                print(row, flush=True)


def make_bundles(machine: Machine, folder: Path, options: argparse.Namespace, reporter: Reporter) -> dict[str, Bundle]:
    """Export a bundle, and calibrate it on site; by what they were calibrated with."""
    count = round(60 * options.minutes / RECORDING_S)
    folder.mkdir()
    write_recordings(folder, machine, count, RECORDING_S, seed=_TRAINED, snr_db=SNR_DB)
    exported = export([folder / "normal"], load_recipe(options.recipe), folder / "a.easd", reporter=reporter)
    bundles = {f"{options.minutes} min": exported.bundle}
    if options.on_site:
        site = folder / "site"
        count = round(3600 * options.on_site / LONG_RECORDING_S)
        paths = write_recordings(site, machine, count, LONG_RECORDING_S, seed=_CALIBRATED, snr_db=SNR_DB)
        heard = listen(exported.bundle, reporter.track(paths, "hearing the site"))
        calibrate_on_site(exported.bundle, heard, folder / "b.easd", adapting=False)
        bundles[f"{options.on_site:g} h on site"] = read_bundle(folder / "b.easd")
    return bundles


def rows(machine: Machine, bundles: Mapping[str, Bundle], hours: float, reporter: Reporter) -> Iterator[str]:
    """Judge hours of normal sound with each bundle, and give the rows of the table."""
    scores = watch(next(iter(bundles.values())), machine, hours, reporter)
    for name, bundle in bundles.items():
        joiner = Joiner(bundle.recipe, bundle.arrays, where=bundle.where)
        joint = np.array(list(join_all(joiner, scores)))
        watched = HeldOut(joint, np.array([len(joint)]))
        expecting = read_alarm_rate(bundle, Decision())
        for asked, per_week in ASKED.items():
            threshold = expecting.threshold(per_week)
            met = meet(bundle, watched, threshold)
            yield (
                f"| {machine.kind} {machine.unit} | {name} | {asked} | {threshold:.2f} | {met.counted} "
                f"| {per_week / SECONDS_PER_WEEK * watched.seconds(bundle.recipe):.2g} | {met.per_week:.3g} "
                f"| {met.per_week / per_week:.2f} |"
            )


class Met(NamedTuple):
    """Alarms of normal sound."""

    counted: int
    """So many there were, with the daemon's own hysteresis."""
    per_week: float
    """Alarms a week: as counted where that is ten or more, else as the sound's own tail has it."""


def meet(bundle: Bundle, watched: HeldOut, threshold: float) -> Met:
    """Return the alarms that a bundle raises on normal sound that it has not seen."""
    decision, centre = Decision(), bundle.manifest.calibration.centre
    counted = len(alarm_peaks(watched, threshold, decision, centre, bundle.recipe.horizon.hop_seconds))
    if counted >= _ENOUGH:
        return Met(counted, counted / watched.seconds(bundle.recipe) * SECONDS_PER_WEEK)
    return Met(counted, alarm_rate(watched, bundle.recipe, decision, centre).per_week(threshold))


def watch(bundle: Bundle, machine: Machine, hours: float, reporter: Reporter) -> PartScores:
    """Return each part's own score of every decision over hours of normal sound."""
    rows_of = Rows(bundle.recipe, bundle.networks, where=bundle.where)
    judge = Judge(bundle.recipe, bundle.arrays, where=bundle.where)
    seconds = round(hours * 3600)
    sound = stream(machine, seconds, seed=_WATCHED, snr_db=SNR_DB, block=machine.sample_rate)
    found = [
        judge.part_scores(judge.features(values))
        for block in reporter.track(sound, f"{machine.kind}: {hours:g} h", total=seconds)
        for _, values in rows_of.process(block)
    ]
    return {part: np.array([scores[part] for scores in found]) for part in found[0]}


if __name__ == "__main__":
    main()
