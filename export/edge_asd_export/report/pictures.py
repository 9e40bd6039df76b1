"""The pictures of a report, as PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_asd.audio import cut_blocks, read_blocks
from edge_asd.features import StreamFrontEnd, build_front_end
from edge_asd.frames import Framer
from edge_asd.recipe.front_ends import Decibel, LogSpectrogram
from edge_asd_export.report.facts import ClipFacts, ScoreFacts
from edge_asd_export.report.text import name_of

if TYPE_CHECKING:
    from edge_asd_export.exporter import Excerpt

_DPI = 110
_BLUE, _GREEN, _RED = "#3366aa", "#338855", "#bb3333"
_FRAME_S = 0.064
"""Least length of a frame, in seconds."""
_DYNAMIC_RANGE_DB = 80.0


def histogram(scores: ScoreFacts) -> bytes:
    """Draw how the scores are spread, each group in its colour, and the threshold among them."""
    groups = [
        ("normal, held out", scores.held_out, _BLUE),
        ("normal, not trained on", scores.normal, _GREEN),
        ("anomalous", scores.anomalous, _RED),
    ]
    shown = np.concatenate([values for _, values, _ in groups if values] + [[scores.threshold]])
    edges = np.linspace(shown.min(), max(shown.max(), shown.min() + 1e-9), 41)
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for label, values, colour in groups:
        if values:
            axes.hist(
                values, edges.tolist(), label=f"{label} ({len(values)})", color=colour, alpha=0.65, edgecolor="white"
            )
    axes.axvline(scores.threshold, color="black", linestyle="--", label=f"threshold {scores.threshold:.3g}")
    axes.set(xlabel="score (higher is more anomalous)", ylabel="stretches")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def spectrograms(
    clips: Sequence[tuple[ClipFacts, Excerpt]], *, sample_rate: int, channel: int | Literal["mix"], seconds: float
) -> bytes:
    """Draw the spectrogram of each clip, all on one scale so that they can be compared.

    Parameters
    ----------
    clips
        Clips, and where their sound is.
    sample_rate
        Rate that the bundle listens at, in hertz.
    channel
        Channel that it listens to.
    seconds
        Length of a clip.
    """
    levels = [_levels(excerpt, sample_rate, channel, round(seconds * sample_rate)) for _, excerpt in clips]
    loudest = max(float(level.max()) for level in levels)
    figure = Figure(figsize=(8, 1.9 * len(clips)), layout="constrained")
    for position, ((clip, _), level) in enumerate(zip(clips, levels, strict=True), 1):
        axes = figure.add_subplot(len(clips), 1, position)
        axes.imshow(
            level.T,
            origin="lower",
            aspect="auto",
            extent=(0.0, seconds, 0.0, sample_rate / 2000),
            vmin=loudest - _DYNAMIC_RANGE_DB,
            vmax=loudest,
            cmap="viridis",
            interpolation="nearest",
        )
        axes.set_title(f"score {clip.score:.3g}: {name_of(clip)}", fontsize=9, loc="left", parse_math=False)
        axes.set_ylabel("kHz")
        if position == len(clips):
            axes.set_xlabel("seconds")
    return _png(figure)


def _levels(excerpt: Excerpt, sample_rate: int, channel: int | Literal["mix"], length: int) -> NDArray[np.float32]:
    blocks = read_blocks(excerpt.recording, channel=channel, sample_rate=sample_rate)
    samples = np.concatenate(list(cut_blocks(blocks, excerpt.start, excerpt.start + length)))
    frame = 1 << math.ceil(math.log2(_FRAME_S * sample_rate))
    settings = LogSpectrogram(n_fft=frame, hop_length=frame // 2, log=Decibel(amin=1e-12))
    front_end = build_front_end(settings, sample_rate)
    if not isinstance(front_end, StreamFrontEnd):
        raise TypeError("a spectrogram without padding works frame by frame")
    framer = Framer(front_end.frame_length, front_end.hop_length)
    return np.concatenate([front_end.process(frames).copy() for frames in framer.process(samples)])


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(file, format="png", dpi=_DPI, metadata={"Software": None})
    return file.getvalue()
