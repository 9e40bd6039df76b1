"""Pretrained models: weights are found, the net is built, loaded and stored, once for each branch."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd.bundle import Fidelity
from edge_asd.errors import InputError
from edge_asd.features import build_front_end
from edge_asd.files import read_limited
from edge_asd.liveness import find_live, require_any_live
from edge_asd.pipeline import Rows, patch_shape
from edge_asd.recipe.graph import Branch, Recipe
from edge_asd.recipe.models import RANDOM, Net, Quantization, TfliteFile
from edge_asd.version import __version__
from edge_asd_export.conversion import convert
from edge_asd_export.cost import Cost, Ledger, patches_per_second
from edge_asd_export.graph import count_macs, require_builtin
from edge_asd_export.labels import Labelled
from edge_asd_export.material import Stretch, gather_labelled, live_rows
from edge_asd_export.memory import Memory
from edge_asd_export.nets import NETS, Patches, build_net, build_untrained, check_patches
from edge_asd_export.progress import Reporter
from edge_asd_export.quantization.fidelity import Variant, measure
from edge_asd_export.quantization.select import Selected, record_of, spread, store_best
from edge_asd_export.tflite_file import choose_outputs
from edge_asd_export.weights.registry import SOURCES, find_source
from edge_asd_export.weights.store import Kept, Store

_TFLITE_LIMIT = 256 * 1024 * 1024
_SAMPLES = 300
"""Patches that represent what a net will see."""

GivenWeights = Mapping[str, Path]
"""Files of weights by branch or by name of the weights; under `""`, the file for the only pretrained branch."""


def store_pretrained(
    recipe: Recipe,
    labelled: Labelled,
    given: GivenWeights,
    *,
    ledger: Ledger,
    seed: int,
    reporter: Reporter,
    memory: Memory | None = None,
) -> Selected:
    """Find, build, load and store the pretrained nets of a recipe.

    Parameters
    ----------
    recipe
        Whose branches.
    labelled
        Recordings: patches of those that are trained on represent what the nets will see, and the forms of a net are
        compared by what is made of all of them.
    given
        Files of weights that the user names.
    ledger
        Told what each net costs.
    seed
        Seed of all that is random.
    reporter
        Shows how far it is.
    memory
        Where forms and rows are kept, and found again; nowhere where left out.

    Raises
    ------
    InputError
        When weights are missing or do not fit the net, or the net does not fit its front end.
    CheckFailedError
        When a form that was asked for is another net.
    """
    branches = recipe.pretrained_branches
    check_given([recipe], given)
    files = find_weights(recipe, given)
    for name, branch in branches.items():
        if isinstance(branch.model, Net):
            check_patches(branch.model, _patches(recipe, branch), f"branches.{name}")
    selected = Selected(recipe, {}, {}, [])
    for name, branch in branches.items():
        if isinstance(branch.model, TfliteFile):
            stored = _take_file(recipe, name, branch.model, files[name].path, ledger)
        elif isinstance(branch.model, Net):
            file = files.get(name)
            stored = _store_net(selected.recipe, name, branch.model, file, labelled, ledger, seed, reporter, memory)
        selected = stored.joined(selected)
    return selected


def _take_file(recipe: Recipe, name: str, model: TfliteFile, file: Path, ledger: Ledger) -> Selected:
    given = read_limited(file, _TFLITE_LIMIT, "a TFLite file")
    content = choose_outputs(given, model.outputs, str(file))
    require_builtin(content)
    cost = Cost(name, "float32", count_macs(content), patches_per_second(recipe, recipe.branches[name]))
    ledger.enter(cost)
    record = record_of(content, model.quantize, "a TFLite file is taken as it is", cost)
    record = msgspec.structs.replace(record, weights_sha256=hashlib.sha256(given).hexdigest())
    return Selected(recipe, {f"branches/{name}": content}, {name: record}, [])


def _store_net(
    recipe: Recipe,
    name: str,
    model: Net,
    file: Kept | None,
    labelled: Labelled,
    ledger: Ledger,
    seed: int,
    reporter: Reporter,
    memory: Memory | None,
) -> Selected:
    patches, where = _patches(recipe, recipe.branches[name]), f"branches.{name}"
    weights = None if file is None else file.read()
    samples = representative_patches(recipe, name, labelled.training)

    @functools.cache
    def built() -> Any:
        if weights is None:
            return build_untrained(model, patches, where, seed=seed)
        return build_net(model, patches, weights, where)

    def stored(quantization: Quantization) -> bytes:
        def make() -> bytes:
            return convert(built(), quantization, samples)

        if memory is None:
            return make()
        origin = weights.sha256 if weights else f"random {seed}"
        return memory.form([*_form_key(model, patches, quantization, samples), origin], make)

    form, record, refused = store_best(
        recipe,
        name,
        model,
        stored,
        lambda reference: _Comparison(recipe, name, reference, labelled, seed, reporter, memory),
        ledger,
    )
    record = msgspec.structs.replace(record, weights_sha256=weights.sha256 if weights else "")
    recipe = recipe.quantized(form.quantization, name)
    return Selected(recipe, {f"branches/{name}": form.content}, {name: record}, refused)


def _form_key(model: Net, patches: Patches, quantization: Quantization, samples: NDArray[np.float32]) -> list[object]:
    """Return all that a form depends on, but for the weights: the ranges of 8-bit numbers come from the samples."""
    ranges = hashlib.sha256(samples.tobytes()).hexdigest() if quantization == "int8" else ""
    return [__version__, _converter_version(), model.name, model.embedding, patches, quantization, ranges]


def _converter_version() -> str:
    for name in ("tensorflow-cpu", "tensorflow"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return ""


class _Comparison:
    """Holds forms of a pretrained net against its float32 form, on recordings that are read anew for each.

    Patches of a pretrained net are large, so they are never kept.
    """

    def __init__(
        self,
        recipe: Recipe,
        branch: str,
        reference: bytes,
        labelled: Labelled,
        seed: int,
        reporter: Reporter,
        memory: Memory | None,
    ) -> None:
        self._recipe, self._branch, self._memory = recipe.judging_only(branch), branch, memory
        self._labelled, self._seed, self._reporter = labelled, seed, reporter
        self._float32 = reference

    @functools.cached_property
    def _reference(self) -> list[list[Stretch]]:
        return self._rows(self._float32)

    def __call__(self, content: bytes) -> Fidelity:
        """Return how faithful a form is."""
        reference, variant = self._reference, self._rows(content)
        anomalous = [False] * len(reference[1]) + [True] * len(reference[2])
        return measure(
            self._recipe,
            self._branch,
            _variant(*reference),
            _variant(*variant),
            anomalous,
            seed=self._seed,
        )

    def _rows(self, content: bytes) -> list[list[Stretch]]:
        networks = {f"branches/{self._branch}": content}
        groups = self._labelled.training, self._labelled.normal, self._labelled.anomalous
        return [
            spread(gather_labelled(spread(paths), self._recipe, self._reporter, networks=networks, memory=self._memory))
            if paths
            else []
            for paths in groups
        ]


def _variant(training: list[Stretch], normal: list[Stretch], anomalous: list[Stretch]) -> Variant:
    return Variant(training, [stretch.rows for stretch in (*normal, *anomalous)])


def representative_patches(recipe: Recipe, branch: str, recordings: Sequence[Path]) -> NDArray[np.float32]:
    """Return patches of a branch, shape (n, frames, bands), of the live signal of recordings spread evenly over all.

    Raises
    ------
    InputError
        When one of these recordings cannot be read, or is shorter than the horizon; when none holds a horizon of live
        signal.
    """
    rows = Rows(recipe.judging_only(branch).without_models(), {}, where=recipe.name)
    chosen = recordings[:: -(-len(recordings) // _SAMPLES)]
    wanted = -(-_SAMPLES // len(chosen))
    found = []
    lives = {path: find_live(path, recipe) for path in chosen}
    require_any_live(recipe, lives)
    for path, live in lives.items():
        for _, horizon in itertools.islice(live_rows(path, live, rows, recipe), 1):
            found.append(horizon[branch][:: max(1, len(horizon[branch]) // wanted)][:wanted].copy())
    shape = _patches(recipe, recipe.branches[branch])
    return np.concatenate(found).reshape(-1, shape.frames, shape.bands)


def _patches(recipe: Recipe, branch: Branch) -> Patches:
    return Patches(*patch_shape(branch, build_front_end(branch.front_end, recipe.sample_rate)))


def _untrained(branch: Branch) -> bool:
    return isinstance(branch.model, Net) and branch.model.weights == RANDOM


def find_weights(recipe: Recipe, given: GivenWeights) -> dict[str, Kept]:
    """Return the weights of each pretrained branch that has some: of those that are given, else in the user's cache.

    Raises
    ------
    InputError
        When there is none.
    """
    branches = recipe.pretrained_branches
    return {
        name: _weights_of(name, branch, given, only=len(branches) == 1)
        for name, branch in branches.items()
        if not _untrained(branch)
    }


def _weights_of(name: str, branch: Branch, given: GivenWeights, *, only: bool) -> Kept:
    model = branch.model
    wanted = _wanted(model) if isinstance(model, Net) else None
    for key in (name, wanted, "" if only else None):
        if key is not None and key in given:
            return Kept(given[key], "given")
    kept = Store().find(wanted) if wanted else None
    if kept:
        return kept
    option = "--weights FILE" if only else f"--weights {name}=FILE"
    raise InputError(
        f"branches.{name}.model",
        expected=f"the weights {wanted}" if wanted else "a TFLite file",
        found="none",
        remedy=f"edge-asd weights fetch {wanted}, or give the file with {option}"
        if wanted
        else f"give it with {option}",
    )


def _wanted(model: Net) -> str:
    wanted = model.weights or NETS[model.name].weights
    source = find_source(wanted)
    if model.name not in source.nets:
        fitting = ", ".join(name for name, other in SOURCES.items() if model.name in other.nets)
        raise InputError("model.weights", expected=f"weights of {model.name}: {fitting}", found=repr(wanted))
    return wanted


def weight_names(recipe: Recipe) -> list[str]:
    """Return the names under which a recipe takes files of weights: its branches', then those of published weights."""
    branches = recipe.pretrained_branches
    trained = [branch.model for branch in branches.values() if not _untrained(branch)]
    return [*branches, *sorted({_wanted(model) for model in trained if isinstance(model, Net)})]


def check_given(recipes: Sequence[Recipe], given: GivenWeights) -> None:
    """Refuse a file of weights that none of the recipes takes.

    Raises
    ------
    InputError
        Naming what is taken.
    """
    names = list(dict.fromkeys(name for recipe in recipes for name in weight_names(recipe)))
    counts = [len(recipe.pretrained_branches) for recipe in recipes]
    for key in given:
        if not any(counts):
            raise InputError("--weights", expected="none for a recipe without a pretrained net", found=str(given[key]))
        if key == "" and 1 not in counts:
            known = ", ".join(dict.fromkeys(name for recipe in recipes for name in recipe.pretrained_branches))
            raise InputError("--weights", expected=f"NAME=FILE for one of the branches {known}", found="a file alone")
        if key and key not in names:
            raise InputError("--weights", expected=f"one of {', '.join(names)}", found=repr(key))


def weights_for(recipe: Recipe, given: GivenWeights) -> dict[str, Path]:
    """Return the files of weights that a recipe takes, of those given for several recipes together."""
    names = {*weight_names(recipe), *([""] if len(recipe.pretrained_branches) == 1 else [])}
    return {name: file for name, file in given.items() if name in names}
