"""What the boards that have a shipped configuration can compute."""

from __future__ import annotations

import functools
import importlib.resources
from typing import NamedTuple

from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.firmware import Firmware

_MOBILENET_GMAC = 0.569
"""Multiply-accumulates of MobileNet v1 1.0 at 224 pixels (Howard et al. 2017, table 4), in billions."""


MOST_LOAD = 0.5
"""Share of real time beyond which a net is too much: the rest is for the front end, the system and hot days."""


class Cores(NamedTuple):
    """What all four cores of a processor sustain together, in billions of multiply-accumulates per second."""

    floating: float
    """Of float32."""
    int8: float
    """Of 8 bits."""
    source: str
    """Where the figures come from."""


# XNNPACK's own README of February 2022: milliseconds of MobileNet v1 on four threads, float32 and int8.
_CORTEX_A72 = Cores(_MOBILENET_GMAC / 0.077, _MOBILENET_GMAC / 0.024, "XNNPACK's published times on a Raspberry Pi 4")
_CORTEX_A53 = Cores(_MOBILENET_GMAC / 0.114, _MOBILENET_GMAC / 0.046, "XNNPACK's published times on a Raspberry Pi 3")


def _scaled(cores: Cores, floating: float, int8: float, source: str) -> Cores:
    return Cores(cores.floating * floating, cores.int8 * int8, source)


class Board(NamedTuple):
    """A board, and the threads that its shipped configuration gives a net."""

    name: str
    """Name of its shipped configuration, such as `raspberry-pi-4`."""
    title: str
    """What it is called."""
    cores: Cores
    """What its cores sustain."""
    dot_product: bool
    """Whether they have instructions for 8-bit dot products."""
    threads: int
    """Threads of each net."""

    def load(self, quantization: str, gmac_per_s: float) -> float:
        """Return the share of its time that it spends on a net of this cost, estimated; above 1 it falls behind."""
        sustained = self.cores.int8 if quantization in {"int8", "dynamic"} else self.cores.floating
        return gmac_per_s / (sustained * self.threads / 4)


_BOARDS = {
    "raspberry-pi-4": ("Raspberry Pi 4", _CORTEX_A72, False),
    "raspberry-pi-5": (
        "Raspberry Pi 5",
        # Cortex-A76: twice the vector pipes of an A72, 2.4 against 1.5 GHz; four products per lane and instruction.
        _scaled(_CORTEX_A72, 2 * 2.4 / 1.5, 2 * 2.4 / 1.5, "scaled from a Raspberry Pi 4 by clock and vector width"),
        True,
    ),
    "raspberry-pi-zero-2w": (
        "Raspberry Pi Zero 2 W",
        _scaled(_CORTEX_A53, 1.0 / 1.4, 1.0 / 1.4, "scaled from a Raspberry Pi 3 by clock"),
        False,
    ),
    "jetson-orin": (
        "Jetson Orin",
        # Cortex-A78AE at 1.5 GHz, four of six cores; its GPU is not counted.
        _scaled(_CORTEX_A72, 2.0, 2.0, "scaled from a Raspberry Pi 4 by clock and vector width, processor alone"),
        True,
    ),
}


def board_names() -> list[str]:
    """Return the names of the boards that are known."""
    return sorted(_BOARDS)


@functools.cache
def find_board(name: str) -> Board:
    """Return a board by the name of its shipped configuration.

    Raises
    ------
    InputError
        When there is none of this name.
    """
    if name not in _BOARDS:
        raise InputError("--board", expected=f"one of {', '.join(board_names())}", found=repr(name))
    title, cores, dot_product = _BOARDS[name]
    shipped = importlib.resources.files("firmware_configs").joinpath(f"{name}.yaml").read_text("utf-8")
    return Board(name, title, cores, dot_product, parse(shipped, Firmware, where=f"{name}.yaml").threads)
