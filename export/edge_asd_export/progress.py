"""Progress bars for long work, on standard error, so that output pipes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from edge_asd.streams import unheard

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")


class Reporter:
    """Shows what is being done, and how far it is."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def say(self, text: str) -> None:
        """Write a line, above the bars that move."""
        if self._progress is not None:
            with unheard():
                self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def track(self, items: Sequence[T] | Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Give the items one after another, and move a bar along."""
        with self.bar(label, total if total is not None else len(items)) as advance:  # type: ignore[arg-type]
            for item in items:
                yield item
                advance(1)

    @contextlib.contextmanager
    def bar(self, label: str, total: int) -> Iterator[Advance]:
        """Show a bar of `total` steps while the context lasts."""
        if self._progress is None:
            yield Advance(None, None)
            return
        terminal = self._progress.console.is_terminal
        task = self._progress.add_task(label, total=total, visible=terminal)
        yield Advance(self._progress, task)
        self._progress.update(task, completed=total)
        if not terminal:
            with unheard():
                self._progress.console.print(f"{label}: {total}", highlight=False)


class Advance:
    """Moves one bar along."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress, self._task = progress, task

    def __call__(self, steps: int = 1) -> None:
        """Move on by this many steps."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, steps)


SILENT = Reporter(None)
"""Shows nothing."""


@contextlib.contextmanager
def reporting(*, quiet: bool = False) -> Iterator[Reporter]:
    """Give a reporter that shows bars on a terminal, and one line for each finished step elsewhere."""
    if quiet:
        yield SILENT
        return
    # Detectors are fitted, in the device's tests too, where nobody looks at bars.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # What is printed meanwhile goes through the bars' console only where both are the same terminal.
    shared = sys.stdout.isatty()
    with Progress(*columns, console=console, disable=not console.is_terminal, redirect_stdout=shared) as progress:
        try:
            yield Reporter(progress)
        except BaseException:
            # Nothing but the error is to be read then.
            progress.live.transient = True
            raise
