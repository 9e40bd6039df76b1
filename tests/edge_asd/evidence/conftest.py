"""Settings and stores of clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_asd.evidence import ClipStore
from edge_asd.firmware import Evidence


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Evidence]:
    def make(**changed: Any) -> Evidence:
        return Evidence(**{"path": str(tmp_path / "clips"), "keep_free_bytes": 0, **changed})

    return make


@pytest.fixture
def store(settings: Callable[..., Evidence]) -> ClipStore:
    return ClipStore(settings())
