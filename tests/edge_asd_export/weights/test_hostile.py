"""Corrupt, truncated, mislabelled and malicious files of weights: one clear line each, and nothing is run."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pickle
import struct
import sys
import time
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asd.cli import main
from edge_asd.errors import InputError
from edge_asd.recipe.models import Net
from edge_asd_export.nets import Patches, build_net
from edge_asd_export.weights import files, keras_h5, read_weights, torch_file
from tests.edge_asd_export.nets.official import write_keras_h5
from tests.edge_asd_export.nets.released import recordings, released


class Attack:
    """What a pickle can do: run a command as soon as it is opened."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._path}",)


def torch_zip(path: Path, content: bytes, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for name, data in members.items():
            archive.writestr(f"archive/data/{name}", data)
    return path


def small_h5(path: Path) -> Path:
    layers = {"conv1": {"kernel": np.zeros((3, 3, 3, 64), np.float32), "bias": np.zeros(64, np.float32)}}
    return write_keras_h5(path, layers)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_weights(path)
    message = str(error.value)
    assert message.startswith(f"{path}: expected ")
    assert "\n" not in message
    return message


# --- pickles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_code_is_refused_and_not_run(protocol: int, tmp_path: Path) -> None:
    flag = tmp_path / "owned"
    content = pickle.dumps({"conv1.weight": Attack(flag)}, protocol=protocol)
    path = torch_zip(tmp_path / "w.pth", content)
    assert "system" in refusal(path) or "wants to" in refusal(path)
    assert not flag.exists()
    pickle.loads(content)
    assert flag.exists(), "the attack is a real one"


@pytest.mark.parametrize(
    "module",
    [
        "builtins\neval",
        "torch\nload",
        "torch.serialization\nload",
        "torch._utils\n_rebuild_sparse_tensor",
        "os\nsystem",
    ],
)
def test_names_that_are_no_part_of_weights_are_refused(module: str, tmp_path: Path) -> None:
    content = f"c{module}\n(S'1'\ntR.".encode()
    assert "a pickle that names" in refusal(torch_zip(tmp_path / "w.pth", content))


def test_an_old_file_that_runs_code_is_refused_and_not_run(tmp_path: Path) -> None:
    flag, path = tmp_path / "owned", tmp_path / "w.pth"
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, Attack(flag)):
            pickle.dump(value, file, protocol=2)
    assert "a pickle that names" in refusal(path)
    assert not flag.exists()


def nested(depth: int) -> bytes:
    """Tuples within tuples."""
    return b")" + b"\x85" * depth


def referring(key: bytes) -> bytes:
    """Refers to numbers called so."""
    return b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + key + b"X\x03\x00\x00\x00cpuK\x04tQ"


def tensor_of_shape(shape: bytes) -> bytes:
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + referring(b"X\x01\x00\x00\x000") + b"K\x00" + shape + b"K\x01\x85tR"
    )


def long_number(number: int) -> bytes:
    return b"\x8a\x0b" + number.to_bytes(11, "little", signed=True)


DEEP = nested(500_000)
LAUGHS = b")" + b"q\x00h\x00\x86" * 60
"""Two of what is two of what is … two: 2⁶⁰ tuples, if anything looks at each."""
SAME_HASH = [number * (2**61 - 1) for number in range(1, 200_000)]
TOO_DEEP: dict[str, bytes] = {
    "a key": b"}" + DEEP + b"K\x01s",
    "a value": b"}X\x01\x00\x00\x00a" + DEEP + b"s",
    "all of it": DEEP,
    "lists": b"]" * 500_000 + b"a" * 499_999,
    "dictionaries": b"}" + b"K\x01}" * 300_000 + b"s" * 300_000,
    "a name": DEEP + b"X\x01\x00\x00\x00a\x93",
    "a name of numbers": referring(DEEP),
    "a key of an ordered dictionary": b"ccollections\nOrderedDict\n](" + DEEP + b"K\x01\x86e\x85R",
    "lists within a list filled before": b"".join(b"]r" + struct.pack("<i", number) for number in range(1000))
    + b"".join(b"j" + struct.pack("<i", number) + b"ab" for number in reversed(range(999))),
    "a list within itself": b"]q\x00h\x00a",
    "a list within a tuple within itself": b"]q\x00h\x00\x85a",
}
TOO_WIDE: dict[str, bytes] = {
    "a key": b"}" + LAUGHS + b"K\x01s",
    "a name of numbers": referring(LAUGHS),
    "a shape": tensor_of_shape(LAUGHS),
    "a long shape": tensor_of_shape(b"(" + long_number(2**59) * 100_000 + b"t"),
    "a shape of giants": tensor_of_shape(b"(" + (b"\x8a\xff" + b"\x7f" * 255) * 1000 + b"t"),
    "keys of one hash": b"}(" + b"".join(long_number(number) + b"K\x01" for number in SAME_HASH) + b"u",
    "places of one hash": b"K\x01" + b"".join(b"p%d\n" % number for number in SAME_HASH),
    "items copied again and again": b"]q\x00(" + b"K\x01K\x01\x86" * 50_000 + b"eccollections\nOrderedDict\nq\x01"
    + b"h\x01h\x00\x85R" * 50_000,
    "a long key compared again and again": b"}X" + struct.pack("<i", 10**6) + b"a" * 10**6 + b"q\x00K\x01s"
    + (b"X" + struct.pack("<i", 10**6) + b"a" * 10**6 + b"q\x00") + b"K\x01s" + b"h\x00K\x01s" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("content", [*TOO_DEEP.values(), *TOO_WIDE.values()], ids=[*TOO_DEEP, *TOO_WIDE])
def test_what_is_too_deep_or_too_wide_for_python_is_refused(content: bytes, tmp_path: Path) -> None:
    path = torch_zip(tmp_path / "w.pth", b"\x80\x02" + content + b".")
    began = time.process_time()
    refusal(path)
    assert time.process_time() - began < 20


def test_a_long_pickle_takes_a_time_that_grows_with_its_length(tmp_path: Path) -> None:
    path = torch_zip(tmp_path / "w.pth", b"\x80\x02" + b"K\x01" * 100_000 + b"(K\x01t" * 40_000 + b".")
    began = time.process_time()
    assert "no dictionary of weights" in refusal(path)
    assert time.process_time() - began < 5


def test_sizes_below_nothing_hide_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tensors that share their numbers would count as few, beside one of negative size."""
    monkeypatch.setattr(files, "LIMIT", 1 << 20)
    sizes = {b"a": 1 << 17, b"b": 1 << 17, b"c": 1 << 17, b"d": -(1 << 19)}
    items = b"".join(
        b"X\x01\x00\x00\x00" + name + tensor_pickle(1 << 17, (size,))[11 : -len(b"s.")] + b"s"
        for name, size in sizes.items()
    )
    path = torch_zip(tmp_path / "w.pth", b"\x80\x02}q\x00" + items + b".", **{"0": bytes(1 << 19)})
    assert "negative" in refusal(path)


def test_an_ordered_dictionary_of_python_2_is_read(tmp_path: Path) -> None:
    one = tensor_pickle(length=4, shape=(4,))[5 : -len(b"s.")]
    content = b"\x80\x02ccollections\nOrderedDict\n]](" + one + b"ea\x85R."
    path = torch_zip(tmp_path / "w.pth", content, **{"0": np.ones(4, "<f4").tobytes()})
    np.testing.assert_array_equal(read_weights(path).arrays["w"], np.ones(4))


def test_what_a_file_says_does_not_reach_the_terminal_s_ear(tmp_path: Path) -> None:
    path = torch_zip(tmp_path / "w.pth", b"\x80\x02cos\nsys\x1b[2Jtem\n.")
    assert "\x1b" not in refusal(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_pickle_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(pickle.dumps({"a": [1, 2.5, ("b", None)], "c": OrderedDict(d=3)}, protocol=2))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed.pth"
    with pytest.raises(InputError):
        read_weights(torch_zip(path, bytes(content)))


# --- archives and compression ----------------------------------------------------------------------------------------


def test_a_gzip_bomb_is_refused_before_it_unfolds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LIMIT", 1 << 20)
    path = tmp_path / "bomb.h5.gz"
    path.write_bytes(gzip.compress(b"\x89HDF\r\n\x1a\n" + bytes(64 << 20)))
    assert "unpacks to more" in refusal(path)


def test_a_zip_bomb_is_refused_before_it_unfolds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LIMIT", 1 << 20)
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("archive/data/0", bytes(8 << 20))
    assert "bytes of weights" in refusal(path)


def test_a_zip_that_hides_its_size_does_not_unfold(tmp_path: Path) -> None:
    size, path = 250_250_250, tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", tensor_pickle(length=4, shape=(4,)))
        archive.writestr("archive/data/0", bytes(size))
    content = path.read_bytes()
    assert content.count(struct.pack("<I", size)) == 2
    content = content.replace(struct.pack("<I", size), struct.pack("<I", 16))
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            torch_file.read(content, "bomb.pth")
        assert tracemalloc.get_traced_memory()[1] < size // 4
    finally:
        tracemalloc.stop()


def test_tensors_that_share_their_numbers_do_not_unfold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LIMIT", 1 << 20)
    one = tensor_pickle(length=1 << 17, shape=(1 << 17,))[len(b"\x80\x02}q\x00X\x01\x00\x00\x00w") : -len(b"s.")]
    items = b"".join(b"X\x01\x00\x00\x00" + name + one + b"s" for name in (b"a", b"b", b"c"))
    path = torch_zip(tmp_path / "w.pth", b"\x80\x02}q\x00" + items + b".", **{"0": bytes(1 << 19)})
    assert "1,572,864 bytes" in refusal(path)


def damaged_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes(1000))[:-12])


def gzip_of_text(path: Path) -> None:
    path.write_bytes(gzip.compress(b"weights"))


def web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html>Not found</html>")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half_an_h5(path: Path) -> None:
    small_h5(path)
    path.write_bytes(path.read_bytes()[:1500])


def h5_without_keras(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["audio"] = np.zeros(10)


def h5_that_points_elsewhere(path: Path) -> None:
    small_h5(path.with_name("other.h5"))
    small_h5(path)
    with h5py.File(path, "a") as file:
        del file["conv1"]["conv1"]["kernel:0"]
        file["conv1"]["conv1"]["kernel:0"] = h5py.ExternalLink("other.h5", "conv1/conv1/kernel:0")


def h5_with_numbers_elsewhere(path: Path) -> None:
    small_h5(path)
    secret = path.with_name("secret")
    secret.write_bytes(bytes(4 * 64))
    with h5py.File(path, "a") as file:
        del file["conv1/conv1/bias:0"]
        file.create_dataset("conv1/conv1/bias:0", (64,), "<f4", external=[(str(secret), 0, 4 * 64)])


def h5_that_claims_a_terabyte(path: Path) -> None:
    small_h5(path)
    with h5py.File(path, "a") as file:
        del file["conv1/conv1/bias:0"]
        file.create_dataset("conv1/conv1/bias:0", (1 << 38,), "<f4", chunks=(1 << 20,), compression="gzip")


def zip_without_weights(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def half_a_zip(path: Path) -> None:
    torch_zip(path, pickle.dumps({}, protocol=2), zero=bytes(1000))
    path.write_bytes(path.read_bytes()[:700])


def tensor_beyond_its_numbers(path: Path) -> None:
    torch_zip(path, tensor_pickle(length=4, shape=(5,)), **{"0": bytes(16)})


def tensor_of_too_few_bytes(path: Path) -> None:
    torch_zip(path, tensor_pickle(length=4, shape=(4,)), **{"0": bytes(12)})


def tensor_that_repeats_itself(path: Path) -> None:
    torch_zip(path, tensor_pickle(length=1, shape=(1 << 30,), stride=0), **{"0": bytes(4)})


def weights_without_a_name(path: Path) -> None:
    named = tensor_pickle(length=4, shape=(4,))
    torch_zip(path, named.replace(b"X\x01\x00\x00\x00wc", b"K\x05c"), **{"0": bytes(16)})


def packed_zip(path: Path, packing: int) -> bytearray:
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("archive/data.pkl", tensor_pickle(length=4, shape=(4,)))
        archive.writestr("archive/data/0", np.ones(4, "<f4").tobytes())
    return bytearray(path.read_bytes())


def zip_with_damaged_numbers(path: Path) -> None:
    content = packed_zip(path, zipfile.ZIP_DEFLATED)
    start = content.index(b"archive/data.pkl") + len(b"archive/data.pkl")
    content[start : start + 2] = b"\xff\xff"
    path.write_bytes(content)


def zip_said_to_be_encrypted(path: Path) -> None:
    content = packed_zip(path, zipfile.ZIP_STORED)
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def zip_packed_another_way(path: Path) -> None:
    packed_zip(path, zipfile.ZIP_BZIP2)


def zip_of_an_unknown_packing(path: Path) -> None:
    content = packed_zip(path, zipfile.ZIP_STORED)
    content[content.index(b"PK\x01\x02") + 10] = 77
    path.write_bytes(content)


def zip_of_two_files(path: Path) -> None:
    packed_zip(path, zipfile.ZIP_STORED)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", tensor_pickle(length=4, shape=(4,)))


def old_file(path: Path, keys: Any) -> None:
    values = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    described = tensor_pickle(length=4, shape=(4,))
    pickled = [*(pickle.dumps(value, protocol=2) for value in values), described, pickle.dumps(keys, protocol=2)]
    path.write_bytes(b"".join(pickled) + struct.pack("<q4f", 4, 1, 1, 1, 1))


def old_file_of_other_numbers(path: Path) -> None:
    old_file(path, ["1"])


def old_file_without_a_list(path: Path) -> None:
    old_file(path, 7)


def old_file_of_laughs(path: Path) -> None:
    tuples: Any = ()
    for _ in range(60):
        tuples = (tuples, tuples)
    old_file(path, [tuples])


def tensor_pickle(length: int, shape: tuple[int, ...], stride: int = 1) -> bytes:
    """What `torch.save({"w": tensor})` writes, by hand."""
    numbers = b"".join(b"J" + struct.pack("<i", size) for size in shape)
    return (
        b"\x80\x02}q\x00X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
        b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ" + struct.pack("<i", length) + b"tQK\x00(" + numbers
        + b"t(" + (b"K" + bytes([stride])) * len(shape) + b"t\x89ccollections\nOrderedDict\n)RtRs."
    )  # fmt: skip


def safetensors(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return struct.pack("<Q", len(text)) + text + data


def safetensors_beyond_its_end(path: Path) -> None:
    path.write_bytes(safetensors({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(8)))


def safetensors_of_another_shape(path: Path) -> None:
    path.write_bytes(safetensors({"w": {"dtype": "F32", "shape": [5], "data_offsets": [0, 16]}}, bytes(16)))


def safetensors_of_no_json(path: Path) -> None:
    path.write_bytes(safetensors(b"{" * 3000, bytes(16)))


def safetensors_that_share_their_bytes(path: Path) -> None:
    entry = {"dtype": "F32", "shape": [1 << 18], "data_offsets": [0, 1 << 20]}
    path.write_bytes(safetensors({f"w{number}": entry for number in range(3)}, bytes(1 << 20)))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def checkpoint_of_noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(2000) + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb")


@pytest.mark.parametrize(
    "make",
    [
        *(damaged_gzip, gzip_of_text, web_page, empty, half_an_h5, h5_without_keras, h5_that_points_elsewhere),
        *(h5_with_numbers_elsewhere, h5_that_claims_a_terabyte, zip_without_weights, half_a_zip),
        *(weights_without_a_name, zip_with_damaged_numbers, zip_said_to_be_encrypted, zip_packed_another_way),
        *(zip_of_an_unknown_packing, zip_of_two_files),
        *(old_file_of_other_numbers, old_file_without_a_list, old_file_of_laughs),
        *(tensor_beyond_its_numbers, tensor_of_too_few_bytes, tensor_that_repeats_itself, checkpoint_of_noise),
        *(safetensors_beyond_its_end, safetensors_of_another_shape, safetensors_of_no_json),
        *(safetensors_that_share_their_bytes, pipe),
    ],
)
def test_what_is_no_file_of_weights_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "weights"
    make(path)
    refusal(path)


@pytest.mark.parametrize("named", [True, False])
def test_reading_runs_nothing_of_the_current_folder(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag, path = tmp_path / "owned", small_h5(tmp_path / "w.h5")
    for name in ("h5py", "numpy", "resource"):
        (tmp_path / f"{name}.py").write_text(f"open({str(flag)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    # As `python -m` has it, and as the command has it.
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path] if named else sys.path)
    assert set(read_weights(path).arrays) == {"conv1/kernel", "conv1/bias"}
    assert not flag.exists()


def test_a_file_that_the_hdf5_library_never_finishes_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_h5, "_PATIENCE_S", 5.0)
    ones = {"kernel": np.ones((3, 3, 3, 8), np.float32), "bias": np.zeros(8, np.float32)}
    path = write_keras_h5(tmp_path / "w.h5", {"conv1": ones, "bn": {"gamma": np.ones(8, np.float32)}})
    content = bytearray(path.read_bytes())
    content[2152] = 255  # with h5py 3.14 a list of attributes that leads back to its beginning
    path.write_bytes(content)
    refusal(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_damage_to_an_archive_ends_in_a_traceback(
    packing: int, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    content = packed_zip(path, packing)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        read_weights(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    refusal(tmp_path / "none.h5")
    refusal(tmp_path)


def test_the_same_made_well_is_read(tmp_path: Path) -> None:
    """The reader refuses what is wrong with the files above, not files made by hand."""
    numbers = np.arange(6, dtype="<f4")
    path = torch_zip(tmp_path / "w.pth", tensor_pickle(length=6, shape=(6,)), **{"0": numbers.tobytes()})
    np.testing.assert_array_equal(read_weights(path).arrays["w"], numbers)
    header = {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"format": "pt"}}
    path.write_bytes(safetensors(header, numbers.tobytes()))
    np.testing.assert_array_equal(read_weights(path).arrays["w"], numbers.reshape(2, 3))
    old_file(path, ["0"])
    np.testing.assert_array_equal(read_weights(path).arrays["w"], np.ones(4))
    packed_zip(path, zipfile.ZIP_DEFLATED)
    np.testing.assert_array_equal(read_weights(path).arrays["w"], np.ones(4))
    packed = tmp_path / "w.h5.gz"
    packed.write_bytes(gzip.compress(small_h5(tmp_path / "w.h5").read_bytes()))
    assert set(read_weights(packed).arrays) == {"conv1/kernel", "conv1/bias"}


# --- weights of another net ------------------------------------------------------------------------------------------


def squeezenet(path: Path) -> Any:
    return build_net(Net(name="squeezenet-1.1"), Patches(224, 672), read_weights(path), "branches.s")


def altered(tmp_path: Path, change: Callable[[Any], None]) -> Path:
    path = tmp_path / "altered.h5"
    path.write_bytes(released("squeezenet_v1.1_notop.h5").read_bytes())
    with h5py.File(path, "a") as file:
        change(file)
    return path


def test_weights_of_another_net_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"ad01\.h5: expected an array 'conv1/kernel' for layer features\.0, found none"
    ):
        squeezenet(released("ad01.h5"))
    with pytest.raises(InputError, match="expected 16 layers with weights, found 19"):
        build_net(Net(name="openl3-mel128"), Patches(199, 128), read_weights(released("ad01.h5")), "branches.l3")


def test_a_missing_layer_is_refused(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file.attrs["layer_names"] = [name for name in file.attrs["layer_names"] if name != b"fire5/expand3x3"]

    with pytest.raises(InputError, match="expected an array 'fire5/expand3x3/kernel'"):
        squeezenet(altered(tmp_path, change))


def test_a_wrong_shape_is_refused(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["conv1/conv1_3/kernel:0"]
        file["conv1/conv1_3/kernel:0"] = np.zeros((7, 7, 3, 64), np.float32)

    with pytest.raises(InputError, match=r"expected 'conv1/kernel' of shape \(3, 3, 3, 64\), found shape \(7, 7"):
        squeezenet(altered(tmp_path, change))


def test_an_array_without_a_place_is_refused(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        extra = file.create_group("fire10")
        extra.attrs["weight_names"] = [b"kernel:0"]
        extra["kernel:0"] = np.zeros(3, np.float32)
        file.attrs["layer_names"] = [*file.attrs["layer_names"], b"fire10"]

    with pytest.raises(InputError, match=r"only arrays that squeezenet-1\.1 has a place for, found 'fire10/kernel'"):
        squeezenet(altered(tmp_path, change))


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["conv1/conv1_3/bias:0"][3] = np.nan

    with pytest.raises(InputError, match="expected finite numbers in 'conv1/bias'"):
        squeezenet(altered(tmp_path, change))


def test_every_array_is_the_file_s(tmp_path: Path) -> None:
    model = squeezenet(released("squeezenet_v1.1_notop.h5"))
    with h5py.File(released("squeezenet_v1.1_notop.h5")) as file:
        kernel = file["fire7/expand3x3/fire7/expand3x3_3/kernel:0"][()]
    np.testing.assert_array_equal(model.get_layer("features.10.expand3x3").get_weights()[0], kernel)


@pytest.mark.parametrize("make", [weights_without_a_name, zip_with_damaged_numbers, zip_said_to_be_encrypted])
def test_weights_add_says_it_in_one_line(
    make: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.pth"
    make(path)
    assert main(["weights", "add", "vggish", str(path), "--folder", str(tmp_path / "store")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"edge-asd: {path}: expected PyTorch weights, found ")
    assert not (tmp_path / "store").exists()


def test_the_command_line_says_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flag, recipe = tmp_path / "owned", tmp_path / "r.yaml"
    path = torch_zip(tmp_path / "w.pth", pickle.dumps(Attack(flag), protocol=2))
    recipe.write_text(
        "name: r\nbranches:\n  s:\n    front_end: {kind: preset, name: image-transfer}\n"
        "    model: {kind: net, name: squeezenet-1.1}\nparts: {s: {branches: [s], detector: {kind: mahalanobis}}}\n"
    )
    words = ["export", str(recordings()), "--recipe", str(recipe), "--weights", str(path), "--quiet"]
    assert main([*words, "-o", str(tmp_path / "b.easd")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"edge-asd: {path}: expected PyTorch weights, found a pickle that names")
    assert not flag.exists()
    assert not (tmp_path / "b.easd").exists()
