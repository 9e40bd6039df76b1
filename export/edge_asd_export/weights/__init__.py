"""Pretrained weights: where they are published, how their files are read, and how they get into a net."""

from edge_asd_export.weights.files import WeightsFile
from edge_asd_export.weights.loading import Naming, load
from edge_asd_export.weights.reading import read_weights

__all__ = ["Naming", "WeightsFile", "load", "read_weights"]
