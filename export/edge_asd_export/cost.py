"""What the nets of a recipe cost on a board, in multiply-accumulates per second of sound."""

from __future__ import annotations

from typing import NamedTuple

from edge_asd.features import SegmentFrontEnd, build_front_end
from edge_asd.recipe.graph import Branch, Recipe
from edge_asd.recipe.models import Quantization
from edge_asd_export.boards import MOST_LOAD, Board


class Cost(NamedTuple):
    """What one net costs while its branch listens."""

    branch: str
    """The branch."""
    quantization: Quantization
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


def judge_load(board: Board, costs: list[Cost]) -> tuple[bool, str]:
    """Return whether a board can carry nets of these costs together, and in words how far.

    The load is an estimate: `edge-asd bench` measures it on the board itself.
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
