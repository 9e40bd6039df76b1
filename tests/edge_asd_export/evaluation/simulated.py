"""Small simulated data sets, laid out as the field's are."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import soundfile

from edge_asd_export.simulation import Machine, simulate

RATE = 8000
SECONDS = 2.0


def write_clip(path: Path, unit: int, *, wrong: bool, snr_db: float = 6.0, channels: int = 1, rate: int = RATE) -> None:
    """Write a stretch of a fan's sound, one with a leaking seal when it is `wrong`; the name is the seed."""
    machine = Machine("pumping", unit=unit, sample_rate=rate)
    seed = zlib.crc32(path.as_posix().encode()[-60:])
    # A fault that is seldom, but not always, heard.
    samples = simulate(machine, SECONDS, seed=seed, snr_db=snr_db, fault="leakage" if wrong else None, severity=0.15)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.repeat(samples[:, np.newaxis], channels, axis=1), rate, subtype="PCM_16")


def write_mimii(
    root: Path,
    *,
    ids: tuple[int, ...] = (0, 2),
    normal: int = 12,
    anomalous: int = 4,
    channels: int = 1,
    rate: int = RATE,
) -> Path:
    for unit in ids:
        for kind, count in (("normal", normal), ("abnormal", anomalous)):
            for number in range(count):
                path = root / f"6_dB_pump/pump/id_{unit:02d}/{kind}/{number:08d}.wav"
                write_clip(path, unit, wrong=kind == "abnormal", channels=channels, rate=rate)
    return root


def write_dcase2020(
    root: Path, *, ids: tuple[int, ...] = (0, 2), train: int = 8, test: int = 4, rate: int = RATE
) -> Path:
    for unit in ids:
        for number in range(train):
            write_clip(root / f"pump/train/normal_id_{unit:02d}_{number:08d}.wav", unit, wrong=False, rate=rate)
        for word in ("normal", "anomaly"):
            for number in range(test):
                write_clip(
                    root / f"pump/test/{word}_id_{unit:02d}_{number:08d}.wav", unit, wrong=word == "anomaly", rate=rate
                )
    return root


def write_dcase2021(
    root: Path, *, sections: tuple[int, ...] = (0, 1), train: int = 6, test: int = 3, rate: int = RATE
) -> Path:
    """Write source and target domain; the target is noisier and has two training recordings."""
    for section in sections:
        for domain, snr_db, count in (("source", 6.0, train), ("target", 0.0, 2)):
            stem = f"section_{section:02d}_{domain}"
            for number in range(count):
                path = root / f"pump/train/{stem}_train_normal_{number:04d}_strength_1.wav"
                write_clip(path, section, wrong=False, snr_db=snr_db, rate=rate)
            for word in ("normal", "anomaly"):
                for number in range(test):
                    path = root / f"pump/{domain}_test/{stem}_test_{word}_{number:04d}_strength_1.wav"
                    write_clip(path, section, wrong=word == "anomaly", snr_db=snr_db, rate=rate)
    return root
