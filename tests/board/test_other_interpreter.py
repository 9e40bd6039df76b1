"""What another interpreter makes of a bundle: `verify` measures it, and refuses what moves the scores.

On demand: `EDGE_ASD_TEST_TFLITE=/path/to/python pytest tests/board`, of a Python that has tflite-runtime 2.14.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.board.machines import HERE, tflite_runtime


@pytest.mark.parametrize("name", ["default", "openl3-mel128-float16"])
def test_floating_point_holds(name: str, trial: Any) -> None:
    other = tflite_runtime()
    bundle, recordings = trial(name)
    done = other.run("-m", "edge_asd", "verify", bundle)
    assert done.returncode == 0, done.stderr
    assert "interpreter tflite-runtime 2.14" in done.stdout
    expected = HERE.scores(bundle, recordings)
    assert other.scores(bundle, recordings) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["default-int8", "musicnn-int8", "openl3-mel128-int8"])
def test_8_bits_are_refused_where_they_move(name: str, trial: Any) -> None:
    done = tflite_runtime().run("-m", "edge_asd", "verify", trial(name).bundle)
    assert done.returncode == 1, done.stdout + done.stderr
    (stage,) = re.findall(r"^(rows/\w+) +deviation .* FAILS$", done.stdout, re.MULTILINE)[:1]
    assert f"expected stage {stage} within 0.001 of its golden values, made with ai-edge-litert" in done.stderr
    assert "use the interpreter it was made with, or export with this one" in done.stderr


def test_operators_that_it_has_not_are_named(trial: Any) -> None:
    done = tflite_runtime().run("-m", "edge_asd", "verify", trial("default-dynamic").bundle)
    assert done.returncode == 2
    assert re.search(r"expected TensorFlow Lite 2\.\d+\.0 or later, found tflite-runtime 2\.14\.0", done.stderr)
