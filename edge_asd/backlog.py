"""Work that waits for the one thread that does it, up to a limit."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """A queue that never makes anyone wait to put, and that can be closed even while it is full.

    Parameters
    ----------
    most
        Most items that wait; beyond it, one from each origin that has none waiting.
    origin
        Says where an item comes from; all of them from one place where left out.
    """

    def __init__(self, most: int, origin: Callable[[Item], Hashable] = lambda _item: None) -> None:
        self._most, self._origin = most, origin
        self._news = threading.Condition()
        self._items: deque[Item] = deque()
        self._closed = False

    def put(self, item: Item) -> None:
        """Add an item.

        Raises
        ------
        queue.Full
            When as many wait already as may, or nothing more is taken; its text says which.
        """
        with self._news:
            if self._closed:
                raise queue.Full("nothing more is taken")
            if len(self._items) >= self._most and self._has_from(self._origin(item)):
                raise queue.Full(f"{len(self._items)} wait already")
            self._items.append(item)
            self._news.notify_all()

    def _has_from(self, origin: Hashable) -> bool:
        return any(self._origin(item) == origin for item in self._items)

    def close(self) -> None:
        """Take nothing more; whoever iterates gets what waits, and no more after that."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """Give one item after another, and wait for the next, until it is closed."""
        while True:
            with self._news:
                self._news.wait_for(lambda: self._items or self._closed)
                if not self._items:
                    return
                item = self._items.popleft()
            yield item
