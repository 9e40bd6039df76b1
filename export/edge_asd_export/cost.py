"""What the nets of a recipe cost on a board, in multiply-accumulates per second of sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from edge_asd.features import SegmentFrontEnd, build_front_end
from edge_asd.recipe.graph import Branch, Recipe
from edge_asd_export.boards import MOST_LOAD, Board


class Cost(NamedTuple):
    """What one net costs while its branch listens."""

    branch: str
    """The branch."""
    quantization: str
    """How its net is stored."""
    macs: int
    """Multiply-accumulates of one run."""
    runs_per_second: float
    """Runs per second of sound: one for each patch."""

    @property
    def gmac_per_s(self) -> float:
        """Multiply-accumulates per second of sound, in billions."""
        return self.macs * self.runs_per_second / 1e9

    def describe(self) -> str:
        """Return the cost in words."""
        return (
            f"{self.branch}: {self.macs / 1e6:.3g} MMAC × {self.runs_per_second:.3g} patches/s = "
            f"{self.gmac_per_s:.3g} GMAC per second of sound, {self.quantization}"
        )


def patches_per_second(recipe: Recipe, branch: Branch) -> float:
    """Return how many patches of a branch begin in a second of sound."""
    front_end = build_front_end(branch.front_end, recipe.sample_rate)
    if isinstance(front_end, SegmentFrontEnd):
        return recipe.sample_rate / (branch.patch.segment_hop or front_end.segment_length)
    return recipe.sample_rate / (front_end.hop_length * branch.patch.hop)


class Ledger:
    """Says what each net costs as soon as that is known, before the long work, and whether a board carries them all.

    Parameters
    ----------
    board
        The board that the bundle is for, where one was named.
    say
        Takes a line.
    """

    def __init__(self, board: Board | None, say: Callable[[str], None]) -> None:
        self.board = board
        self._say = say
        self._costs: list[Cost] = []

    def enter(self, cost: Cost) -> None:
        """Say what one more net costs."""
        self._costs.append(cost)
        self._say(cost.describe())
        if self.board is not None:
            carries, words = judge_load(self.board, self._costs)
            self._say(words if carries else f"{words}; a longer patch.hop or --quantize int8 costs less")


def judge_load(board: Board, costs: list[Cost]) -> tuple[bool, str]:
    """Return whether a board can carry nets of these costs together, and in words how far.

    The load is an estimate; only the board itself can tell.
    """
    load = sum(board.load(cost.quantization, cost.gmac_per_s) for cost in costs)
    total = sum(cost.gmac_per_s for cost in costs)
    carries = load <= MOST_LOAD
    verdict = "carries it" if carries else "falls behind" if load > 1 else "has little to spare"
    threads = f"{board.threads} thread{'s' if board.threads > 1 else ''}"
    return carries, (
        f"{board.title} {verdict}: {total:.3g} GMAC per second of sound are about {load:.2g} of real time on {threads} "
        f"({board.cores.source})"
    )
