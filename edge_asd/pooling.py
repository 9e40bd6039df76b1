"""The rows of a horizon → one row, and the scores of a horizon → one score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_asd.recipe.aggregation import AggregationSettings, Max, Mean, Median, TopMean
from edge_asd.recipe.pooling import Gem, Gwrp, LogStd, PoolingSettings, PoolingStatistic, Quantile


def pool(rows: NDArray[np.floating], settings: PoolingSettings) -> NDArray[np.float64]:
    """Pool the rows of a horizon.

    Parameters
    ----------
    rows
        Shape (n, d), n ≥ 1.
    settings
        Statistics, or `none`.

    Returns
    -------
    ndarray of float64
        Shape (1, s · d): the first statistic of all features, then the second, …; the rows themselves for `none`.

    Raises
    ------
    ValueError
        When there are no rows.
    """
    _check_not_empty(len(rows))
    values = rows.astype(np.float64)
    if settings == "none":
        return values
    return np.concatenate([_statistic(values, statistic) for statistic in settings])[None, :]


def aggregate(scores: NDArray[np.float64], settings: AggregationSettings) -> float:
    """Make one score of the scores of a horizon's rows, shape (n,), n ≥ 1.

    Raises
    ------
    ValueError
        When there are no scores.
    """
    _check_not_empty(len(scores))
    match settings:
        case Mean():
            return float(np.mean(scores))
        case Max():
            return float(np.max(scores))
        case Median():
            return float(np.median(scores))
        case Quantile(q=q):
            return float(np.quantile(scores, q))
        case TopMean(k=k):
            return float(np.mean(np.sort(scores)[-k:]))


def _check_not_empty(count: int) -> None:
    if count == 0:
        raise ValueError("a horizon needs at least one row")


def _statistic(rows: NDArray[np.float64], statistic: PoolingStatistic) -> NDArray[np.float64]:
    match statistic:
        case Quantile(q=q):
            return np.asarray(np.quantile(rows, q, axis=0))
        case LogStd(offset=offset):
            return np.asarray(np.log(np.std(rows, axis=0) + offset))
        case Gem(p=p):
            return _generalized_mean(rows, p)
        case Gwrp(r=r):
            return _rank_weighted_mean(rows, r)
        case _:
            return np.asarray(_PLAIN[statistic](rows, axis=0))


def _interquartile_range(rows: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    low, high = np.quantile(rows, [0.25, 0.75], axis=axis)
    return np.asarray(high - low)


_PLAIN: dict[str, Callable[..., NDArray[np.float64]]] = {
    "mean": np.mean,
    "std": np.std,
    "median": np.median,
    "max": np.max,
    "iqr": _interquartile_range,
}


def _generalized_mean(rows: NDArray[np.float64], p: float) -> NDArray[np.float64]:
    # Relative to the largest value, so that no power overflows.
    rows = np.maximum(rows, 0.0)
    largest = np.max(rows, axis=0)
    relative = rows / np.where(largest > 0.0, largest, 1.0)
    return np.asarray(largest * np.mean(relative**p, axis=0) ** (1.0 / p))


def _rank_weighted_mean(rows: NDArray[np.float64], r: float) -> NDArray[np.float64]:
    weights = r ** np.arange(len(rows), dtype=np.float64)
    falling = np.sort(rows, axis=0)[::-1]
    return np.asarray((weights / weights.sum()) @ falling)
