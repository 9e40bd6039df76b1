"""Settings of aggregation, the scores of a horizon's rows → one score: `aggregation: {kind: mean}`."""

from __future__ import annotations

from edge_asd.recipe.pooling import Quantile
from edge_asd.settings import PositiveInt, Settings


class Mean(Settings, tag_field="kind", tag="mean"):
    """Mean of the scores."""


class Max(Settings, tag_field="kind", tag="max"):
    """Largest score."""


class Median(Settings, tag_field="kind", tag="median"):
    """Median of the scores."""


class TopMean(Settings, tag_field="kind", tag="top-mean"):
    """Mean of the largest scores."""

    k: PositiveInt = 5
    """How many scores count; all of them where there are fewer."""


AggregationSettings = Mean | Max | Median | Quantile | TopMean
"""How the scores of a horizon's rows become one score."""
