"""Events on disk until the broker has acknowledged them: one SQLite file per device.

In SQLite's write-ahead mode a reader never waits for a writer, and a process that is killed in the middle of a commit
leaves a file that is whole (https://www.sqlite.org/wal.html). `synchronous=FULL` flushes the log to the disk at each
commit; with `NORMAL` a power cut could take back the last ones, and what cuts the power may well be the very machine
that the last alarm is about. The price, one flush for a few events an hour, is paid in the writer's thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge_asd.clock import boot_id, clock_synced
from edge_asd.files import sync_folder
from edge_asd.publish.payloads import Event, encode
from edge_asd.publish.spool_place import APPLICATION, require_spool_place
from edge_asd.publish.topics import is_id

_log = logging.getLogger(__name__)

VERSION = 1
"""Version of the file's layout, kept in the file itself."""
_LAYOUT = """
CREATE TABLE IF NOT EXISTS events (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL, type TEXT NOT NULL, seq INTEGER NOT NULL,
    ts TEXT NOT NULL, alarm INTEGER NOT NULL, size INTEGER NOT NULL,
    boot TEXT NOT NULL, uptime_s REAL NOT NULL, made_s REAL NOT NULL, synced INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (id, type, seq)
);
CREATE INDEX IF NOT EXISTS by_importance ON events (alarm, place, size);
CREATE TABLE IF NOT EXISTS unended (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, payload BLOB NOT NULL);
"""
_ADD = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BEGUN = "INSERT OR REPLACE INTO unended (id, payload) VALUES (?, ?)"
_ENDED = "DELETE FROM unended WHERE id = ?"
_FORGOTTEN = "DELETE FROM unended WHERE number <= (SELECT max(number) FROM unended) - ?"
_AGED = """
SELECT place FROM events
WHERE (boot = :boot AND uptime_s < :uptime_s - :age_s)
   OR (boot <> :boot AND synced AND :synced AND made_s < :now_s - :age_s)
"""
MOST_UNENDED = 64
"""Most anomalies in progress that are noted; a source has one at most."""
_PAGE_BYTES = 4096
_ROW_BYTES = 200
"""What a row takes beside its payload: its other columns and its share of two indices."""
_MOST_SET_ASIDE = 3
_LEAST_LOG_PAGES, _MOST_LOG_PAGES = 4, 256
_BUSY_S = 2.0


class Entry(NamedTuple):
    """An event that waits."""

    order: int
    """Rises from entry to entry: from 1 in this process, 0 or less for what an earlier one left."""
    event: Event
    """The event, identified by its `id`, `type` and `seq`."""


class Stock(NamedTuple):
    """What a spool file holds."""

    depth: int
    """Number of events."""
    size: int
    """Their bytes."""
    oldest: str | None
    """When the oldest was made; None where there is none, or it cannot be read."""
    newest: int
    """Order of the newest; 0 or less where this process has added none."""


class SpoolFile:
    """Events in a file, in their order.

    One thread may write (:meth:`add`, :meth:`remove`, :meth:`age`) while another reads (:meth:`after`). A lock beside
    the file keeps every other process out.

    Parameters
    ----------
    path
        The file; made, with its folder, where there is none. A spool that is damaged is set aside.
    max_bytes
        Most bytes that the file and its log may take. Events take a third of it at most: SQLite leaves pages up to half
        empty, and the log needs its part.
    max_age_s
        Seconds after which an event is given up, as far as its age can be known: within one boot of the machine by the
        time since that boot; across boots by the clock, where a time server had set it both then and now.

    Raises
    ------
    InputError
        When something else than a spool is there.
    OSError, sqlite3.Error
        When it cannot be opened, or another process has it.
    """

    def __init__(self, path: Path, max_bytes: int, max_age_s: float) -> None:
        require_spool_place(path)
        self.path = path
        self._budget = max_bytes // 3
        self._max_age_s = max_age_s
        self._log_pages = min(max(max_bytes // 4 // _PAGE_BYTES, _LEAST_LOG_PAGES), _MOST_LOG_PAGES)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(Path(f"{path}.lock"))
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        try:
            self._connect()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.set_aside(str(error))
            self._connect()
        self._base = int(self._value("SELECT ifnull(max(place), 0) FROM events"))
        self._inode = self.path.stat().st_ino
        sync_folder(self.path.parent)

    def _connect(self) -> None:
        self._writer = self._connection()
        try:
            self._prepare()
            self._reader = self._connection()
        except BaseException:
            self._writer.close()
            raise

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA cache_size = -256")
        return connection

    def _prepare(self) -> None:
        problem = self._value("PRAGMA quick_check(1)")
        version = self._value("PRAGMA user_version")
        if problem != "ok" or version not in {0, VERSION}:
            raise sqlite3.DatabaseError(f"layout {version}" if problem == "ok" else " ".join(str(problem).split()))
        for setting in (
            # First of all: what comes after stands in the log for a while, and only there.
            *(() if self._value("PRAGMA application_id") == APPLICATION else (f"application_id = {APPLICATION}",)),
            "journal_mode = WAL",
            "synchronous = FULL",
            f"wal_autocheckpoint = {self._log_pages}",
            f"journal_size_limit = {self._log_pages * _PAGE_BYTES}",
        ):
            self._writer.execute(f"PRAGMA {setting}")
        self._writer.executescript(_LAYOUT)
        if version != VERSION:
            self._writer.execute(f"PRAGMA user_version = {VERSION}")

    def _value(self, query: str) -> str | int:
        value: str | int = self._writer.execute(query).fetchone()[0]
        return value

    def is_in_place(self) -> bool:
        """Say whether the file still stands where it was opened; one that was removed takes what is written with it."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def number_below(self, order: int) -> int:
        """Have the orders of all that it holds lie below this one, and return the lowest."""
        self._base += 1 - order
        return min(order, int(self._value("SELECT ifnull(min(place), 0) FROM events")) - self._base)

    def set_aside(self, problem: str) -> None:
        """Move the damaged file and its log to a name ending in `.damaged` or, where that is taken, `.damaged-2`.

        Of so many that the disk could fill with them, the last gives way to the next.
        """
        names = [f"{self.path}.damaged", *(f"{self.path}.damaged-{count}" for count in range(2, _MOST_SET_ASIDE + 1))]
        aside = next((name for name in names if not os.path.lexists(name)), names[-1])
        for ending in ("", "-wal"):
            try:
                Path(f"{self.path}{ending}").replace(f"{aside}{ending}")
            except FileNotFoundError:
                Path(f"{aside}{ending}").unlink(missing_ok=True)
        Path(f"{self.path}-shm").unlink(missing_ok=True)
        _log.error("spool %s is damaged (%s); set aside as %s", self.path, problem, aside)

    def stock(self) -> Stock:
        """Return what the file holds; for the writing thread."""
        count, size = self._writer.execute("SELECT count(*), ifnull(sum(size), 0) FROM events").fetchone()
        first = self._writer.execute("SELECT payload FROM events ORDER BY place LIMIT 1").fetchone()
        oldest = _decoded(first[0]) if first else None
        newest = int(self._value("SELECT ifnull(max(place), 0) FROM events"))
        return Stock(count, size, oldest.ts if oldest else None, newest - self._base)

    def add(self, entries: Iterable[Entry], course: Iterable[Event] = ()) -> int:
        """Add entries, all or none, flushed to the disk; where there is no room, the oldest that is no alarm goes.

        Parameters
        ----------
        entries
            What waits for the broker.
        course
            The last event of each anomaly that has begun, gone on or ended, whether it waits or has arrived.

        Returns
        -------
        int
            How many events were dropped to make room.
        """
        with self._transaction():
            for event in course:
                self._note(event)
            self._writer.executemany(_ADD, [self._row(entry) for entry in entries])
            return self._make_room()

    def unended(self) -> list[Event]:
        """Return the last event of each anomaly that has begun and not ended; for the writing thread."""
        rows = self._writer.execute("SELECT payload FROM unended ORDER BY number").fetchall()
        return [event for (payload,) in rows if (event := _decoded(payload))]

    def remove(self, orders: Iterable[int]) -> None:
        """Remove entries, all or none."""
        with self._transaction():
            self._delete(order + self._base for order in orders)

    def age(self) -> int:
        """Remove what is older than it may be, and return how many that were."""
        now = {"boot": boot_id(), "uptime_s": _uptime_s(), "now_s": time.time(), "synced": clock_synced()}
        aged = [row[0] for row in self._writer.execute(_AGED, {**now, "age_s": self._max_age_s})]
        if aged:
            with self._transaction():
                self._delete(aged)
        return len(aged)

    def after(self, order: int, count: int) -> list[tuple[int, Event | None]]:
        """Return the oldest entries, at most `count`, whose order is greater than `order`.

        An event that cannot be read is None.
        """
        query = "SELECT place, payload FROM events WHERE place > ? ORDER BY place LIMIT ?"
        rows = self._reader.execute(query, (order + self._base, count)).fetchall()
        return [(place - self._base, _decoded(payload)) for place, payload in rows]

    def close(self) -> None:
        """Close the file, its log written back into it, and let others have it."""
        with contextlib.suppress(sqlite3.Error):
            self._reader.close()
        with contextlib.suppress(sqlite3.Error):
            self._writer.close()
        os.close(self._lock)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction already.
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _note(self, event: Event) -> None:
        if event.type == "end":
            self._writer.execute(_ENDED, (event.id,))
        else:
            self._writer.execute(_BEGUN, (event.id, encode(event)))
            self._writer.execute(_FORGOTTEN, (MOST_UNENDED,))

    def _row(self, entry: Entry) -> tuple[object, ...]:
        event = entry.event
        payload = encode(event)
        made_s = datetime.fromisoformat(event.ts.replace("Z", "+00:00")).timestamp()
        key = (entry.order + self._base, event.id, event.type, event.seq)
        size = len(payload) + _ROW_BYTES
        age = (event.boot_id, _uptime_s(), made_s, event.clock_synced)
        return (*key, event.ts, is_alarm(event), size, *age, payload)

    def _make_room(self) -> int:
        excess = int(self._value("SELECT ifnull(sum(size), 0) FROM events")) - self._budget
        dropped: list[int] = []
        if excess > 0:
            for place, size in self._writer.execute("SELECT place, size FROM events ORDER BY alarm, place"):
                dropped.append(place)
                excess -= size
                if excess <= 0:
                    break
            self._delete(dropped)
        return len(dropped)

    def _delete(self, places: Iterable[int]) -> None:
        self._writer.executemany("DELETE FROM events WHERE place = ?", [(place,) for place in places])


def is_alarm(event: Event) -> bool:
    """Say whether an event is kept for longer than others when there is no room for all."""
    return event.severity == "alarm"


def is_damage(error: BaseException) -> bool:
    """Say whether an error means a damaged file; a full disk, or one that cannot be written, is none.

    Nor is a file that was closed while it was read, which SQLite calls a `ProgrammingError`.
    """
    harmless = (sqlite3.OperationalError, sqlite3.ProgrammingError)
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, harmless)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, f"another process has {path}") from error
    return descriptor


def _decoded(payload: bytes) -> Event | None:
    """Return an event as it was stored; None where the disk has changed it, be it in the name of a topic."""
    try:
        event = msgspec.json.decode(payload, type=Event)
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError):
        return None
    return event if is_id(event.source) else None


def _uptime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
