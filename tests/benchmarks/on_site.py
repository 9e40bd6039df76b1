"""What `edge-asd calibrate` mends when a microphone is changed: `python -m tests.benchmarks.on_site`.

A bundle of the default recipe is exported from recordings with one microphone; then all is heard through another: 8
dB less gain, a colour that rises by 9 dB towards high frequencies, and a noise floor 15 dB below the machine. One
alarm an hour is asked for. The table says how many unseen normal horizons reach the threshold, how many alarms that
makes, counted and over what was asked for, and the AUC of recordings with faults against normal ones. Rows of each
machine: the old place; the new one with the bundle as it was, with new thresholds, and adapted as well. Simulated
machines, and real ones where EDGE_ASD_TEST_DATA names a folder of them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge_asd.audio import find_recordings, read_recording
from edge_asd.bundle import Bundle, read_bundle
from edge_asd.calibration.alarms import threshold_of
from edge_asd.calibration.site import Heard, calibrate_on_site, joint_scores, listen
from edge_asd.firmware import Decision
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.exporter import export
from edge_asd_export.progress import Reporter, reporting
from edge_asd_export.simulation import Machine, MachineKind, faults_of, write_recordings
from tests.benchmarks.false_alarms import meet

KINDS: tuple[MachineKind, ...] = ("rotating", "sliding", "pumping")
GAIN_DB, TILT_DB, FLOOR_DB = -8.0, 9.0, -15.0
PER_WEEK = 168.0


class Sounds(NamedTuple):
    """Recordings of one machine at one place."""

    export: list[Path]
    """Normal ones to export from."""
    site: list[Path]
    """Normal ones to calibrate with."""
    normal: list[Path]
    """Normal ones to judge."""
    abnormal: list[Path]
    """Anomalous ones to judge."""


def main() -> None:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60, help="minutes to export from (default: 60)")
    parser.add_argument("--on-site", type=int, default=240, help="minutes to calibrate with (default: 240)")
    parser.add_argument("--watched", type=int, default=180, help="minutes of normal sound to judge (default: 180)")
    parser.add_argument("--kinds", nargs="*", default=KINDS, help="kinds of simulated machine")
    parser.add_argument("--unit", type=int, default=3, help="which machine of each kind (default: 3)")
    options = parser.parse_args()
    print("| machine | heard with | threshold | reaching | alarms | over asked | AUC |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with reporting() as reporter, tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds:
            machine = Machine(kind, options.unit)
            sounds = simulated(machine, Path(folder) / kind, options.minutes, options.on_site, options.watched)
            report(f"{kind} {options.unit}", sounds, Path(folder) / kind, reporter)
        root = os.environ.get("EDGE_ASD_TEST_DATA")
        for name, sounds in real(Path(root)) if root else ():
            (Path(folder) / name).mkdir()
            report(name, sounds, Path(folder) / name, reporter)


def simulated(machine: Machine, folder: Path, *minutes: int) -> Sounds:
    """Simulate so many minutes to export from, to calibrate with and to judge, and ten seconds of each fault."""
    normal = {
        purpose: write_recordings(folder / purpose, machine, count, 60.0, seed=seed, snr_db=6.0)
        for seed, (purpose, count) in enumerate(zip(("export", "site", "judge"), minutes, strict=True), 1)
    }
    abnormal = [
        path
        for fault in faults_of(machine.kind)
        for path in write_recordings(folder / fault, machine, 6, 10.0, seed=4, snr_db=6.0, fault=fault, severity=0.6)
    ]
    return Sounds(normal["export"], normal["site"], normal["judge"], abnormal)


def real(root: Path) -> Iterator[tuple[str, Sounds]]:
    """Give the few real recordings that there are: the site is heard with what the export was made from."""
    fan = root / "mimii" / "fan" / "id_00"
    normal = find_recordings(fan / "normal")
    yield "fan (MIMII)", Sounds(normal[:9], normal[:9], normal[9:], find_recordings(fan / "abnormal"))
    slider = root / "dcase2020" / "slider"
    train, test = find_recordings(slider / "train"), find_recordings(slider / "test")
    odd = [path for path in test if "anomaly" in path.name]
    good = [path for path in test if path not in odd]
    yield "slider (DCASE 2020)", Sounds(train[:35], train[:35], [*train[35:], *good], odd)


def report(name: str, sounds: Sounds, folder: Path, reporter: Reporter) -> None:
    """Export, move to the new place, calibrate there, and print the rows."""
    old = export(sounds.export, load_recipe("default"), folder / "a.easd", reporter=reporter).bundle
    tell(name, "the old microphone", old, hear(old, sounds, reporter))
    moved = Sounds(*([through_another(path, folder) for path in group] for group in sounds))
    # What is calibrated comes after the rows that are heard here, which stay as they are.
    unseen = hear(old, moved, reporter)
    tell(name, "another, as it was", old, unseen)
    site = listen(old, reporter.track(moved.site, "hearing the site"))
    for adapting, said in ((False, "another, new threshold"), (True, "another, adapted")):
        output = folder / f"b-{adapting}.easd"
        calibrate_on_site(old, site, output, adapting=adapting, per_week=PER_WEEK)
        tell(name, said, read_bundle(output), unseen)


class Unseen(NamedTuple):
    """What no bundle has learnt from, as heard."""

    normal: Heard
    """Normal sound."""
    abnormal: Heard
    """Sound of faults."""


def hear(bundle: Bundle, sounds: Sounds, reporter: Reporter) -> Unseen:
    """Hear what is to be judged."""
    normal = listen(bundle, reporter.track(sounds.normal, "hearing what is normal"))
    return Unseen(normal, listen(bundle, sounds.abnormal))


def tell(name: str, said: str, bundle: Bundle, unseen: Unseen) -> None:
    """Judge what was not learnt from, and print a row."""
    normal, abnormal = (joint_scores(bundle, heard) for heard in unseen)
    threshold = threshold_of(bundle, Decision(false_alarms_per_week=PER_WEEK))
    met = meet(bundle, normal, threshold)
    # Each recording of normal sound gives as many of ten seconds as it holds.
    step = round(bundle.recipe.horizon.seconds / bundle.recipe.horizon.hop_seconds)
    good = np.concatenate([run[::step] for run in normal.runs()])
    odd = np.array([run.max() for run in abnormal.runs()])
    auc = roc_auc_score([0] * len(good) + [1] * len(odd), [*good, *odd])
    reaching = int(np.sum(normal.scores >= threshold))
    print(
        f"| {name} | {said} | {threshold:.2f} | {reaching} of {len(normal.scores)} | {met.counted} "
        f"| {met.per_week / PER_WEEK:.2f} | {auc:.3f} |",
        flush=True,
    )


def through_another(path: Path, folder: Path) -> Path:
    """Write what another microphone would have recorded."""
    recording = read_recording(path)
    target = folder / "moved" / path.parent.parent.name / path.parent.name / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(path.name.encode()[-8:], "little")
    soundfile.write(target, other_microphone(recording.samples, recording.sample_rate, seed), recording.sample_rate)
    return target


def other_microphone(samples: NDArray[np.float32], sample_rate: int, seed: int) -> NDArray[np.float64]:
    """Change gain and colour, and add a noise floor."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1.0 / sample_rate)
    octaves = np.log2(np.maximum(frequencies, 100.0) / 100.0) / np.log2(sample_rate / 200.0)
    coloured = np.fft.irfft(spectrum * 10 ** (TILT_DB * octaves / 20), len(samples))
    level = np.sqrt(np.mean(coloured**2)) * 10 ** (FLOOR_DB / 20)
    noise = np.random.default_rng(seed).normal(scale=level, size=len(samples))
    return np.asarray(np.clip((coloured + noise) * 10 ** (GAIN_DB / 20), -1.0, 1.0))


if __name__ == "__main__":
    main()
