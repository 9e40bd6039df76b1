"""Fetching, adding, finding and verifying weights, with a real HTTP server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_asd.cli import main
from edge_asd.errors import InputError
from edge_asd.recipe.models import NetName
from edge_asd_export.nets import NETS
from edge_asd_export.weights import registry
from edge_asd_export.weights.checksums import digest
from edge_asd_export.weights.registry import SOURCES, Source
from edge_asd_export.weights.store import Store
from tests.edge_asd_export.nets.official import write_keras_h5


class Server(http.server.ThreadingHTTPServer):
    """Serves one file, with ranges or without, and cuts the connection as often as it is told to."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.status = content, True, 200
        self.cuts: list[int] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights.h5"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: it is meant to happen that the other end has gone."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append(asked)
        found = re.match(r"bytes=(\d+)-", asked)
        start = int(found[1]) if found and self.server.ranges else 0
        content = self.server.content[start:]
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        if start and not content:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.server.cuts.pop(0)] if self.server.cuts else content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    kernel = np.random.default_rng(0).standard_normal((640, 640)).astype(np.float32)
    return write_keras_h5(tmp_path_factory.mktemp("served") / "w.h5", {"dense": {"kernel": kernel}}).read_bytes()


@pytest.fixture
def server(content: bytes) -> Iterator[Server]:
    server = Server(content)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def published(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Weights whose checksum is the served file's blob id in git."""
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
    source = Source("served", "https://weights.invalid/weights.h5", f"git:{blob}", 1.7, "CC0-1.0", ("yamnet",))
    monkeypatch.setitem(registry.SOURCES, "served", source)
    return source


def test_fetched_once_and_found(server: Server, published: Source, tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path / "new" / "folder")
    assert store.find("served") is None
    path = store.fetch("served", url=server.url)
    assert path.read_bytes() == content
    assert store.fetch("served", url=server.url) == path
    assert len(server.asked) == 1
    kept = store.find("served")
    assert kept is not None
    assert (kept.path, kept.origin) == (path, "cache")
    assert sorted(file.name for file in path.parent.iterdir()) == ["weights.h5", "weights.h5.sha256"]


def test_a_cut_transfer_goes_on_where_it_stopped(
    server: Server, published: Source, tmp_path: Path, content: bytes
) -> None:
    server.cuts = [100_000, 200_000]
    assert Store(tmp_path).fetch("served", url=server.url).read_bytes() == content
    assert server.asked == ["", "bytes=100000-", "bytes=300000-"]


def test_given_up_it_goes_on_at_the_next_call(
    server: Server, published: Source, tmp_path: Path, content: bytes
) -> None:
    server.cuts = [1000, 1000, 1000]
    with pytest.raises(InputError, match="expected the whole file, found 3,000 bytes"):
        Store(tmp_path).fetch("served", url=server.url)
    assert (tmp_path / "weights.h5.part").stat().st_size == 3000
    assert Store(tmp_path).fetch("served", url=server.url).read_bytes() == content
    assert server.asked[-1] == "bytes=3000-"


def test_a_server_without_ranges_begins_again(
    server: Server, published: Source, tmp_path: Path, content: bytes
) -> None:
    server.cuts, server.ranges = [100_000], False
    assert Store(tmp_path).fetch("served", url=server.url).read_bytes() == content


def test_what_came_whole_before_is_not_fetched_again(
    server: Server, published: Source, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "weights.h5.part").write_bytes(content)
    assert Store(tmp_path).fetch("served", url=server.url).read_bytes() == content


def test_another_content_is_refused_and_removed(
    server: Server, published: Source, tmp_path: Path, content: bytes
) -> None:
    server.content = content[:-1] + b"x"
    with pytest.raises(InputError, match="expected git blob id"):
        Store(tmp_path).fetch("served", url=server.url)
    assert not list(tmp_path.iterdir())


def test_the_beginning_of_another_file_is_found_out(
    server: Server, published: Source, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "weights.h5.part").write_bytes(bytes(5000))
    with pytest.raises(InputError, match="expected git blob id"):
        Store(tmp_path).fetch("served", url=server.url)
    assert Store(tmp_path).fetch("served", url=server.url).read_bytes() == content


def test_far_too_much_is_refused(server: Server, published: Source, tmp_path: Path, content: bytes) -> None:
    server.content = bytes(10 * len(content))
    with pytest.raises(InputError, match="expected at most"):
        Store(tmp_path).fetch("served", url=server.url)


def test_no_server_and_no_such_file(server: Server, published: Source, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(InputError, match="HTTP status 404"):
        Store(tmp_path).fetch("served", url=server.url)
    with pytest.raises(InputError, match=r"found 0 bytes of it \(no connection\)"):
        Store(tmp_path).fetch("served", url="http://127.0.0.1:9/weights.h5")


def test_without_a_checksum_the_format_is_checked_and_nothing_is_resumed(
    server: Server, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source("served", "https://weights.invalid/weights.h5", "", 1.7, "CC0-1.0", ("yamnet",))
    monkeypatch.setitem(registry.SOURCES, "served", source)
    (tmp_path / "weights.h5.part").write_bytes(bytes(5000))
    assert Store(tmp_path).fetch("served", url=server.url).read_bytes() == content
    server.content = b"<!DOCTYPE html>"
    (tmp_path / "weights.h5").unlink()
    with pytest.raises(InputError, match="expected weights of"):
        Store(tmp_path).fetch("served", url=server.url)


def test_a_file_from_elsewhere_is_checked(published: Source, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine.h5"
    file.write_bytes(content)
    store = Store(tmp_path / "store")
    assert store.add("served", file).read_bytes() == content
    file.write_bytes(content + b"x")
    with pytest.raises(InputError, match="expected git blob id"):
        store.add("served", file)


@pytest.mark.parametrize("given", ["vggish", "vggish.index"])
def test_a_checkpoint_in_several_files_is_not_taken_in_part(
    given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    tensors = [np.ones((3, 3), np.float32)]
    tensorflow.raw_ops.SaveV2(
        prefix=str(tmp_path / "vggish"), tensor_names=["a"], shape_and_slices=[""], tensors=tensors
    )
    folder = tmp_path / "store"
    assert main(["weights", "add", "vggish", str(tmp_path / given), "--folder", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"edge-asd: {tmp_path / 'vggish.index'}: expected one file that holds all weights, found")
    assert "--weights" in line
    assert not folder.exists()


def test_verify_finds_what_changed(published: Source, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine.h5"
    file.write_bytes(content)
    store = Store(tmp_path / "store")
    assert store.verify() == {}
    path = store.add("served", file)
    assert store.verify() == {"served": None}
    path.write_bytes(content[:-1] + b"x")
    assert "git blob id" in str(store.verify()["served"])


def test_verify_finds_a_change_without_a_published_checksum(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source("served", "https://weights.invalid/weights.h5", "", 1.7, "CC0-1.0", ("yamnet",))
    monkeypatch.setitem(registry.SOURCES, "served", source)
    file = tmp_path / "mine.h5"
    file.write_bytes(content)
    store = Store(tmp_path / "store")
    store.add("served", file).write_bytes(content[:-1] + b"x")
    assert "SHA-256" in str(store.verify()["served"])


@pytest.fixture
def unpublished(monkeypatch: pytest.MonkeyPatch) -> Source:
    """Weights without a checksum."""
    source = Source("served", "https://weights.invalid/weights.h5", "", 1.7, "CC0-1.0", ("yamnet",))
    monkeypatch.setitem(registry.SOURCES, "served", source)
    return source


def kept_by(store: Store, folder: Path, content: bytes) -> Path:
    file = folder / "mine.h5"
    file.write_bytes(content)
    return store.add("served", file)


def read(store: Store) -> str:
    """SHA-256 of what is read of the weights that are found."""
    kept = store.find("served")
    assert kept is not None
    return kept.read().sha256


@pytest.mark.parametrize("checksum", ["published", "unpublished"])
def test_what_changed_since_it_came_is_neither_read_nor_fetched(
    checksum: str, request: pytest.FixtureRequest, tmp_path: Path, content: bytes
) -> None:
    request.getfixturevalue(checksum)
    store = Store(tmp_path / "store")
    path = kept_by(store, tmp_path, content)
    assert store.fetch("served") == path
    assert read(store) == hashlib.sha256(content).hexdigest()
    path.write_bytes(content[:-1] + b"x")
    for use in (lambda: read(store), lambda: store.fetch("served")):
        with pytest.raises(
            InputError, match=r"weights\.h5: expected SHA-256 .*; remove weights\.h5, and fetch"
        ) as error:
            use()
        assert "\n" not in str(error.value)
    assert read_again(store, tmp_path, content) == hashlib.sha256(content).hexdigest()


def read_again(store: Store, folder: Path, content: bytes) -> str:
    kept_by(store, folder, content)
    return read(store)


def test_reading_takes_no_checksum_twice(
    published: Source, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    kept_by(store, tmp_path, content)
    monkeypatch.setattr("edge_asd_export.weights.checksums.digest", None)
    assert read(store) == hashlib.sha256(content).hexdigest()


def test_what_was_put_there_by_hand_is_held_to_the_published_checksum(
    published: Source, tmp_path: Path, content: bytes
) -> None:
    store = Store(tmp_path)
    (tmp_path / "weights.h5").write_bytes(content)
    assert read(store) == hashlib.sha256(content).hexdigest()
    (tmp_path / "weights.h5").write_bytes(content[:-1] + b"x")
    with pytest.raises(InputError, match="expected git blob id"):
        read(store)
    with pytest.raises(InputError, match="expected git blob id"):
        store.fetch("served")


@pytest.mark.parametrize("record", [b"", b"abc", b"\xff" * 64, b"0" * 2000])
def test_a_damaged_record_vouches_for_nothing(
    record: bytes, unpublished: Source, tmp_path: Path, content: bytes
) -> None:
    store = Store(tmp_path / "store")
    path = kept_by(store, tmp_path, content)
    path.with_name("weights.h5.sha256").write_bytes(record)
    with pytest.raises(InputError, match=r"weights\.h5\.sha256: expected a SHA-256"):
        read(store)
    assert "expected a SHA-256" in str(store.verify()["served"])
    assert read_again(store, tmp_path, content) == hashlib.sha256(content).hexdigest()


def test_verify_claims_no_more_than_it_knows(
    unpublished: Source, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    path = kept_by(store, tmp_path, content)
    assert store.verify() == {"served": None}
    assert store.assurance("served") == "came"
    path.with_name("weights.h5.sha256").unlink()
    assert store.assurance("served") == "fits"
    digits = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setitem(registry.SOURCES, "served", unpublished._replace(checksum=f"sha256:{digits}"))
    assert store.assurance("served") == "published"


def test_verify_says_so_on_the_command_line(
    unpublished: Source,
    tmp_path: Path,
    content: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_asd_export.commands.weights.require_fit", lambda *_: None)
    kept_by(Store(tmp_path / "store"), tmp_path, content)
    assert main(["weights", "verify", "--folder", str(tmp_path / "store")]) == 0
    assert re.search(r"served +as it came \(no checksum is published\)", capsys.readouterr().out)


def test_the_openl3_package_s_weights_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    package = tmp_path / "site" / "openl3"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('slow to import')")
    (package / "openl3_audio_mel256_music.h5").write_bytes(content)
    monkeypatch.syspath_prepend(str(package.parent))
    kept = Store(tmp_path / "store").find("openl3-mel256-music")
    assert kept is not None
    assert (kept.path, kept.origin) == (package / "openl3_audio_mel256_music.h5", "package openl3")
    assert Store(tmp_path / "store").find("openl3-mel256-env") is None


def test_git_s_blob_id_as_git_computes_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 10)
    expected = subprocess.run(["git", "hash-object", file], capture_output=True, text=True, check=True).stdout.strip()
    assert digest(file, "git") == expected


@pytest.mark.parametrize("name", NETS)
def test_every_net_has_published_weights(name: NetName) -> None:
    assert name in SOURCES[NETS[name].weights].nets
    assert all(source.url.startswith("https://") for source in SOURCES.values())


def test_on_the_command_line(
    server: Server, published: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    folder = ["--folder", str(tmp_path / "store")]
    assert main(["weights", "fetch", "served", "--url", server.url, "--quiet", *folder]) == 0
    assert "CC0-1.0" in capsys.readouterr().out
    assert main(["weights", "list", *folder]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"served +2 MB +CC0-1.0 +cache", listed)
    assert re.search(r"openl3-mel128-env +17 MB +CC-BY-4.0 +-", listed)
    assert main(["weights", "verify", *folder]) == 0
    (tmp_path / "store" / "weights.h5").write_bytes(content + b"x")
    assert main(["weights", "verify", *folder]) == 1
    assert main(["weights", "fetch", "nothing", *folder]) == 2
    assert "expected one of openl3-mel128-env" in capsys.readouterr().err
    assert main(["weights", "add", "served", str(tmp_path / "none"), *folder]) == 2


def test_weights_of_another_net_are_not_taken_where_no_checksum_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    file = tmp_path / "yamnet.h5"
    file.write_bytes(content)
    assert main(["weights", "add", "yamnet", str(file), "--folder", str(tmp_path / "store")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"edge-asd: {file}: expected 54 layers with weights, found 0")
    assert not (tmp_path / "store").exists()
