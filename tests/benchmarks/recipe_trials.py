"""Trials of a recipe on one machine: what it is fitted to, what it then has to tell apart, how well it did."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge_asd.audio import read_recording
from edge_asd.bundle import Bundle
from edge_asd.configuration import parse
from edge_asd.pipeline import Pipeline
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.shipped import load_recipe
from edge_asd.scoring import Scorer
from edge_asd_export.exporter import export
from edge_asd_export.simulation import FaultKind, Machine, MachineKind, faults_of, simulate, write_recordings
from tests.handmade import scored

SECONDS = 10.0
SNR_DB = 0.0
GAIN_DB = 6.0
MANY, FEW = 40, 10
_TRAINING_SEED, _TEST_SEED, _WATCH_SEED = 0, 1, 2
_GENERIC: tuple[FaultKind, ...] = ("burst", "level")
_BANDS = "{kind: log-mel, n_fft: 1024, hop_length: 512, n_mels: 16, fmin: 20, htk: true}"
_STATISTICS = """
name: statistics
branches: {{bands: {{front_end: {front_end}, pooling: {pooling}}}}}
parts: {{bands: {{branches: [bands], detector: {{kind: mahalanobis}}}}}}
join: none
threshold: {{rule: gamma, false_alarm_probability: 0.1}}
"""


class Setup(NamedTuple):
    """A recipe, what it is fitted to, and whether the microphone's gain changes afterwards."""

    name: str
    recipe: Recipe
    clips: int
    """Normal recordings of a simulated machine to fit to."""
    gain_db: float = 0.0
    """By how much recordings to judge, normal or not, are made louder and quieter in turn."""
    is_default: bool = True
    """Whether it is the default recipe, or what that is measured against."""


class Course(NamedTuple):
    """Something that goes wrong, and how it goes on during a recording."""

    name: str
    fault: FaultKind
    severity: tuple[float, ...]

    def __str__(self) -> str:
        return self.name if self.fault in _GENERIC else f"{self.fault}, {self.name}"


class Size(NamedTuple):
    """How much is simulated of one machine."""

    normal: int
    """Normal recordings to judge."""
    abnormal: int
    """Recordings of each fault's course."""
    watch_s: float
    """Normal sound in which false alarms are counted, in seconds."""


class Result(NamedTuple):
    """What one setup made of one machine."""

    auc: dict[Course, float]
    """Area under the ROC curve of each course."""
    horizons: int
    """Normal horizons judged, one a second."""
    false: int
    """Those that reached the threshold."""


class Real(NamedTuple):
    """A real machine's recordings: to fit to, and to judge."""

    name: str
    training: list[Path]
    normal: list[Path]
    abnormal: list[Path]


def setups() -> list[Setup]:
    """Return the default recipe's setups, then those of the plain band statistics that it is measured against."""
    default, level_off = load_recipe("default"), load_recipe("default", ["parts.level.enabled=false"])
    means = parse(_STATISTICS.format(front_end=_BANDS, pooling="[mean]"), Recipe, where="means")
    both = parse(_STATISTICS.format(front_end=_BANDS, pooling="[mean, std]"), Recipe, where="means and std")
    return [
        Setup("default", default, MANY),
        Setup("default", default, FEW),
        Setup(f"no level part, gain ±{GAIN_DB:g} dB", level_off, MANY, GAIN_DB),
        Setup("16 means", means, MANY, is_default=False),
        Setup("16 means and std", both, MANY, is_default=False),
    ]


def courses(kind: MachineKind) -> list[Course]:
    """Return what can go wrong with such a machine."""
    own = [fault for fault in faults_of(kind) if fault not in _GENERIC]
    return [
        *(Course("steady", fault, (1.0,)) for fault in own),
        *(Course("growing", fault, (0.0, 1.0)) for fault in own),
        Course("burst", "burst", (1.0,)),
        Course("6 dB louder", "level", (1.0,)),
        Course("6 dB quieter", "level", (-1.0,)),
    ]


def try_simulated(machine: Machine, size: Size) -> list[Result]:
    """Fit every setup to a simulated machine; judge normal and abnormal recordings, and more of its normal sound."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training = write_recordings(folder, machine, MANY, SECONDS, seed=_TRAINING_SEED, snr_db=SNR_DB)
        normal = write_recordings(folder / "test", machine, size.normal, SECONDS, seed=_TEST_SEED, snr_db=SNR_DB)
        abnormal = {
            course: _write_course(folder / f"{course}", machine, course, size) for course in courses(machine.kind)
        }
        watch = simulate(machine, size.watch_s, seed=_WATCH_SEED, snr_db=SNR_DB)
        results = []
        for setup in setups():
            bundle = export(training[: setup.clips], setup.recipe, folder / "trial.easd").bundle
            scores = _scores(bundle, normal, setup.gain_db)
            auc = {course: _auc(scores, _scores(bundle, paths, setup.gain_db)) for course, paths in abnormal.items()}
            results.append(Result(auc, *_watched(bundle, watch)))
        return results


def try_real(machine: Real, setup: Setup) -> float:
    """Fit a setup to all of a real machine's training recordings; return the AUC of the others."""
    with tempfile.TemporaryDirectory() as name:
        bundle = export(machine.training, setup.recipe, Path(name, "trial.easd")).bundle
    return _auc(*(_scores(bundle, paths, setup.gain_db) for paths in (machine.normal, machine.abnormal)))


def _write_course(folder: Path, machine: Machine, course: Course, size: Size) -> list[Path]:
    return write_recordings(
        folder,
        machine,
        size.abnormal,
        SECONDS,
        seed=_TEST_SEED,
        snr_db=SNR_DB,
        fault=course.fault,
        severity=course.severity,
    )


def _scores(bundle: Bundle, paths: Sequence[Path], gain_db: float) -> list[float]:
    scorer = Scorer(bundle)
    if not gain_db:
        return [scored(scorer, path).score for path in paths]
    with tempfile.TemporaryDirectory() as name:
        changed = [
            _with_gain(path, gain_db if number % 2 else -gain_db, Path(name, f"{number}.wav"))
            for number, path in enumerate(paths)
        ]
        return [scored(scorer, path).score for path in changed]


def _with_gain(path: Path, gain_db: float, target: Path) -> Path:
    recording = read_recording(path)
    soundfile.write(target, recording.samples * 10 ** (gain_db / 20), recording.sample_rate, subtype="FLOAT")
    return target


def _auc(normal: Sequence[float], abnormal: Sequence[float]) -> float:
    return float(roc_auc_score([0] * len(normal) + [1] * len(abnormal), [*normal, *abnormal]))


def _watched(bundle: Bundle, sound: NDArray[np.float32]) -> tuple[int, int]:
    """Return how many horizons of normal sound there were, and how many of them reached the threshold."""
    values = np.array([score.value for score in Pipeline(bundle).process(sound)])
    return len(values), int((values >= bundle.manifest.calibration.threshold).sum())
