"""The picture: what was to be heard, what the device made of it, and what was really wrong, over one time axis."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from edge_asd.features.mel import hz_to_mel
from edge_asd.files import write_atomically
from edge_asd_export.demo.hearing import Hearing
from edge_asd_export.demo.outcome import Outcome
from edge_asd_export.demo.scenario import Scenario

_INK, _ALARM, _FAULT, _LIMIT = "#1f3a5f", "#c8553d", "#8a6d1f", "#444444"
_LABELLED_HZ = (100, 500, 1000, 2000, 4000, 8000, 16000)


def draw(path: Path, scenario: Scenario, hearing: Hearing, outcome: Outcome) -> None:
    """Write the picture as a PNG file.

    Parameters
    ----------
    path
        File to write, in one atomic step.
    scenario
        What was wrong, and when.
    hearing
        Spectrogram, scores and threshold of the whole stretch.
    outcome
        The alarms that came.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    figure = Figure(figsize=(12.0, 8.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    spectrum, score, fault = figure.subplots(3, 1, sharex=True, height_ratios=[3.0, 3.0, 1.2])
    image = _draw_spectrum(spectrum, hearing)
    figure.colorbar(image, ax=spectrum, label="level (dB)", pad=0.01, fraction=0.03)
    _draw_score(score, hearing, outcome)
    _draw_fault(fault, scenario)
    for axes in (score, fault):
        axes.spines[["top", "right"]].set_visible(False)
    for axes, colour in ((spectrum, "white"), (score, _LIMIT), (fault, _LIMIT)):
        axes.set_xlim(0, hearing.seconds / 60)
        for moment in (scenario.onset, scenario.repaired):
            axes.axvline(moment / 60, color=colour, linestyle=":", linewidth=1.1)
    figure.suptitle(
        f"A {scenario.machine.kind} machine, {scenario.snr_db:g} dB above factory noise; its fault: {scenario.fault}",
        fontsize=14,
    )
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_atomically(path, content.getvalue())


def _draw_spectrum(axes: Axes, hearing: Hearing) -> AxesImage:
    bands = hearing.bands
    top = bands.fmax or hearing.sample_rate / 2
    low, high = hz_to_mel(np.array([bands.fmin, top]), htk=bands.htk)
    # Rows are equally spaced in mel; a few loud moments must not take all of the colours.
    darkest, brightest = np.percentile(hearing.levels, [1.0, 99.7])
    image = axes.imshow(
        hearing.levels,
        origin="lower",
        aspect="auto",
        extent=(0, hearing.seconds / 60, low, high),
        vmin=darkest,
        vmax=brightest,
        cmap="magma",
        interpolation="nearest",
    )
    shown = [hz for hz in _LABELLED_HZ if bands.fmin <= hz <= top]
    axes.set_yticks(hz_to_mel(np.array(shown, float), htk=bands.htk), [f"{hz:,}" for hz in shown])
    axes.set_ylabel("frequency (Hz)")
    axes.set_title("What was to be heard: log-mel spectrogram", loc="left", fontsize=11)
    return image


def _draw_score(axes: Axes, hearing: Hearing, outcome: Outcome) -> None:
    axes.plot(hearing.ends / 60, hearing.scores, color=_INK, linewidth=0.9, label="score")
    axes.axhline(hearing.threshold, color=_LIMIT, linestyle="--", linewidth=1.1, label="threshold")
    for number, span in enumerate(outcome.spans):
        label = f"alarm on the broker, from minute {span.start / 60:.1f}" if number == 0 else None
        axes.axvspan(span.start / 60, span.end / 60, color=_ALARM, alpha=0.22, linewidth=0, label=label)
    axes.set_ylim(bottom=min(0.0, float(hearing.scores.min())))
    axes.set_ylabel("anomaly score")
    axes.set_title("What the device made of it", loc="left", fontsize=11)
    axes.legend(loc="upper left", frameon=False)


def _draw_fault(axes: Axes, scenario: Scenario) -> None:
    course = scenario.course()
    minutes = np.arange(len(course)) / 60
    axes.fill_between(minutes, course, color=_FAULT, alpha=0.35, linewidth=0)
    axes.plot(minutes, course, color=_FAULT, linewidth=1.2)
    axes.text(scenario.onset / 60, 0.95, "the fault begins ", ha="right", va="top", color=_LIMIT, fontsize=9)
    axes.text(scenario.repaired / 60, 0.95, " repaired", ha="left", va="top", color=_LIMIT, fontsize=9)
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("severity")
    axes.set_xlabel("time (minutes)")
    axes.set_title("What was really wrong with the machine", loc="left", fontsize=11)
