"""Secrets: read from files of their own, and kept out of whatever is published or logged."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import msgspec

from edge_asd.configuration.words import is_secret
from edge_asd.errors import InputError
from edge_asd.files import read_limited

_LONGEST_BYTES = 65_535
"""What MQTT can carry as a password."""


def read_secret(path: Path, where: str = "password_file") -> str:
    """Read a secret of one line from a file; one newline at its end is left out.

    Parameters
    ----------
    path
        The file.
    where
        The setting that named it, for errors. Neither the content nor a name that leads nowhere (it may be the secret
        itself, given by mistake) ever stands in an error.

    Raises
    ------
    InputError
        When it is missing, not a regular file, unreadable, empty, too large, not one line of text, or can be changed by
        others than its owner.
    """
    _check_file(path, where)
    try:
        secret = read_limited(path, _LONGEST_BYTES, "a file with one secret").decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: {path}", expected="text in UTF-8", found="other bytes") from error
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise InputError(f"{where}: {path}", expected="a secret in the file", found="an empty file")
    if any(character in secret for character in "\r\n\0"):
        raise InputError(
            f"{where}: {path}", expected="a secret of one line", found="several lines or control characters"
        )
    return secret


def _check_file(path: Path, where: str) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        expected, remedy = "the path of a file that holds the secret", "give a file's path here, not the secret itself"
        found = f"none of that name in {_nearest_folder(path)}"
        raise InputError(where, expected=expected, found=found, remedy=remedy) from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{where}: {path}", expected="a regular file", found="a folder or a device")
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        found = f"one that others can change too (mode {stat.S_IMODE(mode):o})"
        expected = "a file that only its owner can change"
        raise InputError(f"{where}: {path}", expected=expected, found=found, remedy=f"chmod 600 {path}")


def _nearest_folder(path: Path) -> Path:
    return next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))


def redacted(settings: msgspec.Struct) -> dict[str, Any]:
    """Return settings as plain data fit to be published: whatever may be a secret is masked, paths of files stay."""
    return {key: _masked(key, value) for key, value in msgspec.to_builtins(settings).items()}


def _masked(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {inner: _masked(inner, item) for inner, item in value.items()}
    if isinstance(value, list):
        return [_masked(key, item) for item in value]
    is_hidden = value is not None and is_secret((key,)) and not key.endswith("_file")
    return "(hidden)" if is_hidden else value
