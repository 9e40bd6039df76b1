"""The bundle: everything a device needs to judge one machine, in one file.

An uncompressed ZIP of `manifest.json`, `*.npy` arrays and `*.tflite` nets, closed by a *seal*: the ZIP's comment is the
SHA-256, in hexadecimal, of every byte before it. The seal finds any change, the manifest's own included; the manifest
names the SHA-256 of each member. The same content always gives the same bytes, so the SHA-256 of the whole file is the
bundle's id. Nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge_asd.errors import InputError
from edge_asd.files import read_limited, write_atomically
from edge_asd.recipe.graph import Recipe
from edge_asd.settings import Settings

SCHEMA = "edge-asd/bundle/1"
"""Schema of the manifests written here."""
SUFFIX = ".easd"
"""Usual ending of a bundle's name."""

MOST_TOLERATED = 0.1
"""Largest deviation that a bundle may have accepted of itself: with more, its self-test would say nothing."""

_LIMIT = 512 * 1024 * 1024
_MEMBERS_LIMIT = 1000
_SEAL_LENGTH = 64
_NAME = re.compile(r"[a-z0-9_-]+(/[a-z0-9_-]+)*\.(npy|tflite)")
_SCHEMA = re.compile(r"edge-asd/bundle/(\d{1,6})")
_NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<dtype><f4|<f8|<i2|<i4|<i8|\|u1|\|b1)', 'fortran_order': False, "
    rb"'shape': \((?P<shape>(\d{1,10}, ?){0,8}(\d{1,10})?)\), \} *\n",
    re.DOTALL,
)
_REMEDY = "copy it again, or export it again"


class Member(Settings):
    """One array or net of the bundle."""

    sha256: str
    """SHA-256 of the member's bytes, hexadecimal."""
    size: int
    """Length in bytes."""


class Fidelity(Settings):
    """How faithful a quantized net is to the same net in float32, on the same sound."""

    cosine: float
    """Mean cosine of the angle between their rows."""
    centred_cosine: float
    """The same after each lost its own mean row: what all rows share does not count, nor an offset between the two,
    since what stands behind a net is fitted to its own rows."""
    spearman: float
    """Rank correlation of clip scores; of the worst part that judges the net."""
    clips: int
    """Stretches of sound that were compared."""
    auc_change: float | None = None
    """AUC less that of the float32 net, where labels are known; of the worst part."""
    pauc_change: float | None = None
    """The same of the partial AUC."""


class NetworkRecord(Settings):
    """How one net was quantized, and what computed the outputs that the detectors were fitted on."""

    quantization: str
    """`float32`, `float16`, `dynamic` or `int8`; `as-given` for a TFLite file of the user's."""
    interpreter: str
    """Interpreter that ran it at export, such as `ai-edge-litert`."""
    interpreter_version: str
    """Version of that interpreter."""
    minimum_runtime: Annotated[str, Meta(pattern=r"^(\d{1,4}(\.\d{1,4}){1,3})?(?!\n)$")]
    """Oldest TensorFlow Lite runtime that has every operator inside, such as `2.14.0`; empty where unknown."""
    reason: str = ""
    """Why it is quantized so."""
    macs: int = 0
    """Multiply-accumulates of one run."""
    runs_per_second: float = 0.0
    """Runs per second of sound."""
    weights_sha256: str = ""
    """SHA-256 of the file of pretrained weights, or of the TFLite file, that it was made from; empty where it was
    trained."""
    fidelity: Fidelity | None = None
    """How faithful it is to float32; nothing where it is float32."""


class Calibration(Settings):
    """What normal sound scores, measured on stretches that the judging detector had not been fitted to."""

    threshold: float
    """Score from which a stretch counts as anomalous."""
    centre: float
    """Median score of held-out normal stretches."""
    rule: str
    """How the threshold was found, in words."""
    folds: int
    """Folds of the cross-fitting."""
    held_out: list[float]
    """Held-out scores, in the order of the recordings."""
    alarms_per_week: float | None = None
    """Alarms that a week of normal sound is expected to raise with the default hysteresis."""
    extremal_index: float | None = None
    """Alarms per decision above a high level: 1 where every decision stands for itself."""


class Training(Settings):
    """What the bundle was made from."""

    recordings: int
    """Recordings used."""
    horizons: int
    """Stretches of one horizon cut from them."""
    list_sha256: str
    """SHA-256 over the names and contents of the recordings, in order."""
    native_rates: list[int]
    """Sampling rates of the recordings, in hertz."""
    bandwidth_hz: float
    """Highest frequency that every recording holds, in hertz."""
    seed: int
    """Seed of all that is random."""


class Quality(Settings):
    """How well labelled recordings were told apart at export."""

    auc: float
    """Area under the ROC curve."""
    pauc: float
    """Partial area up to a false-positive rate of 0.1, standardized (McClish 1989)."""
    normal: int
    """Normal recordings or stretches scored, none by a graph that was fitted to it."""
    anomalous: int
    """Anomalous ones scored."""
    ranked: Literal["recordings", "stretches"] = "recordings"
    """What was ranked: whole recordings, each by the highest score of its horizons; or, where no normal recordings were
    kept for testing, single stretches of one horizon, side by side, the normal ones by their held-out scores."""


class Site(Settings):
    """Normal sound of another place, which a bundle was calibrated on after its export."""

    parent: str
    """SHA-256 of the bundle that was calibrated."""
    recordings: int
    """Recordings heard there."""
    list_sha256: str
    """SHA-256 over their names and contents, in order."""
    adapted: list[str]
    """What was adapted to them besides the threshold, such as `parts.steady`."""


class Manifest(Settings):
    """The bundle's table of contents and record."""

    schema: str
    """`edge-asd/bundle/1`."""
    recipe: Recipe
    """The recipe in full form."""
    members: dict[str, Member]
    """Every other file in the bundle."""
    networks: dict[str, NetworkRecord]
    """The nets, by branch."""
    calibration: Calibration
    """Threshold and what it rests on."""
    training: Training
    """What it was made from."""
    tolerances: dict[str, Annotated[float, Meta(ge=0.0, le=MOST_TOLERATED)]]
    """Largest deviation of each golden stage that is accepted, by stage."""
    versions: dict[str, str]
    """Versions of the software that made it."""
    quality: Quality | None = None
    """Figures on labelled recordings, where there were any."""
    site: Site | None = None
    """The place it was calibrated at last, where that was not at its export."""


class Bundle(NamedTuple):
    """A bundle in memory, every byte of it checked."""

    manifest: Manifest
    arrays: dict[str, NDArray[np.generic]]
    """Arrays by member name without its ending, such as `parts/steady/tail/scores`."""
    networks: dict[str, bytes]
    """TFLite files by member name without its ending."""
    sha256: str
    """SHA-256 of the whole file: the bundle's id."""
    where: str
    """The file, as errors name it."""

    @property
    def recipe(self) -> Recipe:
        """The recipe in full form."""
        return self.manifest.recipe


def arrays_under(arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> dict[str, NDArray[np.generic]]:
    """Return the arrays below `prefix`, with the prefix taken off their names."""
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{prefix}/")}


def pack(manifest: Manifest, arrays: Mapping[str, NDArray[np.generic]], networks: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a bundle; `manifest.members` is filled in here."""
    contents = {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    contents |= {f"{name}.tflite": content for name, content in networks.items()}
    members = {name: Member(sha256=_sha256(contents[name]), size=len(contents[name])) for name in sorted(contents)}
    manifest = msgspec.structs.replace(manifest, members=members)
    listing = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in [("manifest.json", listing), *sorted(contents.items())]:
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content)
        archive.comment = b"0" * _SEAL_LENGTH
    sealed = file.getvalue()[:-_SEAL_LENGTH]
    return sealed + _sha256(sealed).encode()


def write_bundle(
    path: Path, manifest: Manifest, arrays: Mapping[str, NDArray[np.generic]], networks: Mapping[str, bytes]
) -> Bundle:
    """Write a bundle in one atomic step, and return it as a reader sees it.

    Raises
    ------
    InputError
        When `path` cannot be written; what stood there before is then untouched.
    """
    content = pack(manifest, arrays, networks)
    bundle = unpack(content, str(path))
    write_atomically(path, content)
    return bundle


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises
    ------
    InputError
        When it is missing, truncated, altered, too large, of a newer schema, or otherwise not a bundle.
    """
    missing = "make one with 'edge-asd export', or copy it there"
    return unpack(read_limited(path, _LIMIT, "a bundle", missing=missing), str(path))


def unpack(content: bytes, where: str) -> Bundle:
    """Check the bytes of a bundle and take it apart; errors as `read_bundle`."""
    _check_seal(content, where)
    files = _read_members(content, where)
    manifest = _read_manifest(files.pop("manifest.json", b""), where)
    _check_members(manifest, files, where)
    arrays = {name[:-4]: _read_npy(data, f"{where}: {name}") for name, data in files.items() if name.endswith(".npy")}
    networks = {name[:-7]: data for name, data in files.items() if name.endswith(".tflite")}
    return Bundle(manifest, arrays, networks, _sha256(content), where)


def _check_seal(content: bytes, where: str) -> None:
    if not content.startswith(b"PK\x03\x04"):
        raise InputError(where, expected="a bundle", found="another kind of file", remedy=_REMEDY)
    if content[-_SEAL_LENGTH:] != _sha256(content[:-_SEAL_LENGTH]).encode():
        raise InputError(where, expected="a whole bundle", found="a truncated or altered one", remedy=_REMEDY)


def _read_members(content: bytes, where: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_entries(entries, where)
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, EOFError, ValueError, OverflowError, NotImplementedError, struct.error) as error:
        raise InputError(where, expected="a bundle", found=f"a broken ZIP ({error})", remedy=_REMEDY) from error


def _check_entries(entries: list[zipfile.ZipInfo], where: str) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > _MEMBERS_LIMIT or len(set(names)) != len(names):
        raise InputError(where, expected=f"at most {_MEMBERS_LIMIT} members, each once", found=f"{len(names)} members")
    for entry in entries:
        if entry.filename != "manifest.json" and not _NAME.fullmatch(entry.filename):
            raise InputError(where, expected="only arrays and nets", found=f"a member named {entry.filename[:80]!r}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits or entry.file_size != entry.compress_size:
            raise InputError(where, expected="plain members", found=f"{entry.filename} compressed or encrypted")
    if sum(entry.file_size for entry in entries) > _LIMIT:
        raise InputError(where, expected=f"at most {_LIMIT:,} bytes", found="more")


def _read_manifest(listing: bytes, where: str) -> Manifest:
    where = f"{where}: manifest.json"
    try:
        schema = msgspec.json.decode(listing, type=dict[str, msgspec.Raw]).get("schema", msgspec.Raw(b'""'))
        known = _SCHEMA.fullmatch(msgspec.json.decode(schema, type=str))
        if known and f"edge-asd/bundle/{known[1]}" != SCHEMA:
            raise InputError(
                where,
                expected=f"schema {SCHEMA}",
                found=f"schema {known[0]}",
                remedy="upgrade edge-asd on this machine",
            )
        manifest = msgspec.json.decode(listing, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        found = f"{error}"[:200]
        raise InputError(where, expected=f"a manifest of schema {SCHEMA}", found=found, remedy=_REMEDY) from error
    if manifest.schema != SCHEMA:
        raise InputError(where, expected=f"schema {SCHEMA}", found=repr(manifest.schema[:40]))
    return manifest


def _check_members(manifest: Manifest, files: Mapping[str, bytes], where: str) -> None:
    if set(files) != set(manifest.members):
        odd = sorted(set(files) ^ set(manifest.members))[0]
        raise InputError(where, expected="the members that the manifest names", found=f"{odd} on one side only")
    for name, member in manifest.members.items():
        if len(files[name]) != member.size or _sha256(files[name]) != member.sha256:
            raise InputError(f"{where}: {name}", expected=f"SHA-256 {member.sha256[:12]}…", found="another content")


def _npy(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    array = np.asarray(array)
    np.lib.format.write_array(file, np.ascontiguousarray(array, array.dtype.newbyteorder("<")), allow_pickle=False)
    return file.getvalue()


def _read_npy(data: bytes, where: str) -> NDArray[np.generic]:
    # NumPy's own reader takes a header for Python, and allocates what it asks for before it looks at what is there.
    header = _NPY_HEADER.match(data)
    if header is None or header.end() != 10 + int.from_bytes(data[8:10], "little"):
        raise InputError(where, expected="a plain array", found="another header than arrays here have", remedy=_REMEDY)
    dtype = np.dtype(header["dtype"].decode())
    shape = tuple(int(size) for size in header["shape"].split(b",") if size.strip())
    try:
        if math.prod(shape) * dtype.itemsize != len(data) - header.end():
            raise ValueError(f"{len(data) - header.end()} bytes for {dtype} of shape {shape}")
        return np.ndarray(shape, dtype, data, header.end()).copy()
    except ValueError as error:
        raise InputError(where, expected="a plain array", found=str(error), remedy=_REMEDY) from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
