"""Trains the nets of a recipe and stores each in the best form that is still the same net."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from edge_asd.bundle import Fidelity, NetworkRecord
from edge_asd.errors import CheckFailedError
from edge_asd.interpreter import find_runtime
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.models import Net, Quantization, Trained
from edge_asd_export.conversion import ConversionError, convert
from edge_asd_export.cost import Cost, Ledger, patches_per_second
from edge_asd_export.fit import Embedders, representatives, rows_of, train_model
from edge_asd_export.graph import count_macs, stated_runtime
from edge_asd_export.material import Stretch
from edge_asd_export.progress import Advance
from edge_asd_export.quantization.choice import Choice, choose
from edge_asd_export.quantization.fidelity import UnjudgedError, Variant, measure
from edge_asd_export.quantization.gate import describe, shortfalls

T = TypeVar("T")

MOST_COMPARED = 100
"""Most stretches of each kind that two forms of a net are compared on, spread evenly."""


class Evidence(NamedTuple):
    """The sound that forms of a net are compared on."""

    normal: Sequence[Stretch]
    """Normal stretches, of those that are trained on."""
    labelled: Sequence[Stretch]
    """Stretches that are not trained on."""
    anomalous: Sequence[bool]
    """Of each labelled stretch, whether it is anomalous."""


class Form(NamedTuple):
    """One form of a net, and how faithful it is."""

    quantization: Quantization
    content: bytes
    fidelity: Fidelity | None
    """Nothing where it is float32, which all others are held against."""


class Selected(NamedTuple):
    """The nets of a bundle."""

    recipe: Recipe
    """The recipe, with how each net is stored decided."""
    networks: dict[str, bytes]
    """TFLite files by `branches/NAME`."""
    records: dict[str, NetworkRecord]
    """What the bundle says of each, by branch."""
    notes: list[str]
    """What was refused, and why."""

    def joined(self, others: Selected) -> Selected:
        """Return these nets and others of the same bundle; the recipe is this one."""
        return Selected(
            self.recipe,
            {**others.networks, **self.networks},
            {**others.records, **self.records},
            [*others.notes, *self.notes],
        )


def spread(items: Sequence[T]) -> list[T]:
    """Return `MOST_COMPARED` of the items, spread evenly, or all where there are fewer."""
    count = min(len(items), MOST_COMPARED)
    return [items[index * len(items) // count] for index in range(count)]


def select(
    recipe: Recipe,
    stretches: Sequence[Stretch],
    evidence: Evidence,
    *,
    ledger: Ledger,
    seed: int,
    advance: Advance,
) -> Selected:
    """Train every net of a recipe that is trained at export, and choose how it is stored.

    Parameters
    ----------
    recipe
        The recipe.
    stretches
        What the nets are trained on, and their ranges in 8 bits are taken from.
    evidence
        What their forms are compared on.
    ledger
        Told what each net costs.
    seed
        Seed of all that is random.
    advance
        Moved by each training step.

    Raises
    ------
    CheckFailedError
        When a form that was asked for is another net; the message has the figures.
    """
    networks, records, notes = {}, {}, []
    for name, branch in recipe.trained_branches.items():
        if not isinstance(branch.model, Trained):
            continue
        rows = rows_of(stretches, name)
        model = train_model(branch, branch.model, rows, seed, advance)
        samples = representatives(branch, branch.model, rows)

        def store(quantization: Quantization, model: Any = model, samples: Any = samples) -> bytes:
            return convert(model, quantization, samples)

        compare_with = functools.partial(Comparison, recipe, name, evidence=evidence, seed=seed)

        form, record, refused = store_best(recipe, name, branch.model, store, compare_with, ledger)
        networks[f"branches/{name}"], records[name] = form.content, record
        notes += refused
        recipe = recipe.quantized(form.quantization, name)
    return Selected(recipe, networks, records, notes)


class Comparison:
    """Holds forms of one branch's net against its float32 form."""

    def __init__(self, recipe: Recipe, branch: str, reference: bytes, evidence: Evidence, seed: int) -> None:
        self._recipe, self._branch, self._evidence, self._seed = recipe, branch, evidence, seed
        self._reference = self._variant(reference)

    def __call__(self, content: bytes) -> Fidelity:
        """Return how faithful a form is."""
        return measure(
            self._recipe,
            self._branch,
            self._reference,
            self._variant(content),
            self._evidence.anomalous,
            seed=self._seed,
        )

    def _variant(self, content: bytes) -> Variant:
        embedders = Embedders(self._recipe, {f"branches/{self._branch}": content}, only=self._branch)
        normal = [embedders.embed(stretch) for stretch in self._evidence.normal]
        return Variant(normal, [embedders.rows(stretch.rows) for stretch in self._evidence.labelled])


def first_faithful(
    branch: str, choice: Choice, store: Callable[[Quantization], bytes], compare: Callable[[bytes], Fidelity]
) -> tuple[Form, list[str]]:
    """Return the first candidate that is still the same net, and in words what was refused before it.

    Parameters
    ----------
    branch
        How errors name the net.
    choice
        The candidates, best first.
    store
        Gives the net in a form.
    compare
        Measures a form against float32.

    Raises
    ------
    CheckFailedError
        When no candidate is; the message has the figures.
    """
    refused = []
    for quantization in choice.candidates:
        try:
            content = store(quantization)
        except ConversionError as error:
            refused.append(f"{quantization} refused: {error}")
            continue
        if quantization == "float32":
            return Form(quantization, content, None), refused
        try:
            fidelity = compare(content)
        except UnjudgedError as error:
            refused.append(f"{quantization} cannot be judged ({error})")
            continue
        faults = shortfalls(fidelity)
        if not faults:
            return Form(quantization, content, fidelity), refused
        refused.append(f"{quantization} refused: {', '.join(faults)} ({describe(fidelity)})")
    raise CheckFailedError(
        f"branches.{branch}: expected a net in {choice.candidates[-1]} that tells apart what it does in float32, found "
        f"{'; '.join(refused)}; export with --quantize auto, which takes the next better"
    )


def store_best(
    recipe: Recipe,
    name: str,
    model: Trained | Net,
    store: Callable[[Quantization], bytes],
    compare_with: Callable[[bytes], Callable[[bytes], Fidelity]],
    ledger: Ledger,
) -> tuple[Form, NetworkRecord, list[str]]:
    """Store a branch's net in the best form that is still the same net.

    Parameters
    ----------
    recipe, name, model
        The branch, and its model, in the recipe.
    store
        Gives the net in a form.
    compare_with
        Takes the net in float32, and returns what holds a form against it.
    ledger
        Told what it costs; knows the board.

    Returns
    -------
    The form, what the bundle says of it, and in words what was refused before it.

    Raises
    ------
    CheckFailedError
        When a form that was asked for is another net.
    """
    reference = store("float32")
    cost = Cost(name, "float32", count_macs(reference), patches_per_second(recipe, recipe.branches[name]))
    choice = choose(model, ledger.board, gmac_per_s=cost.gmac_per_s)
    ledger.enter(cost._replace(quantization=choice.candidates[0]))
    form, refused = first_faithful(
        name,
        choice,
        lambda quantization: reference if quantization == "float32" else store(quantization),
        compare_with(reference),
    )
    reason = choice.reason if not refused else "the best that is still the same net"
    record = record_of(form.content, form.quantization, reason, cost)
    notes = [f"{name}: {text}; stored in {form.quantization}" for text in refused]
    return form, msgspec.structs.replace(record, fidelity=form.fidelity), notes


def record_of(content: bytes, quantization: str, reason: str, cost: Cost) -> NetworkRecord:
    """Return what a bundle says of a net that this machine's interpreter runs."""
    runtime = find_runtime()
    return NetworkRecord(
        quantization=quantization,
        interpreter=runtime.name,
        interpreter_version=runtime.version,
        minimum_runtime=stated_runtime(content),
        reason=reason,
        macs=cost.macs,
        runs_per_second=cost.runs_per_second,
    )
