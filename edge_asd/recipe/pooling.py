"""Settings of pooling, the rows of a horizon → one row of features: `pooling: [mean, std, {kind: gwrp, r: 0.9}]`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from edge_asd.settings import PositiveFloat, Settings


class Quantile(Settings, tag_field="kind", tag="quantile"):
    """The value below which a fraction lies, interpolated linearly."""

    q: Annotated[float, Meta(ge=0, le=1)] = 0.9
    """The fraction."""


class Gem(Settings, tag_field="kind", tag="gem"):
    """Generalized mean (Radenović et al., TPAMI 2019): between the mean (p = 1) and the maximum (p → ∞).

    Made for features that are not negative; what is negative counts as 0.
    """

    p: Annotated[float, Meta(ge=1, le=1000)] = 3.0
    """The exponent."""


class Gwrp(Settings, tag_field="kind", tag="gwrp"):
    """Global weighted rank pooling (Kolesnikov & Lampert, ECCV 2016): the i-th largest value counts r^i."""

    r: Annotated[float, Meta(ge=0, le=1)] = 0.9
    """The weight's decay: 0 is the maximum, 1 the mean."""


class LogStd(Settings, tag_field="kind", tag="log-std"):
    """Natural logarithm of the standard deviation plus an offset: relative changes of a spread."""

    offset: PositiveFloat = 0.1
    """Added before the logarithm, in the feature's unit."""


PoolingStatistic = Literal["mean", "std", "median", "max", "iqr"] | Quantile | Gem | Gwrp | LogStd
"""One statistic of each feature over the rows of a horizon."""
PoolingSettings = Literal["none"] | Annotated[list[PoolingStatistic], Meta(min_length=1)]
"""Statistics side by side, or `none` to keep the rows; IAEO3's five are [mean, std, median, max, iqr]."""
