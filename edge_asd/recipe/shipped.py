"""The recipes that come with the package."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from pathlib import Path

from edge_asd.configuration import load, parse
from edge_asd.errors import InputError
from edge_asd.recipe.graph import Recipe


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes."""
    folder = importlib.resources.files("firmware_configs").joinpath("recipes")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_recipe(name_or_file: str, overrides: Iterable[str] = ()) -> Recipe:
    """Return a shipped recipe by its name, or one from a YAML file.

    Parameters
    ----------
    name_or_file
        A shipped recipe's name, or the path of a file.
    overrides
        `KEY=VALUE` settings that override the recipe's own, such as `horizon.seconds=4`.

    Raises
    ------
    InputError
        When there is neither, or something in it does not fit.
    """
    if name_or_file in recipe_names():
        text = (
            importlib.resources.files("firmware_configs").joinpath("recipes", f"{name_or_file}.yaml").read_text("utf-8")
        )
        return parse(text, Recipe, where=f"recipe {name_or_file}", overrides=overrides)
    if not Path(name_or_file).exists():
        shipped = ", ".join(recipe_names())
        raise InputError("--recipe", expected=f"one of {shipped}, or a YAML file", found=repr(name_or_file))
    return load(Path(name_or_file), Recipe, overrides=overrides)
