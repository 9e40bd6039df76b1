"""A bundle that was exported here scores on a 64-bit Arm board as it does here, under the same interpreter version.

One command, on demand: `EDGE_ASD_TEST_ARM64=/path/to/arm64-python pytest tests/board`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.board.machines import HERE, arm64

CORES = ["cortex-a53", "cortex-a72", "cortex-a76"]
TRIALS = ["default", "default-int8", "musicnn-int8", "openl3-mel128-float16", "openl3-mel128-int8"]


@pytest.mark.parametrize("name", TRIALS)
def test_scores_are_the_same(name: str, trial: Any) -> None:
    board = arm64("cortex-a72")
    bundle, recordings = trial(name)
    expected, found = HERE.scores(bundle, recordings), board.scores(bundle, recordings)
    assert set(found) == set(expected)
    assert list(found.values()) == pytest.approx([expected[path] for path in found], rel=1e-6)


@pytest.mark.parametrize("name", TRIALS)
def test_nets_give_the_same_bits(name: str, trial: Any, tmp_path: Any) -> None:
    board = arm64("cortex-a72")
    bundle, _ = trial(name)
    runs = 2 if name.startswith("openl3") else 20
    expected, found = (
        machine.net_outputs(bundle, tmp_path / f"{index}.npz", runs) for index, machine in enumerate((HERE, board))
    )
    assert found.keys() == expected.keys()
    for net, values in found.items():
        if name.endswith("int8"):
            np.testing.assert_array_equal(values, expected[net])
        np.testing.assert_allclose(values, expected[net], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cpu", CORES)
@pytest.mark.parametrize("name", TRIALS)
def test_verify_holds_on_every_core(name: str, cpu: str, trial: Any) -> None:
    done = arm64(cpu).run("-m", "edge_asd", "verify", trial(name).bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILS" not in done.stdout
