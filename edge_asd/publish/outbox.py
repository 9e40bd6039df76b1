"""Events that wait until the broker has acknowledged them: handed over at once, written to disk by a thread of its own.

An event can be sent from the moment it is put, whether the disk has it yet or not, so a slow disk delays no alarm; what
only memory holds is what a power cut or `kill -9` would take: the few milliseconds of a commit, unless the disk fails.
Where the disk is full or cannot be written, memory goes on alone, as far as it reaches, and the disk is tried again.
"""

from __future__ import annotations

import itertools
import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from edge_asd.errors import InputError
from edge_asd.publish.payloads import Event, Spool
from edge_asd.publish.spool import MOST_UNENDED, Entry, SpoolFile, Stock, is_alarm, is_damage

_log = logging.getLogger(__name__)

START = -(1 << 62)
"""An order before all others."""
_BATCH = 64
_FORGET_S = 1.0
_LOOK_AROUND_S = 60.0
_CLOSE_S = 5.0
_REPEAT_S = 600.0
_EMPTY = Stock(0, 0, None, 0)
_NO_ROOM = "no room for all events that wait"
_TOO_OLD = "events have waited for longer than they may"
_DAMAGED = "events in the spool are damaged and cannot be read"


class Outbox:
    """Events in their order, forgotten on :meth:`acknowledge`. Any thread may call.

    :meth:`put`, :meth:`acknowledge`, :meth:`newest` and :meth:`summary` never wait for the disk. :meth:`open` and
    :meth:`after` read from it in the caller's thread, and :meth:`close` waits for what is still to be written.

    What does not fit goes the oldest that is no alarm first, and is counted. What is on its way to the broker at that
    moment may be counted as dropped and arrive all the same.

    Parameters
    ----------
    open_file
        Opens the file that events are kept in between :meth:`open` and :meth:`close`; memory alone where left out.
    capacity
        Most events that are kept in memory, each of about 2 kB: all of them without a file, else those that the file
        does not have yet.
    retry_s
        Seconds after which a file that could not be opened or written is tried again.
    """

    def __init__(
        self, open_file: Callable[[], SpoolFile] | None = None, capacity: int = 5000, retry_s: float = 10.0
    ) -> None:
        self._open_file = open_file or _no_file
        self._has_file = open_file is not None
        self._capacity = capacity
        self._retry_s = retry_s
        self._news = threading.Condition()
        self._newest = 0
        self._lowest = 1
        self._dropped: Counter[str] = Counter()
        # An entry goes from fresh over writing into the file; whatever is acknowledged once it is no longer fresh is
        # done, until the file has forgotten it.
        self._fresh: dict[int, Event] = {}
        self._writing: dict[int, Event] = {}
        self._done: set[int] = set()
        # Whoever was told of a beginning waits for the end, so what has arrived is noted all the same.
        self._course: dict[str, Event] = {}
        self._noting: dict[str, Event] = {}
        self._file: SpoolFile | None = None
        self._stock = _EMPTY
        self._fault: str | None = None
        self._told, self._told_at = "", 0.0
        self._damaged = False
        self._epoch = 0
        self._unended: list[Event] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    @property
    def epoch(self) -> int:
        """Grows whenever entries have turned up before others that may have been read already."""
        return self._epoch

    # What other threads call.

    def open(self) -> None:
        """Open the file, and begin to write; what an earlier process left there waits from now on.

        A file that cannot be opened is told, and tried again later.
        """
        if self._has_file:
            self._try(self._usable_file)
            self._thread.start()

    def unended(self) -> list[Event]:
        """Return the last event of each anomaly that an earlier process has begun and could not end."""
        return self._unended or []

    def close(self) -> None:
        """Write what memory still holds, for at most some seconds, and close the file."""
        if self._thread.is_alive():
            with self._news:
                self._stopping = True
                self._news.notify_all()
            self._thread.join(_CLOSE_S)

    def put(self, event: Event) -> None:
        """Add an event; where memory has no room, drop the oldest that is no alarm, be it this one, and count it."""
        with self._news:
            self._newest += 1
            self._fresh[self._newest] = event
            if len(self._fresh) > self._capacity:
                self._drop()
            if self._has_file:
                self._note({event.id: event})
            self._news.notify_all()

    def after(self, order: int, count: int) -> list[Entry]:
        """Return the oldest entries, at most `count`, whose order is greater than `order`; this reads the file."""
        # Memory before disk: what passes from one to the other in between is then seen twice, not missed.
        with self._news:
            held = {**self._writing, **self._fresh}
            file, behind = self._file, self._stock.newest
        found = {entry.order: entry for entry in self._stored(file, order, behind, count)} if file else {}
        found.update((key, Entry(key, held[key])) for key in sorted(held) if key > order)
        with self._news:
            return [found[key] for key in sorted(found) if key not in self._done][:count]

    def acknowledge(self, order: int) -> None:
        """Forget an entry that has arrived; one that is no longer there is no error."""
        with self._news:
            if self._fresh.pop(order, None) is None and (order in self._writing or order <= self._stock.newest):
                self._done.add(order)
                self._news.notify_all()

    def newest(self) -> int:
        """Return the order of the entry last put, 0 before the first."""
        return self._newest

    def summary(self) -> Spool:
        """Return how many wait, since when, and how many were dropped."""
        with self._news:
            held = len(self._fresh) + len(self._writing)
            depth = max(0, self._stock.depth + held - len(self._done))
            first = next(itertools.chain(self._writing.values(), self._fresh.values()), None)
            oldest = self._stock.oldest if self._stock.depth > len(self._done) else first.ts if first else None

            return Spool(
                depth=depth,
                oldest=oldest if depth else None,
                dropped=self._dropped.total(),
                in_memory=held,
                error=self._fault,
            )

    def _stored(self, file: SpoolFile, order: int, newest: int, count: int) -> Iterator[Entry]:
        found = 0
        while order < newest and found < count:
            rows = self._read(file, order, count)
            if not rows:
                return
            for place, event in rows:
                if event is None:
                    self._give_up(place)
                elif place not in self._done:
                    found += 1
                    yield Entry(place, event)
            order = rows[-1][0]

    def _read(self, file: SpoolFile, order: int, count: int) -> list[tuple[int, Event | None]]:
        try:
            return file.after(order, count)
        except sqlite3.Error as error:
            with self._news:
                # One that was replaced meanwhile says nothing of the file in use; what that holds is a new epoch.
                if file is self._file:
                    self._damaged = is_damage(error)
                    self._tell(error)
                    self._news.notify_all()
            return []

    def _give_up(self, order: int) -> None:
        with self._news:
            if order not in self._done:
                self._done.add(order)
                self._count_dropped(1, _DAMAGED)

    def _note(self, course: dict[str, Event]) -> None:
        self._course.update(course)
        while len(self._course) > MOST_UNENDED:
            del self._course[next(iter(self._course))]

    def _drop(self) -> None:
        order = min(self._fresh, key=lambda order: (is_alarm(self._fresh[order]), order))
        del self._fresh[order]
        self._count_dropped(1, _NO_ROOM)

    def _count_dropped(self, count: int, why: str) -> None:
        before = self._dropped[why]
        now = self._dropped[why] = before + count
        if now.bit_length() > before.bit_length():
            _log.warning("%s: %d dropped so far", why, now)

    # The thread.

    def _run(self) -> None:
        while not self._awaits_work():
            self._try(self._tend)
        self._try(self._tend)
        if self._file is not None:
            self._file.close()

    def _awaits_work(self) -> bool:
        """Wait until there is something to write; say whether that is the last of it."""
        with self._news:
            if self._fault is not None:
                self._news.wait_for(lambda: self._stopping, self._retry_s)
            else:
                self._news.wait_for(lambda: self._is_urgent() or bool(self._done), _LOOK_AROUND_S)
                # What arrived may be forgotten late, many at once: at worst it is sent twice.
                self._news.wait_for(self._is_urgent, _FORGET_S if self._done else 0)
            return self._stopping

    def _is_urgent(self) -> bool:
        return bool(self._fresh or self._course) or self._damaged or self._stopping

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a guard: the thread must outlive any fault of the disk
            if not isinstance(error, (sqlite3.Error, OSError, InputError)):
                _log.exception("error in the spool's thread")
            with self._news:
                self._damaged = is_damage(error)
                self._tell(error)
        else:
            self._recover()

    def _tend(self) -> None:
        file = self._usable_file()
        while self._take():
            try:
                dropped = file.add(itertools.starmap(Entry, self._writing.items()), self._noting.values())
                self._settle(file.stock(), dropped)
            except BaseException:
                self._put_back()
                raise
        while done := self._some_done():
            file.remove(done)
            self._settle(file.stock(), forgotten=done)
        aged = file.age()
        if aged:
            self._settle(file.stock(), aged, why=_TOO_OLD)

    def _usable_file(self) -> SpoolFile:
        file = self._file
        if file is not None and self._damaged and file.is_in_place():
            file.set_aside("found while in use")
        if file is None or self._damaged or not file.is_in_place():
            file = self._reopen()
        return file

    def _reopen(self) -> SpoolFile:
        with self._news:
            file, self._file, self._stock = self._file, None, _EMPTY
            self._done.clear()
        if file is not None:
            file.close()
        opened = self._open_file()
        # What is still under way may be acknowledged by an order of before: it must not be another event's.
        self._lowest = opened.number_below(self._lowest)
        stock = opened.stock()
        if self._unended is None:
            self._unended = opened.unended()
        with self._news:
            self._file, self._stock, self._damaged = opened, stock, False
            self._epoch += 1
        return opened

    def _take(self) -> bool:
        """Take what is to be written next; say whether there is any."""
        with self._news:
            orders = list(itertools.islice(self._fresh, _BATCH))
            self._writing = {order: self._fresh.pop(order) for order in orders}
            self._noting, self._course = self._course, {}
            return bool(self._writing or self._noting)

    def _some_done(self) -> list[int]:
        with self._news:
            return list(itertools.islice(self._done, _BATCH))

    def _put_back(self) -> None:
        with self._news:
            waiting = {order: event for order, event in self._writing.items() if order not in self._done}
            self._done.difference_update(self._writing)
            self._fresh, self._writing = {**waiting, **self._fresh}, {}
            newer, self._course = self._course, self._noting
            self._noting = {}
            self._note(newer)
            while len(self._fresh) > self._capacity:
                self._drop()

    def _settle(self, stock: Stock, dropped: int = 0, forgotten: Iterable[int] = (), why: str = _NO_ROOM) -> None:
        with self._news:
            self._stock, self._writing, self._noting = stock, {}, {}
            self._done.difference_update(forgotten)
            if dropped:
                self._count_dropped(dropped, why)

    def _tell(self, error: BaseException) -> None:
        problem = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        now = time.monotonic()
        if problem != self._told or now - self._told_at > _REPEAT_S:
            self._told, self._told_at = problem, now
            _log.error("the spool cannot be used: %s; events are kept in memory, the disk is tried again", problem)
        self._fault = problem

    def _recover(self) -> None:
        with self._news:
            if self._fault is None:
                return
            self._fault = None
            self._epoch += 1
            count = self._stock.depth
        _log.info("the spool can be used again; it holds %d events", count)


def _no_file() -> SpoolFile:
    raise OSError("there is none")
