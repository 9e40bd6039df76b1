"""Normal rows → plain arrays of transforms and detectors, fitted with scikit-learn."""

from edge_asd_export.fitting.fit import fit_detector
from edge_asd_export.fitting.suspicions import Outlier, constant_features, outliers
from edge_asd_export.fitting.transform import fit_transform_arrays

__all__ = ["Outlier", "constant_features", "fit_detector", "fit_transform_arrays", "outliers"]
