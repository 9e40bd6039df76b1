from __future__ import annotations

import numpy as np
import pytest

from edge_asd.detector.quadratic import full_terms
from tests.edge_asd.detector.hard_rows import Rows, assert_close

OFFSET = 3.0


def full_gaussians(
    components: int, features: int, rng: np.random.Generator, *, spread: float, upper: bool = True
) -> tuple[Rows, Rows]:
    """Means, and factors of precisions whose condition is 1e4; upper triangular ones as Cholesky's, or any."""
    turned = np.linalg.qr(rng.normal(size=(components, features, features)))[0] * np.geomspace(0.1, 10.0, features)
    factors = np.linalg.qr(turned.transpose(0, 2, 1))[1] if upper else turned
    return spread * rng.normal(size=(components, features)), factors


def extended_terms(means: Rows, factors: Rows, rows: Rows) -> Rows:
    """The definition in extended precision."""
    differences = rows.astype(np.longdouble)[:, None, :] - means
    whitened = np.einsum("nkd,kde->nke", differences, factors.astype(np.longdouble))
    return np.asarray(OFFSET - np.sum(whitened**2, axis=2) / 2, np.float64)


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("spread", [0.0, 1.0, 1e5])
@pytest.mark.parametrize(
    ("components", "features"),
    [(1, 1), (3, 5), (20, 64), (9, 90), (6, 301)],
    ids=["one number", "one strip", "two strips", "a rest", "too many to lay side by side"],
)
def test_full_covariances_keep_every_digit(components: int, features: int, spread: float, upper: bool) -> None:
    rng = np.random.default_rng(components)
    means, factors = full_gaussians(components, features, rng, spread=spread, upper=upper)
    if components > 1:
        means[0] += 1e5  # One is far from the others, which makes a case of both ways.
    rows = np.concatenate([means, means + rng.normal(size=means.shape), 1e3 * means])
    terms = full_terms(means, factors, np.full(components, OFFSET))
    assert_close(terms(rows), extended_terms(means, factors, rows), relative=1e-11)
