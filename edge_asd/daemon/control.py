"""What commands do to the daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_asd.daemon.crew import Crew
from edge_asd.daemon.judgement import Judgement
from edge_asd.publish import Health, Publisher
from edge_asd.publish.payloads import Clip
from edge_asd.publish.requests import (
    AcknowledgedData,
    ArmedData,
    CalibratedData,
    CommandRefusedError,
    ReloadedData,
    SnapshotData,
    StatusData,
    ThresholdData,
)


@dataclass(frozen=True)
class Skills:
    """What a daemon can do beside judging; a CommandRefusedError says why it cannot now."""

    calibrate: Callable[[str, float | None], float]
    """Takes a source and seconds to listen for; returns the new threshold."""
    snapshot: Callable[[str], Clip]
    """Takes a source; records a clip and returns it."""
    reload: Callable[[], dict[str, str]]
    """Reads configuration and bundles anew; returns the SHA-256 of each source's bundle."""


class Control:
    """The daemon as commands see it: :class:`edge_asd.publish.commands.Controls` over its sources.

    Parameters
    ----------
    crew
        Returns whoever listens now.
    publisher
        What publishes for them.
    health
        Returns how the device fares.
    skills
        What else it can do.
    """

    def __init__(
        self, crew: Callable[[], Crew], publisher: Publisher, health: Callable[[], Health], skills: Skills
    ) -> None:
        self._crew = crew
        self._publisher = publisher
        self._health = health
        self._skills = skills

    def status(self) -> StatusData:
        """Return how the device and all sources fare, and publish it."""
        self._publisher.health(self._health())
        return self._publisher.status()

    def thresholds(self, source: str | None) -> ThresholdData:
        """Return the thresholds in force."""
        return ThresholdData(thresholds={judgement.name: judgement.threshold for judgement in self._all(source)})

    def set_threshold(self, source: str | None, value: float | None) -> ThresholdData:
        """Set the threshold of one source, None for the configured one."""
        judgement = self._one(source)
        judgement.set_threshold(value)
        return self.thresholds(judgement.name)

    def arm(self, source: str | None, *, armed: bool) -> ArmedData:
        """Have sources give alarms, or none."""
        judgements = self._all(source)
        for judgement in judgements:
            judgement.arm(armed=armed)
        return ArmedData(armed={judgement.name: judgement.armed for judgement in judgements})

    def acknowledge(self, source: str | None, event: str | None) -> AcknowledgedData:
        """Take note of the anomaly in progress, of all sources or with this id alone."""
        noted = {judgement.name: judgement.acknowledge(event) for judgement in self._all(source)}
        found = {name: each for name, each in noted.items() if each is not None}
        if not found:
            which = "" if event is None else f" with the id {event}"
            raise CommandRefusedError(f"there is no anomaly{which} in progress that nobody has taken note of")
        return AcknowledgedData(acknowledged=found)

    def calibrate(self, source: str | None, seconds: float | None) -> CalibratedData:
        """Find a new threshold from what is heard for some seconds from now on."""
        name = self._one(source).name
        return CalibratedData(thresholds={name: self._skills.calibrate(name, seconds)})

    def snapshot(self, source: str | None) -> SnapshotData:
        """Record a clip of what is heard now."""
        names = [judgement.name for judgement in self._all(source)]
        return SnapshotData(clips={name: self._skills.snapshot(name) for name in names})

    def reload(self) -> ReloadedData:
        """Read the configuration and the bundles anew."""
        return ReloadedData(bundles=self._skills.reload())

    def _all(self, source: str | None) -> list[Judgement]:
        listeners = self._crew().listeners
        if source is None:
            return [listener.judgement for listener in listeners.values()]
        if source not in listeners:
            raise CommandRefusedError(f"there is no source {source[:64]!r}; there are {', '.join(listeners)}")
        return [listeners[source].judgement]

    def _one(self, source: str | None) -> Judgement:
        judgements = self._all(source)
        if len(judgements) > 1:
            names = ", ".join(judgement.name for judgement in judgements)
            raise CommandRefusedError(f"name the source it is for: one of {names}")
        return judgements[0]
