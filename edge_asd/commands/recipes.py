"""`edge-asd recipes`: what ships, and what stands in it."""

from __future__ import annotations

import argparse

import msgspec
import yaml

from edge_asd.recipe.shipped import load_recipe, recipe_names, recipe_notes

EXAMPLE = """\
  edge-asd recipes                                   list the shipped recipes
  edge-asd recipes default > mine.yaml               print one in full, to start one's own from
  edge-asd recipes gwrp-gmm --set detector.components=8"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", nargs="?", help="recipe to print in full; a shipped name or a file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting of it")


def run(arguments: argparse.Namespace) -> int:
    """List the recipes, or print one after what its file says of its origin."""
    if arguments.name is None:
        names = recipe_names()
        width = max(map(len, names))
        for name in names:
            print(f"{name:<{width}}  {load_recipe(name).description}")
        return 0
    recipe = load_recipe(arguments.name, arguments.set)
    notes = recipe_notes(arguments.name)
    if notes:
        print(notes)
    print(yaml.safe_dump(msgspec.to_builtins(recipe), sort_keys=False, allow_unicode=True, width=120), end="")
    return 0
