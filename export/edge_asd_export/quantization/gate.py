"""When a quantized net is no longer the same net: judged by what its users feel, not by its own error."""

from __future__ import annotations

from typing import NamedTuple

from edge_asd.bundle import Fidelity


class Limits(NamedTuple):
    """The least of each figure that a quantized net may have."""

    centred_cosine: float
    """Mean-centred cosine of rows. The plain one is no use here: what all rows share keeps it high in a net that tells
    nothing apart any more."""
    spearman: float
    """Rank correlation of clip scores."""
    auc_change: float
    """Change of the area under the ROC curve."""
    pauc_change: float
    """Change of the partial area up to a false-positive rate of 0.1."""


# Below a mean-centred cosine of 1/√2 a row holds more noise than signal. An autoencoder of MLPerf Tiny loses 0.034 of
# its AUC in 8 bits, embedding nets a tenth of that: the limit lies between the two.
LIMITS = Limits(centred_cosine=0.7, spearman=0.8, auc_change=-0.03, pauc_change=-0.05)
"""What every export is held to."""


def shortfalls(fidelity: Fidelity, limits: Limits = LIMITS) -> list[str]:
    """Return in words what falls short of the limits; nothing where the net is faithful."""
    figures = {
        "mean-centred cosine": (fidelity.centred_cosine, limits.centred_cosine),
        "rank correlation of clip scores": (fidelity.spearman, limits.spearman),
        "change of AUC": (fidelity.auc_change, limits.auc_change),
        "change of pAUC": (fidelity.pauc_change, limits.pauc_change),
    }
    return [
        f"{name} {value:.3f} below {least:g}"
        for name, (value, least) in figures.items()
        if value is not None and not value >= least
    ]


def describe(fidelity: Fidelity) -> str:
    """Return the figures in one line."""
    words = [
        f"cosine {fidelity.cosine:.4f}",
        f"mean-centred {fidelity.centred_cosine:.4f}",
        f"rank correlation {fidelity.spearman:.3f} over {fidelity.clips} clips",
    ]
    if fidelity.auc_change is not None and fidelity.pauc_change is not None:
        words.append(f"AUC {fidelity.auc_change:+.3f}, pAUC {fidelity.pauc_change:+.3f}")
    return ", ".join(words)
