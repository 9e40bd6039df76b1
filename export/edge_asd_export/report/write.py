"""Writes a report's three files."""

from __future__ import annotations

from pathlib import Path

from edge_asd.errors import InputError
from edge_asd.files import write_atomically
from edge_asd.text import legible, to_json
from edge_asd_export.exporter import Exported
from edge_asd_export.report import page, pictures, text
from edge_asd_export.report.facts import clip_at, collect, extremes


def prepare_folder(folder: Path) -> None:
    """Make the folder of a report, before the long work that it is to tell of.

    Raises
    ------
    InputError
        When it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--report {folder}", expected="a folder to write to", found=error.strerror or str(error)
        ) from error


def write_report(folder: Path, exported: Exported, output: Path) -> Path:
    """Write `report.txt`, `report.json` and `report.html` on the bundle at `output`, and return the page's path."""
    facts = collect(exported, output)
    recipe = exported.bundle.recipe
    lowest, highest = extremes(exported)
    clips = [(clip_at(exported, place), exported.excerpts[place]) for place in (*highest, *reversed(lowest))]
    shown = page.Pictures(
        histogram=pictures.histogram(facts.scores),
        spectrograms=pictures.spectrograms(
            clips, sample_rate=recipe.sample_rate, channel=recipe.channel, seconds=recipe.horizon.seconds
        ),
    )
    contents = {
        "report.txt": legible(text.full(facts, text.describe(exported, output))).encode(),
        "report.json": to_json(facts, indent=2) + b"\n",
        "report.html": legible(page.render(facts, shown)).encode(),
    }
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return folder / "report.html"
