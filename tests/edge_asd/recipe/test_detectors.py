from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from edge_asd.recipe.detectors import (
    BayesianGmmSettings,
    DensityKnnSettings,
    DetectorSettings,
    FusionSettings,
    GmmSettings,
    IsolationForestSettings,
    KdeSettings,
    KnnSettings,
    MahalanobisSettings,
    OneClassSvmSettings,
    PcaResidualSettings,
    ValueSettings,
    member_prefixes,
)
from edge_asd.recipe.transform import TransformSettings

WRITTEN = {
    "{kind: gmm, components: 80, max_iter: 150}": GmmSettings(components=80, max_iter=150),
    "{kind: gmm, components: 3, covariance: full}": GmmSettings(components=3, covariance="full"),
    "{kind: bayesian-gmm, weights: dirichlet}": BayesianGmmSettings(weights="dirichlet"),
    "{kind: mahalanobis}": MahalanobisSettings(covariance="ledoit-wolf", squared=True),
    "{kind: one-class-svm, nu: 1.0e-4, gamma: scale}": OneClassSvmSettings(nu=1e-4),
    "{kind: one-class-svm, gamma: 0.5}": OneClassSvmSettings(gamma=0.5),
    "{kind: kde, bandwidth: 0.1}": KdeSettings(bandwidth=0.1),
    "{kind: kde, bandwidth: scott, kernel: cosine}": KdeSettings(bandwidth="scott", kernel="cosine"),
    "{kind: isolation-forest, trees: 128}": IsolationForestSettings(trees=128),
    "{kind: knn, metric: cosine, bank: 200}": KnnSettings(metric="cosine", bank=200),
    "{kind: density-knn}": DensityKnnSettings(k=4),
    "{kind: pca-residual, components: 8}": PcaResidualSettings(components=8),
    "{kind: pca-residual, components: 0.9}": PcaResidualSettings(components=0.9),
    "{kind: value}": ValueSettings(),
    "{kind: fusion, detectors: [{kind: knn}, {kind: mahalanobis}]}": FusionSettings(
        detectors=[KnnSettings(), MahalanobisSettings()], combine="min"
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRITTEN.items(), ids=list(WRITTEN))
def test_what_is_written_in_yaml_is_what_is_read(text: str, expected: Any) -> None:
    read = msgspec.convert(yaml.safe_load(text), DetectorSettings)
    assert read == expected
    assert msgspec.json.decode(msgspec.json.encode(read), type=DetectorSettings) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{kind: gmm, components: 0}",
        "{kind: gmm, covariance: diag}",
        "{kind: gmm, component: 3}",
        "{kind: one-class-svm, nu: 0}",
        "{kind: one-class-svm, gamma: 0}",
        "{kind: kde, bandwidth: -1}",
        "{kind: pca-residual, components: 1.5}",
        "{kind: fusion, detectors: [{kind: knn}]}",
        "{kind: fusion, detectors: [{kind: knn}, {kind: fusion, detectors: [{kind: knn}, {kind: knn}]}]}",
        "{kind: forest}",
        "{components: 3}",
    ],
)
def test_impossible_settings_are_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(yaml.safe_load(text), DetectorSettings)


@pytest.mark.parametrize("words", [{"whiten": True}, {"pca": 1.0}, {"pca": 0}, {"pca": -0.5}, {"scale": True}])
def test_impossible_transforms_are_refused(words: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(words, TransformSettings)


def test_members_of_a_fusion_are_told_apart_by_letters() -> None:
    fusion = FusionSettings(detectors=[KnnSettings()] * 16)
    prefixes = [prefix for prefix, _ in member_prefixes(fusion)]
    assert prefixes[:2] == ["a_", "b_"]
    assert len(set(prefixes)) == 16
