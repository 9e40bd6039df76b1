"""`edge-asd recipes`: what ships, and what stands in it."""

from __future__ import annotations

import argparse

import msgspec
import yaml

from edge_asd.recipe.shipped import load_recipe, recipe_names

EXAMPLE = """\
  edge-asd recipes                        list the shipped recipes
  edge-asd recipes default > mine.yaml    print one in full, to start one's own from"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", nargs="?", help="recipe to print in full; a shipped name or a file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting of it")


def run(arguments: argparse.Namespace) -> int:
    """List the recipes, or print one."""
    if arguments.name is None:
        for name in recipe_names():
            print(f"{name:<24} {load_recipe(name).description}")
    else:
        recipe = load_recipe(arguments.name, arguments.set)
        print(yaml.safe_dump(msgspec.to_builtins(recipe), sort_keys=False, allow_unicode=True), end="")
    return 0
