"""Commands: from a request to the device's answer, in a thread of their own."""

from __future__ import annotations

import logging
import queue
import re
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol, get_args

import msgspec

from edge_asd.backlog import Backlog
from edge_asd.errors import EdgeAsdError
from edge_asd.firmware import CommandName
from edge_asd.publish.payloads import Record
from edge_asd.publish.requests import (
    AcknowledgedData,
    ArmedData,
    CalibratedData,
    CommandRefusedError,
    Incoming,
    ReloadedData,
    Request,
    SnapshotData,
    StatusData,
    ThresholdData,
    Transaction,
    decode,
    transaction_of,
)
from edge_asd.ulid import PATTERN as ULID_PATTERN

_log = logging.getLogger(__name__)

_MOST_WAITING = 16
_STOP_S = 2.0
_SLOW = ("calibrate", "snapshot", "reload")


class Controls(Protocol):
    """What the device can be told to do. A source that is None stands for all, or for the only one.

    Each may raise :class:`CommandRefusedError`, or any other error of this package, whose message is the answer.
    """

    def status(self) -> StatusData:
        """Return how the device and all sources fare."""

    def thresholds(self, source: str | None) -> ThresholdData:
        """Return the thresholds in force."""

    def set_threshold(self, source: str | None, value: float | None) -> ThresholdData:
        """Set the threshold of one source, None for the configured one."""

    def arm(self, source: str | None, *, armed: bool) -> ArmedData:
        """Have sources give alarms, or none."""

    def acknowledge(self, source: str | None, event: str | None) -> AcknowledgedData:
        """Take note of the anomaly in progress, of all sources or with this id alone."""

    def calibrate(self, source: str | None, seconds: float | None) -> CalibratedData:
        """Find a new threshold from what is heard for some seconds from now on."""

    def snapshot(self, source: str | None) -> SnapshotData:
        """Record a clip of what is heard now."""

    def reload(self) -> ReloadedData:
        """Read the configuration and the bundles anew."""


Answer = Callable[[Incoming, Transaction, "dict[str, Any] | str"], None]
"""Takes the answer to a request: the request, its transaction, and the data or else why it was refused."""


def names() -> tuple[str, ...]:
    """Return the name of every command."""
    return get_args(CommandName)


class _Lane:
    """Requests that are carried out one after the other, in a thread of their own."""

    def __init__(self, name: str, work: Callable[[Incoming, Request], None]) -> None:
        self._work = work
        self._waiting: Backlog[tuple[Incoming, Request]] = Backlog(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, incoming: Incoming, request: Request) -> None:
        """Add a request; raises :class:`queue.Full`."""
        self._waiting.put((incoming, request))

    def stop(self) -> None:
        """End after the request that is under way, which is waited for, for a while."""
        self._waiting.close()
        # A command may have itself stopped: a reload that leads to another broker.
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        for incoming, request in self._waiting:
            self._work(incoming, request)


class Commands:
    """Carries out requests in their order; those that take long do not keep the others waiting.

    Parameters
    ----------
    allowed
        Whether commands are carried out: all, none, or those listed.
    answer
        Takes each answer; called from any thread, must not wait.
    """

    def __init__(self, allowed: bool | list[CommandName], answer: Answer) -> None:
        self.allowed = frozenset(names() if allowed is True else allowed or ())
        """Names of those that are carried out."""
        self._answer = answer
        self._controls: Controls | None = None
        self._quick = _Lane("commands", self._work)
        self._lanes = {name: _Lane(f"command {name}", self._work) for name in _SLOW}

    def obey(self, controls: Controls) -> None:
        """Begin to carry out commands on `controls`."""
        self._controls = controls
        for lane in (self._quick, *self._lanes.values()):
            lane.start()

    def stop(self) -> None:
        """Carry out nothing more; what is under way is waited for, for a while."""
        self._controls = None
        for lane in (self._quick, *self._lanes.values()):
            lane.stop()

    def take(self, incoming: Incoming) -> None:
        """Take a request, to be answered in its turn; never waits."""
        try:
            request = self._accepted(incoming)
            self._lanes.get(incoming.command, self._quick).put(incoming, request)
        except CommandRefusedError as error:
            self._refuse(incoming, transaction_of(incoming.payload), str(error))
        except queue.Full:
            problem = f"{_MOST_WAITING} other commands wait already; try again later"
            self._refuse(incoming, transaction_of(incoming.payload), problem)

    def _accepted(self, incoming: Incoming) -> Request:
        if incoming.command not in _CARRY_OUT:
            raise CommandRefusedError(f"there is no such command; there are {', '.join(_CARRY_OUT)}")
        if incoming.command not in self.allowed:
            raise CommandRefusedError("forbidden by mqtt.commands in the device's configuration")
        if self._controls is None:
            raise CommandRefusedError("the device is starting or stopping; try again later")
        return decode(incoming.payload)

    def _work(self, incoming: Incoming, request: Request) -> None:
        try:
            self._carry_out(incoming, request)
        except EdgeAsdError as error:
            self._refuse(incoming, request.transaction, str(error))
        except Exception:  # noqa: BLE001 - a guard: whatever a command does, the next is heard
            _log.exception("error in the command %s", incoming.command)
            self._refuse(incoming, request.transaction, "an error in this program; the device's log has more")

    def _carry_out(self, incoming: Incoming, request: Request) -> None:
        controls = self._controls
        if controls is None:
            raise CommandRefusedError("the device is stopping")
        data = _CARRY_OUT[incoming.command](controls, request)
        _log.info("command %s: done", incoming.command)
        self._answer(incoming, request.transaction, msgspec.to_builtins(data))

    def _refuse(self, incoming: Incoming, transaction: Transaction, problem: str) -> None:
        _log.warning("command %.64s refused: %s", incoming.command, problem)
        self._answer(incoming, transaction, problem)


def _status(controls: Controls, request: Request) -> StatusData:
    _no_value(request)
    return controls.status()


def _threshold(controls: Controls, request: Request) -> ThresholdData:
    value = request.value
    if value is None:
        return controls.thresholds(request.source)
    if value == "default":
        return controls.set_threshold(request.source, None)
    return controls.set_threshold(request.source, _number(value, "a threshold, 'default', or nothing to ask for it"))


def _arm(controls: Controls, request: Request) -> ArmedData:
    return controls.arm(_source(request), armed=True)


def _disarm(controls: Controls, request: Request) -> ArmedData:
    return controls.arm(_source(request), armed=False)


def _acknowledge(controls: Controls, request: Request) -> AcknowledgedData:
    value = request.value
    if isinstance(value, str) and re.fullmatch(ULID_PATTERN, value):
        return controls.acknowledge(request.source, value)
    return controls.acknowledge(_source(request), None)


def _calibrate(controls: Controls, request: Request) -> CalibratedData:
    value = request.value
    if value is not None and not 0 < (value := _number(value, "seconds to listen for, or nothing")) <= 86_400:
        raise CommandRefusedError(f"value: expected at most 86400 seconds, above 0, found {value:g}")
    return controls.calibrate(request.source, value)


def _snapshot(controls: Controls, request: Request) -> SnapshotData:
    return controls.snapshot(_source(request))


def _reload(controls: Controls, request: Request) -> ReloadedData:
    _no_value(request)
    return controls.reload()


_CARRY_OUT: dict[str, Callable[[Controls, Request], Record]] = {
    "status": _status,
    "threshold": _threshold,
    "arm": _arm,
    "disarm": _disarm,
    "acknowledge": _acknowledge,
    "calibrate": _calibrate,
    "snapshot": _snapshot,
    "reload": _reload,
}


def _no_value(request: Request) -> None:
    if request.value is not None or request.source is not None:
        raise CommandRefusedError("expected neither a value nor a source")


def _number(value: object, expected: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < sys.float_info.max:
        return float(value)
    raise CommandRefusedError(f"value: expected {expected}, found {_shown(value)}")


def _source(request: Request) -> str | None:
    value = request.value
    if value is None or value == request.source:
        return request.source
    if isinstance(value, str) and request.source is None:
        return value
    raise CommandRefusedError(f"value: expected the name of a source or nothing, found {_shown(value)}")


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:39]}…"
