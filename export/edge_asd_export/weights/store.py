"""The folder that keeps downloaded weights, and what else on this machine has them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pooch

from edge_asd.errors import InputError
from edge_asd.files import write_atomically
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
    """Where they come from, in a word: `cache`, or the package that brought them."""


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
        self.folder = folder or Path(pooch.os_cache("edge-asd")) / "weights"
        self._require_fit = require_fit

    def find(self, name: str) -> Kept | None:
        """Return where weights are on this machine, or None; errors as `find_source`."""
        path = self.folder / find_source(name).file
        if path.is_file():
            return Kept(path, "cache")
        package = _in_openl3_package(name)
        return Kept(package, "package openl3") if package else None

    def fetch(self, name: str, reporter: Reporter = SILENT, *, url: str | None = None) -> Path:
        """Download weights unless they are here, check them, and return their path.

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
            When they cannot be downloaded, or are not what was published.
        """
        source = find_source(name)
        target = self.folder / source.file
        if target.is_file():
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

    def _fault(self, path: Path, source: Source) -> InputError | None:
        remedy = f"remove it, and fetch {source.name} again"
        try:
            record = _record_of(path)
            if not source.checksum and record.is_file():
                check(path, f"sha256:{record.read_text('ascii').strip()}", remedy=remedy)
            self._require(path, source, remedy)
        except InputError as error:
            return error
        return None

    def _require(self, path: Path, source: Source, remedy: str) -> None:
        check(path, source.checksum, remedy=remedy)
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


def _in_openl3_package(name: str) -> Path | None:
    # Found without importing it, which would take seconds.
    family, _, rest = name.partition("-")
    spec = importlib.util.find_spec("openl3") if family == "openl3" else None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / f"openl3_audio_{rest.replace('-', '_')}.h5"
        if path.is_file():
            return path
    return None
