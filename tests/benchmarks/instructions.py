"""Counts the instructions that a second of sound costs: `python -m tests.benchmarks.instructions`.

Under valgrind's callgrind the figure is the same on any machine of one kind, however busy it is. Two runs of different
length are compared, so that starting up counts for nothing. Counted are the default recipe's front ends, as the daemon
runs them on blocks of a tenth of a second, and configuration A of the front end's benchmark in both precisions.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys

import numpy as np

from edge_asd.features import StreamFrontEnd, build_front_end
from edge_asd.frames import Framer
from edge_asd.recipe.front_ends import FrontEnd, LogMel
from edge_asd.recipe.shipped import load_recipe

RATE = 16000
BLOCK = RATE // 10
SHORT, LONG = 2, 12


def subjects() -> dict[str, list[FrontEnd]]:
    """Return the front ends that are counted together, by name."""
    branches = load_recipe("default").used_branches.values()
    shared = list(dict.fromkeys(branch.front_end for branch in branches))
    a = {p: LogMel(n_fft=1024, hop_length=512, n_mels=128, precision=p) for p in ("single", "double")}
    return {
        "default recipe, all its front ends": shared,
        "A  16 kHz, 1024/512, 128 mel, single": [a["single"]],
        "A  16 kHz, 1024/512, 128 mel, double": [a["double"]],
    }


def compute(front_ends: list[FrontEnd], seconds: int) -> None:
    """Put so much noise through the front ends."""
    samples = np.random.default_rng(0).standard_normal(seconds * RATE).astype(np.float32)
    streams = []
    for settings in front_ends:
        front_end = build_front_end(settings, RATE)
        assert isinstance(front_end, StreamFrontEnd)
        streams.append((front_end, Framer(front_end.frame_length, front_end.hop_length)))
    for start in range(0, len(samples), BLOCK):
        for front_end, framer in streams:
            for frames in framer.process(samples[start : start + BLOCK]):
                front_end.process(frames)


def count(number: int, seconds: int) -> int:
    """Return the instructions of a process that puts so much noise through the subject of this number."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-m"]
    child = [*command, "tests.benchmarks.instructions", "--subject", str(number), "--seconds", str(seconds)]
    finished = subprocess.run(
        child, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    counted = re.search(r"Collected : (\d+)", finished.stderr)
    assert counted is not None, finished.stderr
    return int(counted.group(1))


def report() -> None:
    """Print the figures, or that valgrind is missing."""
    if shutil.which("valgrind") is None:
        print("instructions: not counted, valgrind is not installed (Debian package valgrind)")
        return
    for number, name in enumerate(subjects()):
        each = (count(number, LONG) - count(number, SHORT)) / (LONG - SHORT)
        print(f"{name}: {each / 1e6:.2f} million instructions for a second of sound", flush=True)


def main() -> int:
    """Report, or be the process that is watched."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions", description=__doc__.split(":")[0])
    parser.add_argument("--subject", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.subject is None:
        report()
    else:
        compute(list(subjects().values())[asked.subject], asked.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
