"""Downloads a file so that a cut transfer is taken up again where it stopped."""

from __future__ import annotations

import re
from pathlib import Path

import requests

from edge_asd.errors import InputError
from edge_asd_export.progress import Advance, Reporter

_CHUNK = 1 << 16
_TIMEOUT_S = (10.0, 60.0)
_TRIES = 3
_KIB = 1024


class _CutError(Exception):
    """The connection ended before the file did."""


def download(url: str, target: Path, *, limit: int, reporter: Reporter) -> None:
    """Append what is still missing of a file to `target`, which holds its beginning or does not exist.

    Parameters
    ----------
    url
        Location, over HTTP or HTTPS. A server that cannot continue a transfer is asked for the whole file again.
    target
        Where the bytes go, as they come.
    limit
        Most bytes that are taken.
    reporter
        Shows how far it is.

    Raises
    ------
    InputError
        When the server cannot be reached, refuses, is cut off several times, or sends more than `limit`; what has come
        so far stays in `target`.
    """
    reason: Exception | None = None
    for _ in range(_TRIES):
        try:
            _continue(url, target, limit, reporter)
            return
        except (
            _CutError,
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            reason = error
        except requests.RequestException as error:
            raise InputError(url, expected="the file", found=_in_words(error), remedy="see 'weights add'") from error
        except OSError as error:
            raise InputError(
                str(target), expected="room for the file", found=error.strerror or str(error), remedy="make room"
            ) from error
    there = target.stat().st_size if target.exists() else 0
    raise InputError(
        url,
        expected="the whole file",
        found=f"{there:,} bytes of it ({_in_words(reason)})",
        remedy="run the command again to go on from there, or download it elsewhere and use 'weights add'",
    ) from reason


def _continue(url: str, target: Path, limit: int, reporter: Reporter) -> None:
    there = target.stat().st_size if target.exists() else 0
    # Compressed on its way, a file has other positions than on the disk.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable and there:
            # Whole already, unless its checksum says otherwise.
            return
        response.raise_for_status()
        there = there if _continues(response, there) else 0
        total = there + int(response.headers.get("Content-Length", 0))
        if total > limit:
            raise InputError(url, expected=f"at most {limit:,} bytes", found=f"{total:,}")
        with reporter.bar(f"downloading {target.name.removesuffix('.part')}, KiB", total // _KIB) as advance:
            advance(there // _KIB)
            _write(response, target, there, limit, advance)
    if target.stat().st_size < total:
        raise _CutError(f"{target.stat().st_size:,} of {total:,} bytes")


def _continues(response: requests.Response, there: int) -> bool:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return response.status_code == requests.codes.partial_content and found is not None and int(found[1]) == there


def _write(response: requests.Response, target: Path, there: int, limit: int, advance: Advance) -> None:
    # What came before a cut is kept; that something is missing is seen from the length.
    response.raw.enforce_content_length = False
    with target.open("r+b" if there else "wb") as file:
        file.seek(there)
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            there += len(chunk)
            if there > limit:
                raise InputError(response.url, expected=f"at most {limit:,} bytes", found="more")
            advance(len(chunk) // _KIB)


def _in_words(error: Exception | None) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code} {response.reason}"
    return {"ConnectionError": "no connection", "ConnectTimeout": "no answer", "ReadTimeout": "silence"}.get(
        type(error).__name__, " ".join(str(error).split())[:120]
    )
