"""Telling the plant: topics, payloads and the MQTT client, as the contract has them."""

from edge_asd.publish.client import Publisher, Statistics
from edge_asd.publish.payloads import (
    Band,
    BundleReference,
    Clip,
    Disturbances,
    Event,
    EvidenceHealth,
    Health,
    Info,
    Reloads,
    SourceHealth,
    SourceInfo,
    State,
)
from edge_asd.publish.schemas import payload_schemas

__all__ = [
    "Band",
    "BundleReference",
    "Clip",
    "Disturbances",
    "Event",
    "EvidenceHealth",
    "Health",
    "Info",
    "Publisher",
    "Reloads",
    "SourceHealth",
    "SourceInfo",
    "State",
    "Statistics",
    "payload_schemas",
]
