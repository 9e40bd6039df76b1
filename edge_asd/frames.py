"""Rows into overlapping frames: samples into frames of samples, frames of features into patches.

Both buffers here are linear rings: rows are written one after another into memory of fixed size, and what is still
needed is moved to its beginning when its end is reached. So every frame is one contiguous stretch, nothing is
allocated per row, and memory does not grow. Positions are counts of rows, never times of a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Rows = NDArray[Any]

_SPAN_LIMIT = 1 << 20
"""Bytes that the frames of one view may span, unless a single frame spans more."""


class Framer:
    """Overlapping frames of a stream of rows.

    However the rows are cut into blocks, the same frames come out: frame *k* holds the rows ``k·hop … k·hop+length``,
    counted from the start, from the last :meth:`reset`, or from the end of the last :meth:`gap`.

    Parameters
    ----------
    length
        Rows in a frame.
    hop
        Rows from the start of one frame to the start of the next; may exceed ``length``, which leaves rows out.
    row_shape
        Shape of one row: ``()`` for samples, ``(n_features,)`` for feature vectors.
    dtype
        Type the rows are kept in.
    chunk
        Most frames handed over at once; fewer where they would span more than a mebibyte.
    """

    def __init__(
        self,
        length: int,
        hop: int,
        *,
        row_shape: tuple[int, ...] = (),
        dtype: DTypeLike = np.float32,
        chunk: int = 96,
    ) -> None:
        if min(length, hop, chunk) < 1:
            raise ValueError(f"length, hop and chunk should be at least 1, got {length}, {hop} and {chunk}")
        self.length = length
        self.hop = hop
        row_bytes = max(1, np.empty(row_shape, dtype).nbytes)
        self._chunk = max(1, min(chunk, 1 + (_SPAN_LIMIT // row_bytes - length) // hop))
        span = max(length, (self._chunk - 1) * hop + length)
        self._rows = np.zeros((2 * span, *row_shape), dtype)
        self._memory = self._rows.data.toreadonly()
        self._strides = (hop * self._rows.strides[0], *self._rows.strides)
        self._busy = False
        self._origin = 0  # index of the row at the beginning of the memory
        self._read = 0  # where the next frame starts; beyond _written while rows between frames are left out
        self._written = 0

    @property
    def index(self) -> int:
        """Rows from the start to the first row of the next frame; inside the loop, of the first frame in hand."""
        return self._origin + self._read

    def process(self, block: Rows) -> Iterator[Rows]:
        """Take a block of rows and give the frames it completes.

        Parameters
        ----------
        block
            Any number of rows, none included, shape ``(rows, *row_shape)``. It must not change during the iteration.

        Returns
        -------
        Iterator[NDArray]
            Read-only views of shape ``(n, length, *row_shape)``, in order, valid until the next step. The iteration
            must run to its end.

        Raises
        ------
        ValueError
            If the rows have another shape than was set up.
        RuntimeError
            If the iteration over the block before was left half-way.
        """
        if block.shape[1:] != self._rows.shape[1:] or block.ndim != self._rows.ndim:
            raise ValueError(f"rows should have the shape {self._rows.shape[1:]}, got a block of shape {block.shape}")
        if self._busy:
            raise RuntimeError("the frames of the block before were not all taken")
        return self._frames(block)

    def gap(self) -> None:
        """Note that rows were lost here: no frame reaches across, and the next one starts after the gap.

        :attr:`index` goes on as if nothing were lost.
        """
        start = self._origin + self._written
        self.reset()
        self._origin = start

    def reset(self) -> None:
        """Forget all rows and count from 0 again."""
        self._busy = False
        self._origin = self._read = self._written = 0

    def _frames(self, block: Rows) -> Iterator[Rows]:
        self._busy = True
        taken = 0
        while taken < len(block):
            taken += self._take(block[taken:])
            while self._written - self._read >= self.length:
                count = min(self._chunk, 1 + (self._written - self._read - self.length) // self.hop)
                yield self._view(count)
                self._read += count * self.hop
        self._busy = False

    def _take(self, block: Rows) -> int:
        if self._written == len(self._rows):
            self._move_to_front()
        count = min(len(block), len(self._rows) - self._written)
        self._rows[self._written : self._written + count] = block[:count]
        self._written += count
        return count

    def _move_to_front(self) -> None:
        start = min(self._read, self._written)
        kept = self._written - start
        self._rows[:kept] = self._rows[start : self._written]
        self._origin += start
        self._read -= start
        self._written = kept

    def _view(self, count: int) -> Rows:
        # The constructor is some ten times faster than as_strided, and a read-only memory gives a read-only array.
        shape = (count, self.length, *self._rows.shape[1:])
        return np.ndarray(shape, self._rows.dtype, self._memory, self._read * self._rows.strides[0], self._strides)


class History:
    """The last rows of a stream, in order.

    Parameters
    ----------
    length
        Most rows kept.
    row_shape
        Shape of one row.
    dtype
        Type the rows are kept in.
    """

    def __init__(self, length: int, *, row_shape: tuple[int, ...] = (), dtype: DTypeLike = np.float32) -> None:
        if length < 1:
            raise ValueError(f"length should be at least 1, got {length}")
        self._length = length
        self._rows = np.zeros((2 * length, *row_shape), dtype)
        self._written = 0

    def __len__(self) -> int:
        """Rows held, at most ``length``."""
        return min(self._written, self._length)

    def append(self, rows: Rows) -> None:
        """Add rows of shape ``(n, *row_shape)``, any number; the oldest give way."""
        rows = rows[-self._length :]
        if self._written + len(rows) > len(self._rows):
            kept = self._length - len(rows)
            self._rows[:kept] = self._rows[self._written - kept : self._written]
            self._written = kept
        self._rows[self._written : self._written + len(rows)] = rows
        self._written += len(rows)

    def latest(self, count: int) -> Rows:
        """Give the last ``count`` rows, oldest first, as a read-only view that is valid until the next :meth:`append`.

        Raises
        ------
        ValueError
            If fewer rows are held.
        """
        if not 0 <= count <= len(self):
            raise ValueError(f"count should be 0 to {len(self)}, the rows held, got {count}")
        view = self._rows[self._written - count : self._written]
        view.flags.writeable = False
        return view

    def clear(self) -> None:
        """Forget all rows."""
        self._written = 0
