"""A data set, recipes and a protocol → every unit's results: plans the jobs, skips what is done, runs the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import joblib

from edge_asd.audio import Channel
from edge_asd.errors import EdgeAsdError, InputError
from edge_asd.recipe.graph import Recipe
from edge_asd_export.boards import Board
from edge_asd_export.evaluation.datasets import Clip, DataSet, LeftOut, UnitName, by_machine, read_dataset, shown
from edge_asd_export.evaluation.inspection import Heard, listen, screen, too_short
from edge_asd_export.evaluation.jobs import Job, UnitResult, find_results, job_key, run
from edge_asd_export.evaluation.protocols import Divided, Protocol, lacks
from edge_asd_export.memory import Memory
from edge_asd_export.pretrained import GivenWeights, check_given, find_weights, weights_for
from edge_asd_export.progress import Reporter
from edge_asd_export.weights.reading import hash_weights


class Request(NamedTuple):
    """What is to be evaluated."""

    root: Path
    """The data set."""
    recipes: list[Recipe]
    protocol: Protocol
    seeds: int
    """How many; they are 0, 1, …."""
    per_class: int | None
    """Test recordings of either class; the protocol's own number where left out."""
    weights: dict[str, Path]
    """Files of pretrained weights, by their name or by branch; `""` for the only pretrained net."""
    board: Board | None
    """Board that the bundles are for."""
    output: Path
    """Folder of all results, in which `units/` makes the run resumable, and `embeddings/` spares it work."""
    jobs: int
    """Processes at a time."""
    cluster: str | None
    """Address of a Dask scheduler; on this machine where left out."""


class Plan(NamedTuple):
    """What will be done, and what will not."""

    jobs: list[Job]
    left_out: list[LeftOut]
    notes: list[str]
    """Where the data set falls short of the protocol, but nothing is left out."""


class _Weights(NamedTuple):
    """Pretrained weights of a recipe."""

    files: dict[str, Path]
    """Those given for it, as `export` takes them."""
    hashes: dict[str, str]
    """Hash of each file that its branches are loaded from, given or found in the user's cache."""


class Outcome(NamedTuple):
    """All results of a run."""

    request: Request
    results: list[UnitResult]
    """In the order of the plan; each has scores."""
    left_out: list[LeftOut]
    notes: list[str]
    resumed: int
    """Results that were there already."""


def evaluate(request: Request, reporter: Reporter) -> Outcome:
    """Evaluate recipes on a data set.

    Raises
    ------
    InputError
        When the data set cannot be read or has another layout, recipes share a name, no recipe takes a file of weights
        that is given, or nothing can be evaluated.
    """
    _check_names(request.recipes)
    check_given(request.recipes, request.weights)
    data = read_dataset(request.root, request.protocol.layout)
    units = request.output / "units"
    for folder in (units, request.output / "embeddings"):
        _make_folder(folder)
    paths = [clip.path for clips in data.units.values() for clip in clips]
    memory = request.output / "recordings.json"
    heard = {
        channel: listen(paths, channel, memory, jobs=request.jobs, reporter=reporter)
        for channel in dict.fromkeys(recipe.channel for recipe in request.recipes)
    }
    plan = make_plan(request, data, heard)
    done = {job.key: found for job in plan.jobs if (found := find_results(units, job.key))}
    waiting = [job for job in plan.jobs if job.key not in done]
    with _backend(request):
        parallel = joblib.Parallel(n_jobs=request.jobs, return_as="generator")
        finished = parallel(joblib.delayed(run)(job, units.absolute()) for job in waiting)
        results = {
            job.key: found
            for job, found in zip(waiting, reporter.track(finished, "evaluating", len(waiting)), strict=True)
        }
    every = [result for job in plan.jobs for result in {**done, **results}[job.key]]
    return _outcome(request, plan, every, sum(map(len, done.values())))


def make_plan(request: Request, data: DataSet, heard: Mapping[Channel, Mapping[Path, Heard]]) -> Plan:
    """Divide every unit for every seed, and say what cannot be evaluated; `heard` is what is in each channel.

    Raises
    ------
    InputError
        When no unit can be evaluated, or a file of weights cannot be read.
    """
    weights = {recipe.name: _weights_of(recipe, request.weights) for recipe in request.recipes}
    left_out = [*data.left_out]
    jobs: list[Job] = []
    notes = [*data.notes]
    for machine in by_machine(data.units):
        for recipe in request.recipes:
            sounds, together = heard[recipe.channel], recipe.one_model_for == "machine"
            screened = screen({unit: data.units[unit] for unit in machine}, sounds, data.root, together=together)
            left_out += screened.left_out
            divided: dict[tuple[UnitName, int], Divided] = {}
            for unit in machine:
                clips, short = _long_enough(recipe, screened.units[unit], sounds, data.root)
                found, lacking = _divide(request, unit, clips, data.root)
                left_out += [*short, *lacking]
                notes += [f"{unit}: {note}" for each in found.values() for note in each.notes]
                divided |= {(unit, seed): each for seed, each in found.items()}
            jobs += _jobs(request, recipe, weights[recipe.name], divided, sounds)
    if not jobs:
        why = "; ".join(str(item) for item in _unique(left_out)[:3])
        raise InputError(str(data.root), expected="a unit that can be evaluated", found=f"none ({why})")
    return Plan(jobs, _unique(left_out), _unique(notes))


def _divide(
    request: Request, unit: UnitName, clips: Sequence[Clip], root: Path
) -> tuple[dict[int, Divided], list[LeftOut]]:
    """Divide a unit by each seed; what is lacking for one of them is lacking for all."""
    found: dict[int, Divided] = {}
    left_out: list[LeftOut] = []
    for seed in range(request.seeds):
        divided = request.protocol.divide(unit, clips, seed, request.per_class)
        left_out += [LeftOut(shown(clip.path, root), reason) for clip, reason in divided.unused]
        lacking = lacks(unit, clips, divided, request.protocol.rule)
        if lacking:
            return {}, [*left_out, lacking]
        found[seed] = divided
    return found, left_out


def _jobs(
    request: Request,
    recipe: Recipe,
    weights: _Weights,
    divided: Mapping[tuple[UnitName, int], Divided],
    heard: Mapping[Path, Heard],
) -> list[Job]:
    """Return the jobs of one machine: one for each unit and seed, or for all units of a seed together."""
    together: dict[tuple[UnitName | None, int], dict[UnitName, Divided]] = {}
    for (unit, seed), each in divided.items():
        served = unit if recipe.one_model_for == "unit" else None
        together.setdefault((served, seed), {})[unit] = each
    return [_job(request, recipe, weights, seed, units, heard) for (_, seed), units in together.items()]


def _job(
    request: Request,
    recipe: Recipe,
    weights: _Weights,
    seed: int,
    divided: Mapping[UnitName, Divided],
    heard: Mapping[Path, Heard],
) -> Job:
    train = [clip for each in divided.values() for clip in each.train]
    tests = {unit: each.test for unit, each in divided.items()}
    key = job_key(recipe, seed, request.root, train, tests, heard, weights.hashes, request.board)
    memory = Memory(request.output.absolute() / "embeddings")
    tests = {unit: _absolute(clips) for unit, clips in tests.items()}
    root, train = request.root.absolute(), _absolute(train)
    return Job(tests, recipe, seed, root, train, weights.files, request.board, memory, key)


def _weights_of(recipe: Recipe, given: GivenWeights) -> _Weights:
    files = {name: file.absolute() for name, file in weights_for(recipe, given).items()}
    try:
        read = {name: kept.path for name, kept in find_weights(recipe, files).items()}
    except InputError:
        # The job comes upon the same, and says it of its own units alone.
        read = files
    return _Weights(files, {name: hash_weights(file) for name, file in read.items()})


def _absolute(clips: Sequence[Clip]) -> list[Clip]:
    # A worker may run elsewhere.
    return [clip._replace(path=clip.path.absolute()) for clip in clips]


def _long_enough(
    recipe: Recipe, clips: Sequence[Clip], heard: Mapping[Path, Heard], root: Path
) -> tuple[list[Clip], list[LeftOut]]:
    seconds = recipe.horizon.seconds
    short = too_short(clips, heard, seconds, root)
    return [clip for clip in clips if heard[clip.path].seconds >= seconds], short


def _outcome(request: Request, plan: Plan, every: Sequence[UnitResult], resumed: int) -> Outcome:
    results = [result for result in every if not result.fault]
    left_out = [LeftOut(f"{each.unit}, {each.recipe}, seed {each.seed}", each.fault) for each in every if each.fault]
    left_out += [item for result in results for item in result.left_out]
    if not results:
        raise InputError(str(request.root), expected="a unit that can be evaluated", found=str(left_out[0]))
    return Outcome(request, results, _unique([*plan.left_out, *left_out]), plan.notes, resumed)


def _check_names(recipes: Sequence[Recipe]) -> None:
    names = [recipe.name for recipe in recipes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError("--recipe", expected="recipes of different names", found=f"{twice[0]!r} twice")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            str(folder), expected="a folder that can be made", found=error.strerror or str(error)
        ) from error


@contextlib.contextmanager
def _backend(request: Request) -> Iterator[None]:
    """Run jobs in processes of this machine, or on the workers of a Dask cluster."""
    if request.cluster is None:
        yield
        return
    with _client(request.cluster), joblib.parallel_config(backend="dask"):
        yield


def _client(address: str) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError as error:
        raise EdgeAsdError(
            f"--dask: expected the packages of the extra 'cluster', found no module '{error.name}'; "
            "pip install 'edge-asd[cluster]'"
        ) from error
    try:
        return Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise InputError("--dask", expected="the address of a Dask scheduler", found=f"{address} ({error})") from error


_Item = TypeVar("_Item", LeftOut, str)


def _unique(items: Iterable[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))
