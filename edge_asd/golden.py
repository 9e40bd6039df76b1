"""The golden self-test: a stretch of sound inside the bundle, and what every stage made of it at export.

Whoever holds the bundle recomputes each stage and sees how far this machine, its NumPy and its TFLite interpreter
deviate from the ones that the detectors were fitted with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import from_int16
from edge_asd.bundle import Bundle, arrays_under
from edge_asd.errors import CheckFailedError, InputError
from edge_asd.interpreter import Engine
from edge_asd.pipeline import Joiner, Judge, Rows, require_interpreter
from edge_asd.recipe.graph import Recipe

_PATCHES_KEPT = 64
_VALUES_KEPT = 1 << 17
"""Numbers that all patches kept of a branch may hold together, unless a single one holds more."""

Arrays = Mapping[str, NDArray[np.generic]]


class Deviation(NamedTuple):
    """How far one stage is from what it was at export."""

    stage: str
    """Name of the stage."""
    largest: float
    """Largest absolute difference, divided by the largest expected magnitude where that is above 1."""
    tolerance: float
    """Largest deviation that is accepted."""

    @property
    def holds(self) -> bool:
        """Whether the deviation is within tolerance; NaN is not."""
        return self.largest <= self.tolerance


def without_samples(bundle: Bundle) -> Bundle:
    """Return a bundle without its golden arrays: most of its memory, and nothing that judging needs."""
    kept = {name: array for name, array in bundle.arrays.items() if not name.startswith("golden/")}
    return bundle._replace(arrays=kept)


def compute_stages(
    recipe: Recipe, arrays: Arrays, networks: Mapping[str, bytes], pcm: NDArray[np.int16], *, engine: Engine, where: str
) -> dict[str, NDArray[np.float64]]:
    """Return what each stage makes of one horizon of sound, by stage name."""
    samples = from_int16(pcm)
    _, patches = next(Rows(recipe.without_models(), {}, where=where).process(samples))
    stages = {f"patches/{name}": _few(values).astype(np.float64) for name, values in patches.items()}
    end, rows = next(Rows(recipe, networks, engine=engine, where=where).process(samples))
    stages |= {f"rows/{name}": values.astype(np.float64) for name, values in rows.items()}
    judge = Judge(recipe, arrays, where=where)
    features = judge.features(rows)
    stages |= {f"features/{name}": values for name, values in features.items()}
    scores = judge.part_scores(features)
    stages |= {f"parts/{name}": np.array([value]) for name, value in scores.items()}
    stages["score"] = np.array([Joiner(recipe, arrays, where=where).score(scores, end).value])
    return stages


def _few(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    return patches[: max(1, min(_PATCHES_KEPT, _VALUES_KEPT // patches.shape[1]))]


def check(bundle: Bundle, *, engine: Engine | None = None) -> list[Deviation]:
    """Recompute every golden stage of a bundle on this machine.

    Raises
    ------
    InputError
        When the bundle's golden arrays do not fit its recipe, or the interpreter is too old for its nets.
    """
    require_interpreter(bundle)
    golden = arrays_under(bundle.arrays, "golden")
    pcm = golden.pop("samples", None)
    needed = bundle.recipe.horizon_samples
    if pcm is None or pcm.dtype != np.int16 or pcm.shape != (needed,):
        raise InputError(
            f"{bundle.where}: golden/samples", expected=f"{needed} samples of 16 bits", found="something else"
        )
    found = compute_stages(
        bundle.recipe,
        bundle.arrays,
        bundle.networks,
        pcm.astype(np.int16),
        engine=engine or Engine(),
        where=bundle.where,
    )
    if set(found) != set(golden):
        raise InputError(f"{bundle.where}: golden", expected=f"stages {sorted(found)}", found=f"{sorted(golden)}")
    return [
        Deviation(
            stage, _deviation(found[stage], golden[stage]), bundle.manifest.tolerances.get(stage.split("/")[0], 0.0)
        )
        for stage in found
    ]


def require(bundle: Bundle, *, engine: Engine | None = None) -> None:
    """Run the self-test, and refuse a bundle that does not give its own scores on this machine.

    A delegate that moves a stage is given up, where the processor may stand in and does not.

    Raises
    ------
    CheckFailedError
        When a stage deviates by more than its tolerance.
    InputError
        As `check`, or when a delegate that nothing may stand in for moves a stage.
    """
    engine = engine or Engine()
    failed = [deviation for deviation in check(bundle, engine=engine) if not deviation.holds]
    if failed and engine.delegated:
        engine.give_up(bundle.where, f"it moves stage {failed[0].stage} by {failed[0].largest:.3g}")
        failed = [deviation for deviation in check(bundle, engine=engine) if not deviation.holds]
    refuse(bundle, failed)


def refuse(bundle: Bundle, deviations: list[Deviation]) -> None:
    """Refuse a bundle of which a stage does not hold: a CheckFailedError names the first."""
    failed = [deviation for deviation in deviations if not deviation.holds]
    if failed:
        worst = failed[0]
        record = next(iter(bundle.manifest.networks.values()), None)
        made_by = f", made with {record.interpreter} {record.interpreter_version}" if record else ""
        raise CheckFailedError(
            f"{bundle.where}: expected stage {worst.stage} within {worst.tolerance:g} of its golden values{made_by}, "
            f"found a deviation of {worst.largest:.3g}; use the interpreter it was made with, or export with this one"
        )


def _deviation(found: NDArray[np.float64], expected: NDArray[np.generic]) -> float:
    if found.shape != expected.shape:
        return float("inf")
    values = expected.astype(np.float64)
    magnitude = max(1.0, float(np.abs(values).max(initial=0.0)))
    return float(np.abs(found - values).max(initial=0.0)) / magnitude
