"""Other machines and interpreters that bundles are tried on, named by the environment.

`EDGE_ASD_TEST_ARM64`: a command that runs a 64-bit Arm Python with its arguments, and, with `setup` before them,
installs requirements into it. `EDGE_ASD_TEST_TFLITE`: a Python that has tflite-runtime instead of LiteRT.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_DEVICE = ("numpy", "msgspec", "pyyaml", "soundfile", "soxr", "sounddevice", "paho-mqtt")
_NETS = """
import sys
import numpy as np
from pathlib import Path
from edge_asd.bundle import arrays_under, read_bundle
from edge_asd.interpreter import Network
bundle = read_bundle(Path(sys.argv[1]))
found = {}
for name, content in bundle.networks.items():
    network = Network(content, several_outputs=True)
    patches = arrays_under(bundle.arrays, "golden/patches")[name.rpartition("/")[2]].astype(np.float32)
    size = int(np.prod(network.input_shape))
    inputs = np.resize(patches, (int(sys.argv[3]), size)).reshape(-1, *network.input_shape)
    found[name] = np.stack([np.concatenate([o.ravel() for o in network.outputs(i)]) for i in inputs])
np.savez(sys.argv[2], **{name.replace("/", "."): values for name, values in found.items()})
"""


class Machine:
    """A Python that has this package's sources and its own interpreter.

    Parameters
    ----------
    command
        What runs it.
    environment
        Variables that it needs.
    """

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        self._command = list(command)
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments."""
        command = [*self._command, *map(str, arguments)]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=3600, check=False)

    def scores(self, bundle: Path, recordings: Path) -> dict[str, float]:
        """Return the score of each recording by its name."""
        done = self.run("-m", "edge_asd", "score", bundle, recordings, "--format", "json")
        assert done.returncode == 0, done.stderr
        return {Path(found["path"]).name: found["score"] for found in json.loads(done.stdout)}

    def net_outputs(self, bundle: Path, file: Path, runs: int) -> dict[str, Any]:
        """Return what each net of a bundle makes of its golden patches, exactly as they are in the bundle."""
        import numpy as np  # noqa: PLC0415

        done = self.run("-c", _NETS, bundle, file, str(runs))
        assert done.returncode == 0, done.stderr
        with np.load(file) as found:
            return {name: found[name] for name in found.files}


HERE = Machine([sys.executable])
"""This Python."""


def arm64(cpu: str) -> Machine:
    """Return an emulated board with a processor such as `cortex-a72`, and the interpreter of this very version."""
    _set_up(_named("EDGE_ASD_TEST_ARM64", "no command that runs a 64-bit Arm Python"))
    return Machine([os.environ["EDGE_ASD_TEST_ARM64"]], QEMU_CPU=cpu)


def tflite_runtime() -> Machine:
    """Return a Python with tflite-runtime."""
    return Machine([_named("EDGE_ASD_TEST_TFLITE", "no Python that has tflite-runtime")])


def _named(variable: str, otherwise: str) -> str:
    if not os.environ.get(variable):
        pytest.skip(f"{variable} names {otherwise}")
    return os.environ[variable]


@functools.cache
def _set_up(tool: str) -> None:
    wanted = importlib.metadata.version("ai-edge-litert")
    check = f"import importlib.metadata as m; assert m.version('ai-edge-litert') == '{wanted}'"
    if Machine([tool]).run("-c", f"{check}; import soundfile, soxr, yaml").returncode != 0:
        subprocess.run([tool, "setup", f"ai-edge-litert=={wanted}", *_DEVICE], check=True)
