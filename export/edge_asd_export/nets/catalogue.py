"""Every published net by the name that a recipe calls it."""

from __future__ import annotations

from edge_asd.recipe.models import NetName
from edge_asd_export.nets.alexnet import ALEXNET
from edge_asd_export.nets.definition import Definition
from edge_asd_export.nets.densenet import DENSENET121
from edge_asd_export.nets.musicnn import MUSICNN
from edge_asd_export.nets.openl3 import EDGEL3, OPENL3_LINEAR, OPENL3_MEL128, OPENL3_MEL256
from edge_asd_export.nets.residual import PANNS_RESNET38, RESNET18, RESNET34
from edge_asd_export.nets.squeezenet import SQUEEZENET_1_0, SQUEEZENET_1_1
from edge_asd_export.nets.vggish import VGGISH
from edge_asd_export.nets.yamnet import YAMNET

NETS: dict[NetName, Definition] = {
    "openl3-mel128": OPENL3_MEL128,
    "openl3-mel256": OPENL3_MEL256,
    "openl3-linear": OPENL3_LINEAR,
    "edgel3": EDGEL3,
    "vggish": VGGISH,
    "yamnet": YAMNET,
    "musicnn": MUSICNN,
    "panns-resnet38": PANNS_RESNET38,
    "resnet18": RESNET18,
    "resnet34": RESNET34,
    "densenet121": DENSENET121,
    "alexnet": ALEXNET,
    "squeezenet-1.0": SQUEEZENET_1_0,
    "squeezenet-1.1": SQUEEZENET_1_1,
}
"""How each net is built, and how its weights are named."""
