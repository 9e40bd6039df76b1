"""The recipes that come with the package: files of one recipe each, and families of which one file makes many.

A family is a recipe with choices. Its name has a place for each choice, `mueller2020/{net}-{detector}`; what is chosen
sets keys of the recipe, by their dotted names, and fills the same places in the description.
"""

from __future__ import annotations

import fnmatch
import functools
import importlib.resources
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_asd.configuration import did_you_mean, load, parse, read_mapping
from edge_asd.configuration.shapes import chosen, fields_of, is_record
from edge_asd.configuration.yaml_text import parse_mapping
from edge_asd.errors import InputError
from edge_asd.recipe.graph import Branch, Part, Recipe
from edge_asd.settings import Settings

if TYPE_CHECKING:
    # Python 3.10 has it elsewhere.
    from importlib.resources.abc import Traversable


class Family(Settings):
    """Recipes that differ in a few settings."""

    family: str
    """Name of each recipe, with the name of each choice in braces."""
    description: str
    """What each recipe is; the places in braces are filled as in the name."""
    choices: dict[str, dict[str, dict[str, Any]]]
    """For each place, what can stand there, and the settings that it makes, by dotted key."""
    recipe: dict[str, Any]
    """What all have in common."""


class _Shipped(NamedTuple):
    file: Traversable
    chosen: dict[str, str]
    """What stands in each place of a family's name; nothing for a file of one recipe."""


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(_shipped())


def load_recipe(name_or_file: str, overrides: Iterable[str] = ()) -> Recipe:
    """Return a shipped recipe by its name, or one from a YAML file.

    Parameters
    ----------
    name_or_file
        A shipped recipe's name, or the path of a file.
    overrides
        `KEY=VALUE` settings that override the recipe's own, such as `horizon.seconds=4`. A key that begins with a
        setting of a part or a branch, such as `detector.components=8`, goes for every part, or every branch, that has
        that setting.

    Raises
    ------
    InputError
        When there is neither, or something in it does not fit.
    """
    shipped = _shipped().get(name_or_file)
    if shipped is not None:
        data = _resolved(name_or_file, shipped)
        return parse(data, Recipe, where=f"recipe {name_or_file}", overrides=_spelt_out(overrides, data))
    path = Path(name_or_file)
    if not path.exists():
        raise InputError(
            "--recipe",
            expected="a shipped recipe or a YAML file",
            found=repr(name_or_file),
            remedy=" ".join([did_you_mean(name_or_file, _shipped()), "edge-asd recipes lists what ships"]),
        )
    return load(path, Recipe, overrides=_spelt_out(overrides, read_mapping(path)))


def recipe_notes(name: str) -> str:
    """Return the comment at the head of a shipped recipe's file: publication, and settings that it leaves open."""
    shipped = _shipped().get(name)
    lines = shipped.file.read_text("utf-8").splitlines() if shipped else []
    head = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return "\n".join(line for line in head if line != "#" and not line.startswith("# yaml-language-server"))


@functools.cache
def _shipped() -> Mapping[str, _Shipped]:
    root = importlib.resources.files("firmware_configs")
    found = {name: _Shipped(file, {}) for name, file in _yaml_files(root.joinpath("recipes"))}
    for _, file in _yaml_files(root.joinpath("families")):
        family = _family(file)
        for words in itertools.product(*family.choices.values()):
            chosen = dict(zip(family.choices, words, strict=True))
            found[family.family.format(**chosen)] = _Shipped(file, chosen)
    return found


def _yaml_files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _yaml_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield prefix + entry.name.removesuffix(".yaml"), entry


def _family(file: Traversable) -> Family:
    return parse(file.read_text("utf-8"), Family, where=file.name)


def _resolved(name: str, shipped: _Shipped) -> dict[str, Any]:
    """Return a shipped recipe as plain data."""
    if not shipped.chosen:
        return _plain(shipped.file)
    family = _family(shipped.file)
    settings = [family.choices[place][word] for place, word in shipped.chosen.items()]
    data: dict[str, Any] = {
        "name": name,
        "description": family.description.format(**shipped.chosen),
        **family.recipe,
    }
    for key, value in itertools.chain.from_iterable(each.items() for each in settings):
        data = _put(data, key.split("."), value)
    return data


def _plain(file: Traversable) -> dict[str, Any]:
    return parse_mapping(file.read_text("utf-8"), file.name)


def _put(data: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """Set one key, or all that a pattern such as `errors-*` fits; null takes a key away."""
    pattern, *rest = path
    keys = fnmatch.filter(data, pattern) if "*" in pattern else [pattern]
    changed = {key: _put(data.get(key) or {}, rest, value) if rest else value for key in keys}
    return {key: kept for key, kept in {**data, **changed}.items() if rest or kept is not None}


def _spelt_out(overrides: Iterable[str], data: Mapping[str, Any]) -> list[str]:
    """Give a setting that is named without its part or branch to every one that has it."""
    return [spelt_out for override in overrides for spelt_out in _everywhere(override, data)]


def _everywhere(override: str, data: Mapping[str, Any]) -> list[str]:
    path = re.split(r"[.\[\]]+", override.partition("=")[0].strip())
    if path[0] in Recipe.__struct_fields__:
        return [override]
    places = [
        (f"{group}.{name}.{override.strip()}", settings, record)
        for group, record in (("parts", Part), ("branches", Branch))
        if path[0] in record.__struct_fields__ and isinstance(data.get(group), dict)
        for name, settings in data[group].items()
        if isinstance(settings, dict)
    ]
    fitting = [spelt_out for spelt_out, settings, record in places if _has(record, settings, path)]
    # Where none has it, the error names the first that comes near.
    near = sorted(places, key=lambda place: not _leads_into(place[1], path[:-1]))
    return fitting or [spelt_out for spelt_out, _, _ in near[:1]] or [override]


def _leads_into(settings: Any, path: list[str]) -> bool:
    for key in path:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return isinstance(settings, dict)


def _has(record: Any, settings: Any, path: list[str]) -> bool:
    for key in path:
        member = chosen(record, settings)
        if not is_record(member) or key not in fields_of(member):
            return False
        record, settings = fields_of(member)[key].type, settings.get(key)
    return True
