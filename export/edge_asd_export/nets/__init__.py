"""The published nets, built in Keras: layers and dimensions as their own code has them, one module for each family."""

from edge_asd_export.nets.building import build_net, build_untrained, check_patches, require_fit
from edge_asd_export.nets.catalogue import NETS
from edge_asd_export.nets.definition import Definition, Options, Patches

__all__ = ["NETS", "Definition", "Options", "Patches", "build_net", "build_untrained", "check_patches", "require_fit"]
