"""How the device fares, in the text format of Prometheus, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from edge_asd.publish import Disturbances, Health, State, Statistics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metric(NamedTuple):
    """A figure, with its value for each set of labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    values: list[tuple[dict[str, str], float | None]]
    """Those that are None are left out."""


def exposition(health: Health, statistics: Statistics, states: Mapping[str, State]) -> str:
    """Return all figures as text."""
    return "".join(_text(metric) for metric in _metrics(health, statistics, states))


def _metrics(health: Health, statistics: Statistics, states: Mapping[str, State]) -> Iterator[Metric]:
    yield _single("uptime_seconds", "gauge", "Since the daemon started.", health.uptime_s)
    yield _single("resident_bytes", "gauge", "Memory of the daemon and its children.", health.rss_bytes)
    yield _single("cpu_celsius", "gauge", "Temperature of the processor.", health.cpu_temperature_c)
    yield _single("reloads_total", "counter", "Configurations read anew.", health.reloads.done)
    yield _single("reloads_refused_total", "counter", "Configurations that could not be used.", health.reloads.refused)
    yield _single("clips_written_total", "counter", "Clips of anomalies kept.", health.evidence.written)
    yield _single("clips_lost_total", "counter", "Clips that could not be written.", health.evidence.lost)
    yield _single("broker_connected", "gauge", "Whether the broker has accepted us.", statistics.connected)
    yield _single("broker_connections_total", "counter", "Connections made.", statistics.broker.connections)
    yield _single("broker_refused_total", "counter", "Messages that the broker refused.", statistics.broker.refused)
    yield _single("spool_events", "gauge", "Events that wait for their acknowledgement.", statistics.spool.depth)
    yield _single("spool_dropped_total", "counter", "Events given up.", statistics.spool.dropped)
    yield from _of_sources(health)
    yield from _of_states(states)


def _of_sources(health: Health) -> Iterator[Metric]:
    sources = health.sources.items()
    yield Metric(
        "edge_asd_windows_scored_total", "counter", "Decision horizons scored.",
        [({"source": name}, source.windows_scored) for name, source in sources],
    )  # fmt: skip
    yield Metric(
        "edge_asd_frames_dropped_total", "counter", "Audio frames lost, at the source's own rate.",
        [({"source": name}, source.frames_dropped) for name, source in sources],
    )  # fmt: skip
    yield Metric(
        "edge_asd_microphone", "gauge", "State of the microphone: 1 of the one that it is in.",
        [({"source": name, "state": source.microphone}, 1) for name, source in sources],
    )  # fmt: skip
    yield Metric(
        "edge_asd_level_dbfs", "gauge", "Level of the last second.",
        [({"source": name}, source.level_dbfs) for name, source in sources],
    )  # fmt: skip
    yield Metric(
        "edge_asd_dc_offset", "gauge", "Mean of the last second.",
        [({"source": name}, source.dc_offset) for name, source in sources],
    )  # fmt: skip
    yield Metric(
        "edge_asd_clipped_share", "gauge", "Share of the last second at full scale.",
        [({"source": name}, source.clipped_share) for name, source in sources],
    )  # fmt: skip
    yield Metric(
        "edge_asd_disturbances_total", "counter", "What has disturbed the hearing.",
        [({"source": name, "kind": kind}, getattr(source.disturbances, kind))
         for name, source in sources for kind in Disturbances.__struct_fields__],
    )  # fmt: skip


def _of_states(states: Mapping[str, State]) -> Iterator[Metric]:
    yield Metric(
        "edge_asd_verdict", "gauge", "Verdict: 1 of the one that holds.",
        [({"source": name, "verdict": state.verdict}, 1) for name, state in states.items()],
    )  # fmt: skip
    yield Metric(
        "edge_asd_score", "gauge", "Anomaly score of the last decision.",
        [({"source": name}, state.score) for name, state in states.items()],
    )  # fmt: skip
    yield Metric(
        "edge_asd_threshold", "gauge", "Threshold in force.",
        [({"source": name}, state.threshold) for name, state in states.items()],
    )  # fmt: skip


def _single(name: str, kind: Literal["counter", "gauge"], text: str, value: float | None) -> Metric:
    return Metric(f"edge_asd_{name}", kind, text, [({}, value)])


def _text(metric: Metric) -> str:
    # Ids of sources and our own words need no escaping: letters, digits, '_' and '-'.
    lines = [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
    for labels, value in metric.values:
        if value is not None:
            inside = ",".join(f'{name}="{word}"' for name, word in labels.items())
            lines.append(f"{metric.name}{{{inside}}} {float(value)!r}" if inside else f"{metric.name} {float(value)!r}")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""
