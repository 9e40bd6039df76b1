"""A report as one HTML page that holds all it shows: it opens offline, and runs no script."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from edge_asd_export.boards import MOST_LOAD
from edge_asd_export.report.facts import Facts, NetFacts
from edge_asd_export.report.text import name_of

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Nothing is fetched, whatever the page says."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.about { color: #666; margin-top: .2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
th { font-weight: 600; } td.number { font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; } code { font-size: .85em; overflow-wrap: anywhere; }
ul.notes { background: #fff6df; border-left: 4px solid #e0a800; padding: .6rem .6rem .6rem 2rem; }
.bad { color: #b00020; font-weight: 600; }
"""


class Pictures(NamedTuple):
    """The pictures of a page, as PNG."""

    histogram: bytes
    """Scores and threshold."""
    spectrograms: bytes
    """Highest and lowest scoring training clips."""


def render(facts: Facts, pictures: Pictures) -> str:
    """Return the page; whatever comes from outside is escaped."""
    body = [
        f"<h1>{escape(facts.bundle)}</h1>",
        f'<p class="about">recipe {escape(facts.recipe)}: {escape(facts.description)}</p>',
        _notes(facts.notes),
        _overview(facts),
        "<h2>Scores</h2>",
        _image(pictures.histogram, "Histogram of scores with the threshold"),
        _clips(facts),
        _image(pictures.spectrograms, "Spectrograms of the training clips that score highest, then lowest"),
        "<h2>Nets</h2>" + "".join(_net(net) for net in facts.nets) if facts.nets else "",
        _speed(facts),
        _stages(facts),
        _versions(facts),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(facts.bundle)}: export report</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _overview(facts: Facts) -> str:
    training, scores = facts.training, facts.scores
    rows = [
        ("SHA-256", f"<code>{escape(facts.sha256)}</code>"),
        ("size", f"{facts.size_bytes / 1024:.0f} KiB"),
        ("trained on", f"{training.recordings} recordings, {training.horizons} stretches of {facts.horizon_s:g} s"),
        ("threshold", f"{scores.threshold:.4g} ({escape(scores.rule)})"),
    ]
    if facts.quality:
        quality = facts.quality
        said = f"AUC {quality.auc:.3f}, pAUC {quality.pauc:.3f}"
        rows.append(("labelled", f"{said} ({quality.normal} normal, {quality.anomalous} anomalous {quality.ranked})"))
    return _table(rows)


def _notes(notes: Sequence[str]) -> str:
    return '<ul class="notes">' + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>" if notes else ""


def _clips(facts: Facts) -> str:
    rows = [("", "score", "clip")]
    for place, clips in (("highest", facts.highest), ("lowest", facts.lowest)):
        rows += [(place, f"{clip.score:.3g}", escape(name_of(clip))) for clip in clips]
    advice = "Listen to those that score highest: what is odd there, the bundle takes for normal."
    return f"<h2>Training clips at the two ends</h2><p>{advice}</p>{_table(rows, head=True)}"


def _net(net: NetFacts) -> str:
    cost = (
        f"{net.macs / 1e6:.4g} million multiply-accumulates a run, {net.runs_per_second:.4g} runs per second of sound: "
        f"{net.gmac_per_s:.3g} billion per second of sound"
    )
    needed = f"needs TensorFlow Lite {escape(net.minimum_runtime or '?')} or later"
    rows = [
        ("stored as", f"{escape(net.quantization)}: {escape(net.reason)}"),
        ("file", f"{net.size_bytes / 1024:.1f} KiB, <code>{net.sha256}</code>"),
        ("cost", cost),
        ("computed by", f"{escape(net.interpreter)} ({needed})"),
    ]
    if net.fidelity:
        found = net.fidelity
        words = [
            f"cosine {found.cosine:.4f}",
            f"mean-centred cosine {found.centred_cosine:.4f}",
            f"rank correlation of clip scores {found.spearman:.3f}",
        ]
        if found.auc_change is not None and found.pauc_change is not None:
            words.append(f"AUC {found.auc_change:+.3f}, pAUC {found.pauc_change:+.3f}")
        rows.append(("against float32", f"{', '.join(words)}; over {found.clips} clips"))
    return f"<h3>{escape(net.branch)}</h3>{_table(rows)}"


def _speed(facts: Facts) -> str:
    speed = facts.speed
    rows = [
        ("machine", "share of its time", ""),
        ("this one, measured", f"{speed.real_time_factor:.2g}", f"{escape(speed.machine)}, one thread, all stages"),
    ]
    for board in facts.boards:
        share = f"{board.real_time_factor:.2g}"
        if board.real_time_factor > MOST_LOAD:
            share = f'<span class="bad">{share}</span>'
        threads = f"{board.threads} thread{'s' if board.threads > 1 else ''}"
        rows.append((f"{escape(board.title)}, estimated", share, f"nets alone on {threads}; {escape(board.source)}"))
    return f"<h2>Real-time factor</h2>{_table(rows, head=True)}"


def _stages(facts: Facts) -> str:
    rows = [("stage", "deviation here", "accepted by verify")]
    rows += [(escape(stage.stage), f"{stage.deviation:.2e}", f"{stage.tolerance:.0e}") for stage in facts.stages]
    return f"<h2>Self-test</h2>{_table(rows, head=True)}"


def _versions(facts: Facts) -> str:
    made = ", ".join(f"{escape(name)} {escape(version)}" for name, version in facts.versions.items())
    return f'<p class="about">Made with {made}.</p>'


def _image(content: bytes, says: str) -> str:
    return f'<img alt="{escape(says)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'


def _table(rows: Iterable[Sequence[str]], *, head: bool = False) -> str:
    # The cells are HTML already.
    lines = []
    for index, row in enumerate(rows):
        heading = head and index == 0
        cells = "".join(
            f"<th>{cell}</th>" if heading or (not head and column == 0) else f'<td class="number">{cell}</td>'
            for column, cell in enumerate(row)
        )
        lines.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"
