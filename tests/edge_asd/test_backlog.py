"""What waits for a thread, and how the thread ends."""

from __future__ import annotations

import queue
import threading

import pytest

from edge_asd.backlog import Backlog


@pytest.mark.parametrize("waiting", [0, 1, 3])
def test_a_thread_ends_when_it_is_closed_however_much_waits(waiting: int) -> None:
    backlog: Backlog[int] = Backlog(3)
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.extend(backlog), daemon=True)
    for item in range(waiting):
        backlog.put(item)
    thread.start()
    backlog.close()
    thread.join(10)
    assert not thread.is_alive()
    assert done == list(range(waiting))


def test_what_finds_no_room_is_refused_with_the_reason() -> None:
    backlog: Backlog[int] = Backlog(1)
    backlog.put(1)
    with pytest.raises(queue.Full, match="1 wait already"):
        backlog.put(2)
    backlog.close()
    with pytest.raises(queue.Full, match="nothing more is taken"):
        backlog.put(2)
    assert list(backlog) == [1]


def test_one_item_from_each_origin_always_finds_room() -> None:
    backlog: Backlog[tuple[str, int]] = Backlog(2, lambda item: item[0])
    for item in [("a", 1), ("a", 2), ("b", 1), ("c", 1)]:
        backlog.put(item)
    for item in [("a", 3), ("b", 2)]:
        with pytest.raises(queue.Full, match="4 wait already"):
            backlog.put(item)
    backlog.close()
    assert list(backlog) == [("a", 1), ("a", 2), ("b", 1), ("c", 1)]


def test_a_thread_waits_for_the_next() -> None:
    backlog: Backlog[int] = Backlog(1)
    items = iter(backlog)
    threading.Timer(0.05, backlog.put, [7]).start()
    assert next(items) == 7
