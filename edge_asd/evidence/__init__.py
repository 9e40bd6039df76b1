"""What is kept of an anomaly on the device: the sound before and after its beginning, and a picture of it."""

from edge_asd.evidence.recorder import Recorder
from edge_asd.evidence.store import ClipStore, Saving
from edge_asd.evidence.teller import Teller

__all__ = ["ClipStore", "Recorder", "Saving", "Teller"]
