"""Which quantization a net gets when nobody asked for one, and why."""

from __future__ import annotations

from typing import NamedTuple, get_args

from edge_asd.recipe.models import Net, Quantization, Trained
from edge_asd_export.boards import MOST_LOAD, Board

RECONSTRUCTION = get_args(Trained)
"""Models whose rows are errors of a prediction: they are tiny, and lose most in 8 bits."""
_FALLBACKS: dict[Quantization, list[Quantization]] = {
    "int8": ["float16", "float32"],
    "dynamic": ["float16", "float32"],
    "float16": ["float32"],
    "float32": [],
}


class Choice(NamedTuple):
    """The quantizations that a net may get, best first."""

    candidates: list[Quantization]
    """What is tried, one after another, until one is faithful; a single one where it was asked for."""
    reason: str
    """Why the first of them."""


def choose(model: Trained | Net, board: Board | None, *, gmac_per_s: float) -> Choice:
    """Return what a model is stored as, and why.

    Parameters
    ----------
    model
        The model; its own `quantize`, unless `auto`, is the only candidate.
    board
        The board that it is to run on, where one was named.
    gmac_per_s
        What the net costs, in billions of multiply-accumulates per second of sound.
    """
    if model.quantize != "auto":
        return Choice([model.quantize], "asked for")
    if type(model) in RECONSTRUCTION:
        return _from("float16", "a net that predicts is tiny and loses most in 8 bits")
    if board is None:
        return _from("float16", "half the size at no loss; --board NAME takes a board's cores into account")
    if board.dot_product:
        return _from("int8", f"the cores of a {board.title} multiply 8-bit numbers several times as fast")
    load = board.load("float16", gmac_per_s)
    if load > MOST_LOAD:
        return _from("int8", f"a {board.title} would spend {load:.0%} of its time on it in floating point")
    return _from("float16", f"the cores of a {board.title} gain little from 8 bits, and carry it as it is")


def _from(first: Quantization, reason: str) -> Choice:
    return Choice([first, *_FALLBACKS[first]], reason)
