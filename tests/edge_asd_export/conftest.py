"""One export, made once for all tests that only look at it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from edge_asd_export.exporter import Exported, export
from tests.edge_asd_export.small import recipe, write_normal, write_wrong


class Made(NamedTuple):
    """A small export: its recordings below `folder`, its bundle at `path`."""

    folder: Path
    path: Path
    exported: Exported


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made") / "recordings"
    write_normal(folder / "train" / "normal", 12)
    write_normal(folder / "test" / "normal", 5, first=50)
    write_wrong(folder / "test" / "abnormal", 4)
    path = folder.parent / "small.easd"
    return Made(folder, path, export([folder], recipe(), path, seed=1))
