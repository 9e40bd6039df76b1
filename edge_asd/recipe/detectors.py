"""Settings of detectors, features → scores: `detector: {kind: gmm, components: 20, covariance: diagonal}`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_asd.settings import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Settings, Text

Covariance = Literal["spherical", "diagonal", "tied", "full"]
"""Covariance of a mixture's components: one variance each, one per feature, one matrix for all, one matrix each."""
Initialization = Literal["k-means", "k-means++", "random"]
"""Where the fit of a mixture starts."""


class MixtureSettings(Settings):
    """What mixtures of Gaussians have in common."""

    components: PositiveInt = 20
    """Number of Gaussians; of a Bayesian mixture the largest."""
    covariance: Covariance = "diagonal"
    """Shape of their covariance."""
    max_iter: PositiveInt = 150
    """Most iterations of expectation maximization, or of variational inference."""
    reg_covar: NonNegativeFloat = 1e-6
    """Added to every variance, in squared units of the row."""
    n_init: PositiveInt = 1
    """Fits of which the best is kept."""
    init: Initialization = "k-means"
    """Where a fit starts."""


class GmmSettings(MixtureSettings, tag_field="kind", tag="gmm"):
    """Gaussian mixture; the score is the negative log density, in nats."""


class BayesianGmmSettings(MixtureSettings, tag_field="kind", tag="bayesian-gmm"):
    """Variational Gaussian mixture, which empties components that it does not need; the score is as of `gmm`."""

    weights: Literal["dirichlet-process", "dirichlet"] = "dirichlet-process"
    """Prior of the components' weights."""
    concentration: PositiveFloat | None = None
    """Concentration of that prior; 1 / components where left out. Less empties more components."""


class MahalanobisSettings(Settings, tag_field="kind", tag="mahalanobis"):
    """Distance from the mean, in standard deviations along every direction."""

    covariance: Literal["ledoit-wolf", "empirical", "identity"] = "ledoit-wolf"
    """`ledoit-wolf` shrinks the covariance (Ledoit & Wolf 2004) and copes with few rows; `empirical` needs many;
    `identity` is the plain distance from the mean."""
    least_scale: PositiveFloat | None = None
    """Standardize the features before their covariance is estimated, each by its standard deviation and by no less than
    this; left out, they are taken as they are."""
    blind_to_offset: bool = False
    """Whether the distance is the least over any one number added to all features: on a decibel scale, over any gain
    of the microphone."""
    squared: bool = True
    """Whether the score is the squared distance."""


class OneClassSvmSettings(Settings, tag_field="kind", tag="one-class-svm"):
    """One-class support vector machine (Schölkopf et al. 2001); the score is 0 at its border, positive outside."""

    kernel: Literal["rbf", "linear", "polynomial"] = "rbf"
    """rbf: exp(−γ |x − y|²); linear: x·y; polynomial: (γ x·y + coef0)^degree."""
    nu: Annotated[float, Meta(gt=0, le=1)] = 0.01
    """Largest fraction of normal rows outside of the border."""
    gamma: Literal["scale"] | PositiveFloat = "scale"
    """γ; `scale` is 1 / (features · variance)."""
    degree: Annotated[int, Meta(ge=1, le=10)] = 3
    """Degree of the polynomial."""
    coef0: float = 0.0
    """Constant of the polynomial."""


Kernel = Literal["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"]
"""Shapes of a kernel density's kernel; all but gaussian and exponential end at one bandwidth."""


class KdeSettings(Settings, tag_field="kind", tag="kde"):
    """Kernel density; the score is the negative log density, in nats."""

    kernel: Kernel = "gaussian"
    """Shape of the kernel."""
    bandwidth: PositiveFloat | Literal["scott", "silverman"] = 0.1
    """Width of the kernel, in units of the row, or the rule that sets it."""


class IsolationForestSettings(Settings, tag_field="kind", tag="isolation-forest"):
    """Isolation forest (Liu et al. 2008); the score lies in (0, 1], near 0.5 for what is like the rest."""

    trees: PositiveInt = 128
    """Number of trees."""
    max_samples: PositiveInt = 256
    """Rows that a tree is grown on; all of them where there are fewer."""


Metric = Literal["euclidean", "cosine"]
"""Distance of two rows: |x − y|, or 1 − cos of the angle between them."""


class KnnSettings(Settings, tag_field="kind", tag="knn"):
    """Distance to the nearest rows of a memory bank."""

    metric: Metric = "euclidean"
    """Distance."""
    k: PositiveInt = 1
    """Number of nearest rows."""
    statistic: Literal["mean", "max"] = "mean"
    """Mean of the k distances, or the k-th alone."""
    bank: PositiveInt | None = None
    """Most rows to keep, chosen to cover the normal rows (greedy coreset); all where left out."""


class DensityKnnSettings(Settings, tag_field="kind", tag="density-knn"):
    """Nearest-row distance relative to how dense the bank is there.

    The score is min over r of d(x, r) / mean distance of r to its k nearest (Wilkinghoff et al. 2025).
    """

    metric: Metric = "euclidean"
    """Distance."""
    k: PositiveInt = 4
    """Neighbours that measure the density at a row of the bank."""
    bank: PositiveInt | None = None
    """Most rows to keep, chosen to cover the normal rows (greedy coreset); all where left out."""


class PcaResidualSettings(Settings, tag_field="kind", tag="pca-residual"):
    """Squared length of what the principal components leave over (Q statistic, Jackson & Mudholkar 1979)."""

    components: PositiveInt | Fraction = 0.95
    """Components that span normal rows: a count, or the fraction of the variance to explain."""


class VaeSettings(Settings, tag_field="kind", tag="vae"):
    """Variational autoencoder whose latents are drawn to centres; the score is its loss (Narita & Tamamori, CL-VAE).

    With L = L_rec + L_kld + `centre_weight`·L_centre, which it is trained on, the score is
    L_rec + L_kld + `centre_score`·L. Several machines of one type, the sections of a data set, have a centre each.
    """

    hidden: Annotated[list[PositiveInt], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: [1024, 1024, 1024, 512]
    )
    """Widths of the encoder's layers, each linear, batch normalization, ReLU; the decoder mirrors them."""
    latent: PositiveInt = 512
    """Width of the latent space."""
    output: Literal["relu", "linear"] = "relu"
    """The decoder's last activation; `relu` for features that are not negative."""
    centre_weight: NonNegativeFloat = 150.0
    """Weight of the distance from the centre in the loss."""
    centre_rate: NonNegativeFloat = 1.0
    """Rate α at which a centre follows the latents of its section."""
    conditional: bool = False
    """Whether encoder and decoder are told the section (a conditional variational autoencoder)."""
    sections: list[Text] = msgspec.field(default_factory=list)
    """Sections that the net tells apart; left out, an export takes them from the recordings' names."""
    section: Text | None = None
    """The section whose sound is judged; the least score over all sections where left out."""
    centre_score: NonNegativeFloat = 0.0
    """Share of the whole loss that is added to the score."""
    learning_rate: PositiveFloat = 0.001
    """Adam's step size."""
    batch_size: PositiveInt = 512
    """Rows in a training step; all of them where there are fewer."""
    epochs: PositiveInt = 300
    """Passes over the training rows."""
    quantize: Literal["float32", "float16"] = "float32"
    """How the net is stored."""

    def __post_init__(self) -> None:
        if len(set(self.sections)) < len(self.sections):
            raise ValueError("sections: expected each section once")
        if self.section and self.sections and self.section not in self.sections:
            raise ValueError(f"section: expected one of {', '.join(self.sections)}, found {self.section!r}")


class ValueSettings(Settings, tag_field="kind", tag="value"):
    """The row's only feature is itself the score."""


SingleDetectorSettings = (
    GmmSettings
    | BayesianGmmSettings
    | MahalanobisSettings
    | OneClassSvmSettings
    | KdeSettings
    | IsolationForestSettings
    | KnnSettings
    | DensityKnnSettings
    | PcaResidualSettings
    | VaeSettings
    | ValueSettings
)
"""Every detector that stands by itself."""


class FusionSettings(Settings, tag_field="kind", tag="fusion"):
    """Several detectors on the same rows, their scores standardized on held-out normal rows and combined."""

    detectors: Annotated[list[SingleDetectorSettings], Meta(min_length=2, max_length=16)]
    """The detectors."""
    combine: Literal["min", "mean", "max"] = "min"
    """How the standardized scores become one; `min` asks all detectors to agree that a row is anomalous."""
    folds: Annotated[int, Meta(ge=2, le=20)] = 5
    """Contiguous folds on which held-out scores are made."""


DetectorSettings = SingleDetectorSettings | FusionSettings
"""Every detector: rows → anomaly scores."""


def member_prefixes(settings: FusionSettings) -> list[tuple[str, SingleDetectorSettings]]:
    """Return each detector of a fusion after what the names of its arrays begin with: `a_`, `b_`, …."""
    return [(f"{chr(ord('a') + index)}_", member) for index, member in enumerate(settings.detectors)]
