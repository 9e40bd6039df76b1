from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asd.bundle import Bundle, pack, read_bundle, unpack, write_bundle
from edge_asd.errors import InputError
from tests.handmade import write_handmade


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_handmade(tmp_path_factory.mktemp("bundle") / "hum.easd")


@pytest.fixture(scope="module")
def content(bundle: Bundle) -> bytes:
    return Path(bundle.where).read_bytes()


def sealed(archive: bytes) -> bytes:
    """Close a forged archive with a right seal, as somebody who knows the format would."""
    with zipfile.ZipFile(file := io.BytesIO(archive), "a") as opened:
        opened.comment = b"0" * 64
    body = file.getvalue()[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def forged(content: bytes, changes: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Replace, add or remove members, and seal the result."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | changes
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            if data is not None:
                archive.writestr(name, data)
    return sealed(file.getvalue())


def refusal(content: bytes) -> str:
    with pytest.raises(InputError) as caught:
        unpack(content, "hum.easd")
    message = str(caught.value)
    assert message.startswith("hum.easd")
    assert "\n" not in message
    return message


def test_what_was_written_is_read(bundle: Bundle) -> None:
    again = read_bundle(Path(bundle.where))
    assert again.manifest == bundle.manifest
    assert again.sha256 == bundle.sha256 == hashlib.sha256(Path(bundle.where).read_bytes()).hexdigest()
    assert {name: array.tolist() for name, array in again.arrays.items()} == {
        name: array.tolist() for name, array in bundle.arrays.items()
    }


def test_same_content_gives_same_bytes(bundle: Bundle, content: bytes) -> None:
    assert pack(bundle.manifest, bundle.arrays, bundle.networks) == content


def test_is_a_plain_zip_with_hashes(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["schema"] == "edge-asd/bundle/1"
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        for name, member in manifest["members"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == member["sha256"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_flipped_byte_is_found(content: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[position] ^= data.draw(st.integers(1, 255))
    refusal(bytes(flipped))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_truncation_is_found(content: bytes, data: st.DataObject) -> None:
    refusal(content[: data.draw(st.integers(0, len(content) - 1))])


def test_missing_file_folder_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "text.easd").write_text("not a bundle")
    for path, found in (
        ("none.easd", "No such file or directory; make one with 'edge-asd export', or copy it there"),
        # A file may be unreachable as well: below a folder that may not be searched, too.
        (300 * "n", "expected a bundle, found File name too long$"),
        (".", "a folder"),
        ("text.easd", "another kind of file"),
    ):
        with pytest.raises(InputError, match=found):
            read_bundle(tmp_path / path)


def test_newer_schema_says_upgrade(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    manifest["schema"] = "edge-asd/bundle/7"
    manifest["something"] = "new"
    assert "upgrade edge-asd" in refusal(forged(content, {"manifest.json": json.dumps(manifest).encode()}))


@pytest.mark.parametrize("tolerance", [1e308, 0.11, -1e-3])
def test_a_bundle_cannot_have_any_deviation_of_itself_accepted(content: bytes, tolerance: float) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    manifest["tolerances"]["score"] = tolerance
    assert "tolerances" in refusal(forged(content, {"manifest.json": json.dumps(manifest).encode()}))


@pytest.mark.parametrize("name", ["../evil.npy", "/etc/evil.npy", "evil.py", "a//b.npy", "UP.npy", "x.npy/../y.npy"])
def test_members_with_other_names_are_refused(content: bytes, name: str) -> None:
    assert "only arrays and nets" in refusal(forged(content, {name: b"x"}))


def test_compressed_unlisted_missing_and_altered_members_are_refused(content: bytes) -> None:
    assert "compressed" in refusal(forged(content, {}, compression=zipfile.ZIP_DEFLATED))
    assert "on one side only" in refusal(forged(content, {"extra.npy": b"x"}))
    assert "on one side only" in refusal(forged(content, {"golden/samples.npy": None}))
    assert "another content" in refusal(forged(content, {"golden/samples.npy": b"x"}))
    assert "manifest" in refusal(forged(content, {"manifest.json": None}))
    assert "manifest" in refusal(forged(content, {"manifest.json": b"[" * 100_000}))
    assert "manifest" in refusal(forged(content, {"manifest.json": b'{"schema": "\xff"}'}))


def evil_array(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b" " * 8 + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "array",
    [
        evil_array("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"cos\nsystem\n(S'true'\ntR."),
        evil_array("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        evil_array("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        evil_array("__import__('os').system('true')"),
        evil_array("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", b"x"),
        evil_array("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 9999999999, 9999999999), }"),
        # Python's own tokenizer gives up on these with errors of its own.
        evil_array("[" * 5000),
        evil_array("{\n 'descr'\n  :\n 1"),
        b"not an array",
        b"",
    ],
)
def test_hostile_arrays_are_refused(bundle: Bundle, content: bytes, array: bytes) -> None:
    member = {"sha256": hashlib.sha256(array).hexdigest(), "size": len(array)}
    manifest = json.loads(msgspec.json.encode(bundle.manifest))
    manifest["members"]["golden/samples.npy"] = member
    changes: dict[str, bytes | None] = {"golden/samples.npy": array, "manifest.json": json.dumps(manifest).encode()}
    assert "a plain array" in refusal(forged(content, changes))


def test_writing_fails_whole(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a place that can be written"):
        write_bundle(tmp_path / "no" / "such" / "folder.easd", bundle.manifest, bundle.arrays, bundle.networks)
    kept = tmp_path / "kept.easd"
    kept.write_bytes(b"before")
    with pytest.raises((InputError, TypeError)):
        write_bundle(kept, bundle.manifest, {**bundle.arrays, "UPPER": np.zeros(1)}, bundle.networks)
    assert kept.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [kept]
