"""A microphone without hardware: EDGE_ASD_TEST_VIRTUAL_MIC names the tool that makes one.

The tool is a command with the words start (prints exports for the shell), play FILE, unplug, plug and stop.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOOL = os.environ.get("EDGE_ASD_TEST_VIRTUAL_MIC", "")


@contextmanager
def microphone(folder: Path) -> Iterator[dict[str, str]]:
    """Start a virtual microphone, and give the environment of whoever is to hear it."""
    surroundings = {**os.environ, "VIRTUAL_MIC_DIR": str(folder / "microphone")}
    said = subprocess.run([TOOL, "start"], env=surroundings, check=True, capture_output=True, text=True, timeout=300)
    try:
        yield {**surroundings, **dict(re.findall(r"^export (\w+)=(.*)$", said.stdout, re.MULTILINE))}
    finally:
        subprocess.run([TOOL, "stop"], env=surroundings, check=True, timeout=30)
