"""Sound that lacks frequencies which a bundle has learnt: it was sampled at a lower rate."""

from __future__ import annotations

import logging
from pathlib import Path

from edge_asd.audio import probe_recording
from edge_asd.bundle import Bundle

_log = logging.getLogger(__name__)


class BandwidthWatch:
    """Says in the log, once for each sampling rate, that sound lacks frequencies which a bundle has learnt."""

    def __init__(self, bundle: Bundle) -> None:
        self._learnt_hz = min(bundle.manifest.training.bandwidth_hz, bundle.recipe.sample_rate / 2)
        self._told: set[int] = set()

    def look_at(self, path: Path) -> None:
        """Look at a recording's own sampling rate; an InputError where it cannot be read."""
        self.take(str(path), probe_recording(path).native_rate)

    def take(self, where: str, rate: int) -> None:
        """Take the rate, in hertz, at which sound was sampled; `where` says what sound."""
        if rate / 2 >= self._learnt_hz or rate in self._told:
            return
        self._told.add(rate)
        _log.warning(
            "%s: sampled at %d Hz, it holds nothing above %g Hz, and the bundle has learnt up to %g Hz: that alone may "
            "make it and its like anomalous; record at %g Hz or more",
            where,
            rate,
            rate / 2,
            self._learnt_hz,
            2 * self._learnt_hz,
        )
