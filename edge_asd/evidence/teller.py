"""Tells of anomalies in their order; the end of one waits for its clip, but nobody waits for that."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from edge_asd.evidence.store import Saving
from edge_asd.publish import Event

_log = logging.getLogger(__name__)

FINISH_S = 2.0
"""Seconds that the end of an anomaly may wait for its clip."""
_SPARE_S = 1.0


class _Held(NamedTuple):
    event: Event
    saving: Saving | None
    due: float
    """When it is told at the latest, by the monotonic clock."""


class Teller:
    """Passes the events of one source on; any thread may call.

    While an event waits for its clip, those after it wait behind it, none of them for longer than two seconds.

    Parameters
    ----------
    tell
        Takes an event; must not wait.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._news = threading.Condition()
        self._held: deque[_Held] = deque()

    def event(self, event: Event, saving: Saving | None = None) -> None:
        """Tell of an event, once its clip is written where one is on its way; never waits."""
        with self._news:
            if not self._held and (saving is None or saving.is_over):
                self._tell(_with_clip(event, saving))
                return
            self._held.append(_Held(event, saving, time.monotonic() + FINISH_S))
            if len(self._held) == 1:
                self._start()

    def settle(self) -> None:
        """Wait until everything is told, for some seconds at most: the disk may hang."""
        with self._news:
            self._news.wait_for(lambda: not self._held, FINISH_S + _SPARE_S)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._run, args=(self._held[0],), name="events", daemon=True).start()
        except RuntimeError:
            # There is no thread to be had: without its clip it is told all the same.
            self._pass_on(self._held[0].event)

    def _run(self, first: _Held) -> None:
        held: _Held | None = first
        while held is not None:
            if held.saving is not None:
                held.saving.result(max(0.0, held.due - time.monotonic()))
            held = self._pass_on(_with_clip(held.event, held.saving))

    def _pass_on(self, event: Event) -> _Held | None:
        """Tell of the event that waits first, and return the one after it."""
        with self._news:
            try:
                self._tell(event)
            except Exception:  # noqa: BLE001 - a guard: those that wait behind it are to be told
                _log.exception("an event could not be told")
            self._held.popleft()
            self._news.notify_all()
            return self._held[0] if self._held else None


def _with_clip(event: Event, saving: Saving | None) -> Event:
    return event if saving is None else replace(event, clip=saving.result())
