from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from edge_asd.errors import InputError
from edge_asd.publish import Event
from edge_asd.publish.outbox import START, Outbox
from edge_asd.publish.spool import Entry, SpoolFile
from edge_asd.publish.spool_place import require_spool_place
from tests.waiting import wait_until

MakeEvent = Callable[..., Event]

WAIT_S = 10.0
MEBIBYTE = 1 << 20


def scores(outbox: Outbox, order: int = START, count: int = 100) -> list[float]:
    return [entry.event.score for entry in outbox.after(order, count)]


def is_written(outbox: Outbox) -> bool:
    return outbox.summary().in_memory == 0 and outbox.summary().error is None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "pi-07.db"


@pytest.fixture
def open_outbox(path: Path) -> Iterator[Callable[..., Outbox]]:
    """Outboxes on one file; closed with the test."""
    with ExitStack() as stack:

        def start(**options: int) -> Outbox:
            outbox = Outbox(lambda: SpoolFile(path, MEBIBYTE, 3600.0), retry_s=0.05, **options)
            outbox.open()
            stack.callback(outbox.close)
            return outbox

        yield start


@pytest.fixture(params=["memory", "file"])
def outbox(request: pytest.FixtureRequest, open_outbox: Callable[..., Outbox]) -> Outbox:
    return Outbox() if request.param == "memory" else open_outbox()


def test_events_stay_in_order_until_they_are_acknowledged(outbox: Outbox, make_event: MakeEvent) -> None:
    for _ in range(4):
        outbox.put(make_event())
    assert scores(outbox) == [10, 11, 12, 13]
    assert scores(outbox, 2) == [12, 13]
    assert scores(outbox, 0, 2) == [10, 11]
    outbox.acknowledge(2)
    outbox.acknowledge(2)
    assert scores(outbox) == [10, 12, 13]
    assert outbox.newest() == 4
    assert outbox.summary().depth == 3


def test_the_summary_tells_how_many_wait_and_since_when(outbox: Outbox, make_event: MakeEvent) -> None:
    assert (outbox.summary().depth, outbox.summary().oldest, outbox.newest()) == (0, None, 0)
    outbox.put(make_event(ts="2026-01-05T10:11:12.345Z"))
    outbox.put(make_event())
    assert (outbox.summary().depth, outbox.summary().oldest) == (2, "2026-01-05T10:11:12.345Z")


def test_when_memory_is_full_the_oldest_that_is_no_alarm_goes_and_is_counted(
    make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(capacity=4)
    outbox.put(make_event())  # 10
    outbox.put(make_event(severity="warning", type="end"))  # 11
    outbox.put(make_event(type="update"))  # 12, the one that made it an alarm
    outbox.put(make_event(severity="warning"))  # 13
    kept = []
    for _ in range(4):
        outbox.put(make_event())  # 14 to 17
        kept.append(scores(outbox))
    assert kept == [[10, 12, 13, 14], [10, 12, 14, 15], [12, 14, 15, 16], [14, 15, 16, 17]]
    assert outbox.summary().dropped == 4
    assert "4 dropped" in caplog.text


def test_what_waits_is_still_there_for_the_next_process(
    open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    first = open_outbox()
    made = [make_event() for _ in range(200)]
    for event in made:
        first.put(event)
    first.acknowledge(1)
    first.close()
    assert first.summary().in_memory == 0
    second = open_outbox()
    second.put(make_event())
    assert scores(second, START, 500) == [event.score for event in made[1:]] + [210.0]
    assert [entry.order for entry in second.after(START, 500)][-2:] == [0, 1]
    assert second.after(START, 1)[0].event == made[1]
    assert second.summary().depth == 200


def test_the_next_process_knows_which_anomalies_have_no_end(
    open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    first = open_outbox()
    assert first.unended() == []
    begun = [make_event(type="new") for _ in range(3)]
    grown = make_event(type="update", id=begun[0].id)
    for event in (*begun, grown, make_event(type="end", id=begun[1].id)):
        first.put(event)
    # That they have arrived makes no difference.
    for order in range(1, 6):
        first.acknowledge(order)
    assert first.unended() == []
    first.close()
    second = open_outbox()
    assert second.unended() == [grown, begun[2]]
    for event in second.unended():
        second.put(make_event(type="end", id=event.id))
    second.close()
    assert open_outbox().unended() == []


def test_so_many_unended_anomalies_as_there_are_sources_are_noted(
    open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    first = open_outbox()
    begun = [make_event(type="new") for _ in range(200)]
    for event in begun:
        first.put(event)
    first.close()
    assert open_outbox().unended() == begun[-64:]


def test_events_are_read_page_by_page_over_what_has_arrived(
    open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    outbox = open_outbox()
    for _ in range(30):
        outbox.put(make_event())
    wait_until(lambda: is_written(outbox))
    for order in range(1, 25):
        outbox.acknowledge(order)
    assert scores(outbox, START, 3) == [34, 35, 36]
    wait_until(lambda: scores(outbox, START, 3) == [34, 35, 36] and outbox.summary().depth == 6)


def stored(path: Path) -> list[float]:
    with closing(SpoolFile(path, MEBIBYTE, 3600.0)) as file:
        return [event.score for _, event in file.after(START, 10_000) if event]


class FullDisk:
    """A spool file on a disk that has no room while it `is_full`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_full = True
        self.tries = 0

    def open(self) -> SpoolFile:
        disk = self

        class File(SpoolFile):
            def add(self, *what: Any) -> int:
                disk.tries += 1
                if disk.is_full:
                    raise sqlite3.OperationalError("database or disk is full")
                return super().add(*what)

        return File(self.path, MEBIBYTE, 3600.0)


def test_a_full_disk_is_told_and_memory_goes_on_until_there_is_room(
    path: Path, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FullDisk(path)
    outbox = Outbox(disk.open, capacity=3, retry_s=0.02)
    outbox.open()
    for severity in ("alarm", "warning", "alarm", "alarm"):
        outbox.put(make_event(severity=severity))
    wait_until(lambda: disk.tries > 3)
    assert scores(outbox) == [10, 12, 13]
    summary = outbox.summary()
    assert (summary.depth, summary.in_memory, summary.dropped) == (3, 3, 1)
    assert summary.error == "database or disk is full"
    assert caplog.text.count("the spool cannot be used: database or disk is full") == 1
    outbox.acknowledge(1)
    disk.is_full = False
    wait_until(lambda: is_written(outbox))
    assert scores(outbox) == [12, 13]
    outbox.close()
    assert stored(path) == [12, 13]


def test_a_folder_that_cannot_be_made_is_told_and_tried_again(
    path: Path, open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    path.parent.write_text("a file where the folder should be")
    outbox = open_outbox()
    outbox.put(make_event())
    assert outbox.summary().error == "File exists"
    assert scores(outbox) == [10]
    path.parent.unlink()
    wait_until(lambda: is_written(outbox))
    assert scores(outbox) == [10]


def test_what_an_earlier_process_left_turns_up_when_the_file_can_be_opened_at_last(
    path: Path, open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    first = open_outbox()
    first.put(make_event())
    first.close()
    holder = SpoolFile(path, MEBIBYTE, 3600.0)
    second = open_outbox()
    assert "another process has" in (second.summary().error or "")
    second.put(make_event())
    assert scores(second) == [11]
    before = second.epoch
    holder.close()
    wait_until(lambda: is_written(second))
    assert second.epoch > before
    assert scores(second) == [10, 11]


def test_a_file_that_is_taken_away_is_begun_anew(
    path: Path, open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    outbox = open_outbox()
    outbox.put(make_event())
    wait_until(lambda: is_written(outbox))
    for file in path.parent.iterdir():
        file.unlink()
    outbox.put(make_event())
    wait_until(lambda: path.exists() and is_written(outbox))
    outbox.close()
    assert stored(path) == [11]


def test_an_acknowledgement_from_before_a_file_was_opened_anew_takes_no_other_event(
    open_outbox: Callable[..., Outbox], make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_outbox()
    for _ in range(3):
        first.put(make_event())
    first.close()
    second = open_outbox()
    second.put(make_event())
    wait_until(lambda: is_written(second))
    under_way = [entry.order for entry in second.after(START, 9)]
    before = second.epoch
    in_place = iter([False])
    monkeypatch.setattr(SpoolFile, "is_in_place", lambda _file: next(in_place, True))
    second.put(make_event())
    wait_until(lambda: second.epoch > before and is_written(second))
    again = second.after(START, 9)
    assert [entry.event.score for entry in again] == [10, 11, 12, 13, 14]
    assert not {entry.order for entry in again} & set(under_way)
    for order in under_way:
        second.acknowledge(order)
    assert scores(second) == [10, 11, 12, 13, 14]
    for entry in again:
        second.acknowledge(entry.order)
    wait_until(lambda: second.summary().depth == 0)
    assert scores(second) == []


def test_a_file_that_is_replaced_while_it_is_read_is_not_taken_for_damaged(
    path: Path, open_outbox: Callable[..., Outbox], make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox()
    outbox.put(make_event())
    wait_until(lambda: is_written(outbox))
    reading, replaced = threading.Event(), threading.Event()
    read = SpoolFile.after

    def held_up(self: SpoolFile, order: int, count: int) -> list[tuple[int, Event | None]]:
        reading.set()
        replaced.wait(WAIT_S)
        return read(self, order, count)

    monkeypatch.setattr(SpoolFile, "after", held_up)
    reader = threading.Thread(target=outbox.after, args=(START, 5))
    reader.start()
    assert reading.wait(WAIT_S)
    path.unlink()
    before = outbox.epoch
    outbox.put(make_event())
    wait_until(lambda: outbox.epoch > before and is_written(outbox))
    replaced.set()
    reader.join()
    assert outbox.summary().error is None
    outbox.put(make_event())
    wait_until(lambda: is_written(outbox))
    assert scores(outbox) == [11, 12]
    assert not Path(f"{path}.damaged").exists()


@pytest.mark.parametrize(
    "damage", ["no database", "cut to its header", "cut short", "scribbled over", "without a mark"]
)
def test_a_damaged_file_is_set_aside_and_told(
    path: Path,
    open_outbox: Callable[..., Outbox],
    make_event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    first = open_outbox()
    for _ in range(300):
        first.put(make_event())
    first.close()
    content = bytearray(path.read_bytes())
    if damage == "no database":
        content = bytearray(b"what a power cut leaves")
    elif damage == "cut to its header":
        del content[16:]
    elif damage == "no mark":
        content[68:72] = bytes(4)
        del content[len(content) // 2 + 7 :]
    elif damage == "cut short":
        del content[len(content) // 2 + 7 :]
    else:
        content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    second = open_outbox()
    second.put(make_event())
    wait_until(lambda: is_written(second))
    assert second.summary().depth == 1
    assert Path(f"{path}.damaged").read_bytes() == content
    (line,) = [record.getMessage() for record in caplog.records if f"spool {path} is damaged" in record.getMessage()]
    assert "\n" not in line


def foreign(kind: str, path: Path) -> None:
    """Put a file that was never a spool at `path`."""
    path.parent.mkdir()
    if kind == "other database":
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("CREATE TABLE events (event_id INTEGER PRIMARY KEY); PRAGMA user_version = 1;")
    elif kind == "large database":
        with closing(sqlite3.connect(path)) as connection:
            for index in range(200):
                connection.execute(f"CREATE TABLE table_{index} (key INTEGER PRIMARY KEY, value TEXT)")
    elif kind == "marked database":
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("PRAGMA application_id = 7; PRAGMA user_version = 1;")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes({"bundle": b"PK\3\4" + bytes(5000), "recording": b"RIFF....WAVEfmt ", "text": b"x"}[kind])


@pytest.mark.parametrize(
    "kind",
    ["bundle", "recording", "text", "other database", "large database", "marked database", "folder", "pipe"],
)
def test_what_was_never_a_spool_is_refused_and_left_as_it_is(
    path: Path, open_outbox: Callable[..., Outbox], make_event: MakeEvent, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    foreign(kind, path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(InputError, match=rf"^spool.path: {path}: expected a place for the spool, found "):
        require_spool_place(path)
    outbox = open_outbox()
    outbox.put(make_event())
    assert "expected a place for the spool" in (outbox.summary().error or "")
    assert scores(outbox) == [10]
    outbox.close()
    assert list(path.parent.iterdir()) == [path]
    assert before == (path.read_bytes() if path.is_file() else None)
    assert "Traceback" not in caplog.text


def test_where_nothing_or_an_empty_file_stands_is_a_place_for_the_spool(
    path: Path, open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    require_spool_place(path)
    path.parent.mkdir()
    path.touch()
    require_spool_place(path)
    outbox = open_outbox()
    outbox.put(make_event())
    require_spool_place(path)
    wait_until(lambda: is_written(outbox))
    require_spool_place(path)
    outbox.close()
    require_spool_place(path)


def test_a_spool_that_a_power_cut_left_with_its_log_is_known(path: Path, tmp_path: Path, make_event: MakeEvent) -> None:
    with closing(SpoolFile(path, MEBIBYTE, 3600.0)) as file:
        file.add([Entry(1, make_event())])
        (tmp_path / "left").mkdir()
        for ending in ("", "-wal"):
            (tmp_path / "left" / f"spool{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())
    require_spool_place(tmp_path / "left" / "spool")
    assert stored(tmp_path / "left" / "spool") == [10]


def test_a_spool_in_use_is_not_opened_to_be_looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SpoolFile(path, MEBIBYTE, 3600.0)):
        monkeypatch.setattr("edge_asd.publish.spool_place._is_spool", lambda _path: pytest.fail("opened"))
        require_spool_place(path)


def test_what_was_set_aside_before_is_kept_and_the_disk_does_not_fill(path: Path) -> None:
    path.parent.mkdir()
    for number in range(5):
        path.write_bytes(b"SQLite format 3\0" + bytes([number]))
        SpoolFile(path, MEBIBYTE, 3600.0).close()
    kept = {file.name: file.read_bytes()[-1] for file in path.parent.glob("*.damaged*")}
    assert kept == {"pi-07.db.damaged": 0, "pi-07.db.damaged-2": 1, "pi-07.db.damaged-3": 4}


def test_a_file_that_is_called_a_spool_is_no_reason_not_to_start(tmp_path: Path, make_event: MakeEvent) -> None:
    path = tmp_path / "pi-07.spool"
    path.write_bytes(b"what a power cut leaves")
    require_spool_place(path)
    with closing(SpoolFile(path, MEBIBYTE, 3600.0)) as file:
        file.add([Entry(1, make_event())])
    assert stored(path) == [10]
    assert Path(f"{path}.damaged").read_bytes() == b"what a power cut leaves"


def test_a_file_that_has_lost_its_table_is_used_again(
    path: Path, open_outbox: Callable[..., Outbox], make_event: MakeEvent
) -> None:
    open_outbox().close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE events")
    outbox = open_outbox()
    outbox.put(make_event())
    wait_until(lambda: is_written(outbox))
    outbox.close()
    assert stored(path) == [10]


def test_damage_that_shows_while_it_runs_loses_nothing_that_is_new(
    path: Path, open_outbox: Callable[..., Outbox], make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    first = open_outbox()
    for _ in range(300):
        first.put(make_event())
    first.close()
    second = open_outbox()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    second.after(START, 500)
    second.put(make_event())
    wait_until(lambda: Path(f"{path}.damaged").exists() and is_written(second))
    second.close()
    assert stored(path) == [310]


@pytest.mark.parametrize(
    "change",
    ["'{'", "X'ff'", "5", "replace(CAST(payload AS TEXT), '\"pump-3\"', '\"pump#3\"')"],
    ids=["no JSON", "no text", "a number", "no name of a topic"],
)
@pytest.mark.parametrize("place", [1, 2])
def test_an_event_that_cannot_be_read_is_given_up_and_no_other(
    path: Path,
    open_outbox: Callable[..., Outbox],
    make_event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    change: str,
    place: int,
) -> None:
    first = open_outbox()
    for _ in range(3):
        first.put(make_event())
    first.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE events SET payload = {change} WHERE place = {place}")
        connection.commit()
    second = open_outbox()
    assert second.summary().depth == 3
    assert scores(second) == [[11, 12], [10, 12]][place - 1]
    wait_until(lambda: second.summary().depth == 2)
    assert second.summary().dropped == 1
    assert "events in the spool are damaged and cannot be read: 1 dropped so far" in caplog.messages
    assert "no room" not in caplog.text


def test_what_is_given_up_for_its_age_is_told_so(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Old(SpoolFile):
        def age(self) -> int:
            return 2

    outbox = Outbox(lambda: Old(path, MEBIBYTE, 3600.0))
    outbox.open()
    outbox.close()
    assert outbox.summary().dropped >= 2
    assert "events have waited for longer than they may: 2 dropped so far" in caplog.messages
    assert "no room" not in caplog.text


def test_whoever_puts_never_waits_for_the_disk(path: Path, make_event: MakeEvent) -> None:
    hold = threading.Event()

    class Stuck(SpoolFile):
        def add(self, *what: Any) -> int:
            hold.wait()
            return super().add(*what)

    outbox = Outbox(lambda: Stuck(path, MEBIBYTE, 3600.0))
    outbox.open()
    for _ in range(500):
        outbox.put(make_event())
    assert len(scores(outbox, START, 1000)) == 500
    for order in range(1, 301):
        outbox.acknowledge(order)
    assert outbox.summary().depth == 200
    hold.set()
    wait_until(lambda: is_written(outbox) and outbox.summary().depth == 200)
    outbox.close()
    assert stored(path) == [310 + index for index in range(200)]


def entries(make_event: MakeEvent, count: int, first: int = 1, **changed: str) -> list[Entry]:
    return [Entry(first + index, make_event(**changed)) for index in range(count)]


def test_the_file_stays_within_its_bytes_and_alarms_outlive_the_rest(path: Path, make_event: MakeEvent) -> None:
    dropped, largest, made = 0, 0, 0
    with closing(SpoolFile(path, MEBIBYTE, 3600.0)) as file:
        for batch in range(60):
            # Alarms scattered among warnings leave pages half empty, the worst case for the size of the file.
            dropped += file.add(entries(make_event, 30, 1 + 31 * batch, severity="warning"))
            dropped += file.add(entries(make_event, 1, 31 + 31 * batch))
            made += 31
            largest = max(largest, sum(part.stat().st_size for part in path.parent.iterdir()))
        left = [event for _, event in file.after(START, 10_000) if event]
        assert file.stock().depth == len(left) == made - dropped
    assert sum(event.severity == "alarm" for event in left) == 60
    kept = [event.score for event in left if event.severity == "warning"]
    assert kept == sorted(kept)
    assert kept[-1] == 10.0 + made - 2
    assert dropped > 1000
    assert MEBIBYTE / 4 < largest <= MEBIBYTE


def test_age_is_known_within_a_boot_or_by_two_clocks_that_were_set(
    path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("edge_asd.publish.spool.time.time", lambda: now)
    monkeypatch.setattr("edge_asd.publish.spool.boot_id", lambda: "this")
    old, young = "2026-01-05T10:11:12.345Z", "2027-01-15T07:50:00.000Z"
    with closing(SpoolFile(path, MEBIBYTE, 3600.0)) as file:
        monkeypatch.setattr("edge_asd.publish.spool._uptime_s", lambda: 100.0)
        file.add([Entry(1, make_event(boot_id="this", ts=young))])
        file.add([Entry(2, make_event(boot_id="before", ts=old, clock_synced=True))])
        file.add([Entry(3, make_event(boot_id="before", ts=young, clock_synced=True))])
        file.add([Entry(4, make_event(boot_id="before", ts=old, clock_synced=False))])
        monkeypatch.setattr("edge_asd.publish.spool._uptime_s", lambda: 3701.0)
        file.add([Entry(5, make_event(boot_id="this", ts=old))])
        monkeypatch.setattr("edge_asd.publish.spool.clock_synced", lambda: False)
        assert file.age() == 1
        assert [order for order, _ in file.after(START, 10)] == [2, 3, 4, 5]
        monkeypatch.setattr("edge_asd.publish.spool.clock_synced", lambda: True)
        assert file.age() == 1
        assert [order for order, _ in file.after(START, 10)] == [3, 4, 5]


def test_the_settings_of_the_file_are_those_that_survive_a_power_cut(path: Path) -> None:
    with closing(SpoolFile(path, MEBIBYTE, 3600.0)) as file:
        pragmas = [file._writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 2]  # 2 is FULL
