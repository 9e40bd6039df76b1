"""A bundle made by hand, real in every part and fitted with NumPy alone: the device's tests need no export tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_asd import golden
from edge_asd.audio import to_int16
from edge_asd.bundle import SCHEMA, Bundle, Calibration, Manifest, Training, write_bundle
from edge_asd.configuration import parse
from edge_asd.interpreter import Engine
from edge_asd.pipeline import Rows
from edge_asd.pooling import pool
from edge_asd.recipe.graph import Recipe
from edge_asd.scoring import RecordingScore, Scorer

RATE = 8000
RECIPE = """
name: handmade
sample_rate: 8000
horizon: {seconds: 2, hop_seconds: 0.5}
branches:
  bands:
    front_end: {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}
    patch: {level: remove}
    pooling: [mean, std]
  level:
    front_end: {kind: rms, frame_length: 512, hop_length: 256}
    pooling: [mean]
parts:
  steady: {branches: [bands], detector: {kind: mahalanobis}}
  level: {branches: [level], detector: {kind: mahalanobis}}
"""


def hum(seconds: float, seed: int, *, wrong: bool = False) -> NDArray[np.float32]:
    """A machine's sound: a hum in noise; something hisses when it is `wrong`."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 120 * time) + 0.02 * rng.standard_normal(len(time))
    if wrong:
        sound += 0.1 * rng.standard_normal(len(time))
    return sound.astype(np.float32)


def recipe() -> Recipe:
    return parse(RECIPE, Recipe, where="handmade")


def write_handmade(path: Path) -> Bundle:
    """Fit the recipe on two minutes of hum, and write the bundle."""
    graph = recipe()
    rows = [{k: v.copy() for k, v in row_set.items()} for _, row_set in Rows(graph, {}, where="").process(hum(120, 0))]
    arrays: dict[str, NDArray[np.generic]] = {}
    for part, branch in (("steady", "bands"), ("level", "level")):
        settings = graph.branches[branch].pooling
        pooled = np.concatenate([pool(row[branch].astype(np.float64), settings) for row in rows])
        covariance = np.atleast_2d(np.cov(pooled.T)) + 1e-3 * np.eye(pooled.shape[1])
        arrays[f"parts/{part}/detector/mean"] = pooled.mean(axis=0)
        arrays[f"parts/{part}/detector/factor"] = np.linalg.cholesky(np.linalg.inv(covariance))
        arrays[f"parts/{part}/tail/scores"] = np.array([0.0, 2.0 * pooled.shape[1], 4.0 * pooled.shape[1]])
        arrays[f"parts/{part}/tail/log_probabilities"] = np.log([1.0, 0.1, 0.01])
    arrays |= {"joint/scores": np.linspace(0.0, 1.0, 60), "joint/lengths": np.array([60])}
    pcm = to_int16(hum(2, 1))
    stages = golden.compute_stages(graph, arrays, {}, pcm, engine=Engine(), where="handmade")
    arrays |= {"golden/samples": pcm, **{f"golden/{name}": values for name, values in stages.items()}}
    return write_bundle(path, manifest(graph), arrays, {})


def scored(scorer: Scorer, path: Path) -> RecordingScore:
    """Judge a recording whose signal is live."""
    found = scorer.judge(path)
    assert isinstance(found, RecordingScore)
    return found


def manifest(graph: Recipe) -> Manifest:
    """Return a manifest that says who made it, of whatever recipe."""
    return Manifest(
        schema=SCHEMA,
        recipe=graph,
        members={},
        networks={},
        calibration=Calibration(threshold=4.0, centre=0.5, rule="by hand", folds=2, held_out=[0.5]),
        training=Training(
            recordings=1, horizons=60, list_sha256="0" * 64, native_rates=[RATE], bandwidth_hz=RATE / 2, seed=0
        ),
        tolerances=dict.fromkeys(("patches", "rows", "features", "parts", "score"), 1e-3),
        versions={"edge-asd": "0"},
    )
