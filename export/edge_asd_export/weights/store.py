"""The folder that keeps downloaded weights, and what else on this machine has them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import platformdirs

from edge_asd.errors import InputError
from edge_asd.files import read_limited, write_atomically
from edge_asd_export.progress import SILENT, Reporter
from edge_asd_export.weights import checkpoint
from edge_asd_export.weights.checksums import check, digest
from edge_asd_export.weights.download import download
from edge_asd_export.weights.files import LIMIT, WeightsFile, read_file
from edge_asd_export.weights.reading import named_file, read_weights
from edge_asd_export.weights.registry import SOURCES, Source, find_source


class Kept(NamedTuple):
    """Weights that are at hand."""

    path: Path
    origin: str
    """Where they come from, in a word: `cache`, `given`, or the package that brought them."""
    source: Source | None = None
    """As what they were kept; None where a package brought them, in a file that is not the published one."""

    def read(self) -> WeightsFile:
        """Read them; that they are still what came is seen by the SHA-256 that is taken of all weights anyway.

        Raises
        ------
        InputError
            When they changed since they came, or cannot be read.
        """
        if self.source is None:
            return read_weights(self.path)
        remedy = _remedy(self.path, self.source)
        kind, _, digits = _expected(self.path, self.source).partition(":")
        if kind != "sha256":
            check(self.path, self.source.checksum, remedy=remedy)
            return read_weights(self.path)
        return read_weights(self.path, sha256=digits, remedy=remedy)


Assurance = Literal["published", "came", "fits"]
"""What the weights in a folder can be known to be: what was published, what came, or of the net at least."""


class Store:
    """Downloaded weights, in a folder of the user's cache (`XDG_CACHE_HOME`) or a given one.

    Beside each file stands its SHA-256 from when it came, so that `verify` finds what changed since, even where the
    publisher gives no checksum.

    Parameters
    ----------
    folder
        The folder.
    require_fit
        Refuses weights that are not of the net they are published for: asked where no checksum tells.
    """

    def __init__(
        self, folder: Path | None = None, require_fit: Callable[[Source, WeightsFile], None] | None = None
    ) -> None:
        self.folder = folder or platformdirs.user_cache_path("edge-asd") / "weights"
        self._require_fit = require_fit

    def find(self, name: str) -> Kept | None:
        """Return where weights are on this machine, or None; errors as `find_source`.

        They are looked at no further: `Kept.read` finds out whether they changed.
        """
        source = find_source(name)
        path = self.folder / source.file
        if path.is_file():
            return Kept(path, "cache", source)
        package = _in_openl3_package(name)
        return Kept(package, "package openl3") if package else None

    def fetch(self, name: str, reporter: Reporter = SILENT, *, url: str | None = None) -> Path:
        """Download weights unless they are here, check them in any case, and return their path.

        Parameters
        ----------
        name
            Their name.
        reporter
            Shows how far it is.
        url
            A mirror; the official location where left out. The checksum is the same.

        Raises
        ------
        InputError
            When they cannot be downloaded, are not what was published, or changed since they came.
        """
        source = find_source(name)
        target = self.folder / source.file
        if target.is_file():
            self._require_unchanged(target, source)
            return target
        self._make_folder()
        part = target.with_name(f"{target.name}.part")
        if not source.checksum:
            # Nothing would tell whether two halves belong together.
            part.unlink(missing_ok=True)
        download(url or source.url, part, limit=min(LIMIT, int(2e6 * source.megabytes)), reporter=reporter)
        try:
            self._require(part, source, "it was removed: fetch it again, or see 'weights add'")
        except InputError:
            part.unlink()
            raise
        self._keep(part.read_bytes(), target)
        part.unlink()
        return target

    def add(self, name: str, file: Path) -> Path:
        """Take a file that was downloaded elsewhere, check it, and return its path here.

        Raises
        ------
        InputError
            When it is not what was published under this name, holds no weights at all, or leaves them in other files.
        """
        source = find_source(name)
        _require_whole(named_file(file), source)
        content = read_file(file)
        self._require(file, source, f"{name} is published at {source.url}")
        self._make_folder()
        target = self.folder / source.file
        self._keep(content, target)
        return target

    def verify(self) -> dict[str, InputError | None]:
        """Check all weights that are here; return by name what is wrong with each, or None."""
        found: dict[str, InputError | None] = {}
        for name, source in SOURCES.items():
            path = self.folder / source.file
            if path.is_file():
                found[name] = self._fault(path, source)
        return found

    def assurance(self, name: str) -> Assurance:
        """Return what weights are known to be where `verify` finds nothing wrong; errors as `find_source`."""
        source = find_source(name)
        if source.checksum:
            return "published"
        return "came" if _record_of(self.folder / source.file).is_file() else "fits"

    def _fault(self, path: Path, source: Source) -> InputError | None:
        try:
            check(path, source.checksum, remedy=_remedy(path, source))
            check(path, _recorded(path, source), remedy=_remedy(path, source))
            self._require_weights(path, source)
        except InputError as error:
            return error
        return None

    def _require_unchanged(self, path: Path, source: Source) -> None:
        checksum = _expected(path, source)
        if checksum:
            check(path, checksum, remedy=_remedy(path, source))
        else:
            self._require_weights(path, source)

    def _require(self, path: Path, source: Source, remedy: str) -> None:
        check(path, source.checksum, remedy=remedy)
        self._require_weights(path, source)

    def _require_weights(self, path: Path, source: Source) -> None:
        weights = read_weights(path)
        if self._require_fit and not source.checksum:
            self._require_fit(source, weights)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                str(self.folder), expected="a folder that can be written", found=error.strerror or str(error)
            ) from error

    def _keep(self, content: bytes, target: Path) -> None:
        write_atomically(target, content)
        write_atomically(_record_of(target), f"{digest(target, 'sha256')}\n".encode())


def _require_whole(file: Path, source: Source) -> None:
    # An index alone is no weights, and its other files are known by names that are not those kept here.
    if file.name.endswith(checkpoint.INDEX) and file.is_file():
        raise InputError(
            str(file),
            expected="one file that holds all weights",
            found="the index of a TensorFlow checkpoint in several",
            remedy=f"give it to 'export' with --weights, or add the file that is published at {source.url}",
        )


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _recorded(path: Path, source: Source) -> str:
    """Return the checksum that a file had when it came, or an empty one where none was kept."""
    record = _record_of(path)
    if not record.is_file():
        return ""
    digits = read_limited(record, 1000, "a SHA-256").decode("ascii", "replace").strip()
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise InputError(str(record), expected="a SHA-256", found=repr(digits[:20]), remedy=_remedy(path, source))
    return f"sha256:{digits}"


def _expected(path: Path, source: Source) -> str:
    # The record is of the file that was checked, and of a kind that is taken anyway.
    return _recorded(path, source) or source.checksum


def _remedy(path: Path, source: Source) -> str:
    return f"remove {path.name}, and fetch or add {source.name} again"


def _in_openl3_package(name: str) -> Path | None:
    # Found without importing it, which would take seconds.
    family, _, rest = name.partition("-")
    spec = importlib.util.find_spec("openl3") if family == "openl3" else None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / f"openl3_audio_{rest.replace('-', '_')}.h5"
        if path.is_file():
            return path
    return None
