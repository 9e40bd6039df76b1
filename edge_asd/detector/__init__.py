"""Rows → anomaly scores, in NumPy and float64, whatever was fitted at export.

A detector is made once, of settings and plain arrays. Scores grow with how anomalous a row is. A row is scored by
itself: the rows beside it make no difference beyond rounding, and a row that holds NaN scores NaN.
"""

from edge_asd.detector.build import build_detector
from edge_asd.detector.protocol import Detector

__all__ = ["Detector", "build_detector"]
