"""Checks a file against the checksum that its publisher gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from edge_asd.errors import InputError

_CHUNK = 1 << 20


def digest(path: Path, kind: str) -> str:
    r"""Return a file's checksum in hexadecimal.

    Parameters
    ----------
    path
        The file.
    kind
        `sha256`, `md5`, or `git`: git's blob id, the SHA-1 of ``blob <size>\0`` and the content.
    """
    if kind == "git":
        # Git's own choice, not ours: it tells files apart, and the place it is read from is what makes it trusted.
        total = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    else:
        total = hashlib.new(kind, usedforsecurity=False)
    for chunk in _chunks(path):
        total.update(chunk)
    return total.hexdigest()


def check(path: Path, checksum: str, *, remedy: str) -> None:
    """Refuse a file that has another checksum.

    Parameters
    ----------
    path
        The file.
    checksum
        Kind and digits, such as `sha256:f37072fd`: the digits are the first ones at least. Empty accepts any file.
    remedy
        What to do about another file.

    Raises
    ------
    InputError
        When the file's checksum is another.
    """
    if not checksum:
        return
    kind, _, expected = checksum.partition(":")
    found = digest(path, kind)
    if not found.startswith(expected):
        title = {"git": "git blob id", "sha256": "SHA-256", "md5": "MD5"}[kind]
        raise InputError(str(path), expected=f"{title} {expected}", found=found[: len(expected)], remedy=remedy)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
