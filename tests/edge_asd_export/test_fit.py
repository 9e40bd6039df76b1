from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from edge_asd.embedding import split_middle
from edge_asd.recipe.models import InterpolationDensity, Trained
from edge_asd_export.fit import Embedders, decided, fit, fit_graph, judge, representatives, unflatten
from edge_asd_export.material import gather
from edge_asd_export.progress import Advance
from tests.edge_asd_export.small import means, plain, plain_stretches, recipe, write_normal
from tests.handmade import RATE, hum

ADVANCE = Advance(None, None)


def test_branches_side_by_side_are_standardized_and_judged_as_scikit_learn_would() -> None:
    graph = plain(
        "branches.right.transform.standardize=true",
        "parts.both.detector={kind: gmm, components: 2, covariance: full, max_iter: 50}",
    )
    stretches = plain_stretches(60)
    rows = [stretch.rows for stretch in stretches]
    found = judge(graph, fit_graph(graph, stretches, seed=4), rows)
    columns = np.hstack([means(stretches, "left"), StandardScaler().fit_transform(means(stretches, "right"))])
    model = GaussianMixture(2, covariance_type="full", max_iter=50, random_state=4).fit(columns)
    np.testing.assert_allclose([scores["both"] for scores in found], -model.score_samples(columns), rtol=1e-6)


def test_a_steady_part_is_ledoit_wolf_on_librosas_log_mel(tmp_path: Path) -> None:
    graph = recipe("parts.transient.enabled=false")
    paths = write_normal(tmp_path, 12)
    stretches = gather(paths, graph).stretches
    found = judge(graph, fit(graph, stretches, seed=0, advance=ADVANCE).arrays, [s.rows for s in stretches])
    pooled = []
    for path in paths:
        power = librosa.feature.melspectrogram(
            y=hum(1.0, int(path.stem)), sr=RATE, n_fft=512, hop_length=256, n_mels=8, fmin=50, center=False
        )
        decibels = librosa.power_to_db(power, top_db=None)
        pooled.append(np.concatenate([decibels.mean(axis=1), decibels.std(axis=1)]))
    expected = LedoitWolf().fit(pooled).mahalanobis(np.array(pooled))
    np.testing.assert_allclose([scores["steady"] for scores in found], np.log(expected), atol=1e-3)


def test_a_net_is_trained_where_a_branch_has_one(tmp_path: Path) -> None:
    graph = recipe()
    stretches = gather(write_normal(tmp_path, 6), graph).stretches
    fitted = fit(graph, stretches, seed=0, advance=ADVANCE)
    assert fitted.networks.keys() == {"branches/surprise"}
    rows = Embedders(graph, fitted.networks).rows(stretches[0].rows)
    assert rows["surprise"].shape == (len(stretches[0].rows["surprise"]), 1)
    np.testing.assert_array_equal(rows["bands"], stretches[0].rows["bands"])


def test_representatives_are_spread_over_all_stretches() -> None:
    branch = recipe().branches["surprise"]
    rows = [np.full((90, 40), number, np.float32) for number in range(20)]
    assert isinstance(branch.model, Trained)
    contexts = representatives(branch, branch.model, rows)
    assert contexts.shape == (450, 32)
    assert set(contexts[:, 0].tolist()) == set(range(20))


def test_patches_come_back_in_their_own_shape() -> None:
    branch = recipe().branches["surprise"]
    patches = np.arange(2 * 5 * 8, dtype=np.float32).reshape(2, 5, 8)
    np.testing.assert_array_equal(unflatten(branch, patches.reshape(2, -1)), patches)
    np.testing.assert_array_equal(split_middle(patches)[1], patches[:, 2])


def test_a_net_whose_form_is_undecided_is_not_stored() -> None:
    with pytest.raises(ValueError, match="has not been decided"):
        decided(InterpolationDensity(quantize="auto"))
