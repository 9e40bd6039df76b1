"""Every published net by the name that a recipe calls it."""

from __future__ import annotations

from edge_asd.recipe.models import NetName
from edge_asd_export.nets.definition import Definition
from edge_asd_export.nets.musicnn import MUSICNN
from edge_asd_export.nets.squeezenet import SQUEEZENET_1_0, SQUEEZENET_1_1

NETS: dict[NetName, Definition] = {
    "musicnn": MUSICNN,
    "squeezenet-1.0": SQUEEZENET_1_0,
    "squeezenet-1.1": SQUEEZENET_1_1,
}
"""How each net is built, and how its weights are named."""
