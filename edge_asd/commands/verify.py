"""`edge-asd verify`: is this bundle whole, and does it give its own scores on this machine?"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from edge_asd import golden
from edge_asd.bundle import read_bundle
from edge_asd.interpreter import Engine, find_runtime
from edge_asd.scoring import Scorer

EXAMPLE = """\
  edge-asd verify pump.easd

exit status: 0 every stage is within tolerance, 1 some stage is not, 2 it is not a whole bundle"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", type=Path, help="bundle to check")
    parser.add_argument("--threads", type=int, default=1, help="threads of each interpreter (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Print every stage's deviation; 1 where one is beyond its tolerance."""
    bundle = read_bundle(arguments.bundle)
    engine = Engine(arguments.threads)
    # What the self-test does without is checked by building all that judges.
    Scorer(bundle, engine=engine)
    deviations = golden.check(bundle, engine=engine)
    width = max(len(deviation.stage) for deviation in deviations)
    print(f"bundle      {bundle.sha256}")
    print(f"recipe      {bundle.recipe.name}")
    if bundle.networks:
        runtime = find_runtime()
        print(f"interpreter {runtime.name} {runtime.version}")
    for deviation in deviations:
        verdict = "holds" if deviation.holds else "FAILS"
        figures = f"deviation {deviation.largest:8.2e}  tolerance {deviation.tolerance:.0e}"
        print(f"{deviation.stage:<{width}}  {figures}  {verdict}")
    worst = max(deviations, key=lambda deviation: (math.isnan(deviation.largest), deviation.largest))
    print(f"largest deviation {worst.largest:.3g} ({worst.stage})")
    golden.refuse(bundle, deviations)
    return 0
