"""A demonstration's folder made by hand: a bundle that knows a hum, and a recording in which the hum goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from edge_asd_export.demo.folder import Folder
from tests.handmade import RATE, hum, write_handmade


@pytest.fixture(autouse=True)
def _as_talkative_as_before() -> Iterator[None]:
    """The embedded broker silences its library; other tests may want to hear it."""
    before = {name: logging.getLogger(name).level for name in ("amqtt", "transitions")}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Normal for 40 s, wrong for 40 s, normal again for 40 s."""
    folder = Folder(tmp_path_factory.mktemp("site") / "demo", "rotating")
    folder.prepare(None)
    write_handmade(folder.bundle)
    sound = np.concatenate([hum(40, 11), hum(40, 12, wrong=True), hum(40, 13)])
    soundfile.write(folder.stretch, sound, RATE, subtype="PCM_16")
    return folder
