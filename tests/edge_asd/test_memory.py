"""Memory that only a start needed goes back to the system, and nothing else does."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_asd.memory import Mapping, release_code, unchanged_code

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells what is mapped")

SMAPS = """\
10000-14000 r--p 00000000 fe:00 2886       /usr/lib/libm.so.6
Rss:                  16 kB
Anonymous:             0 kB
AnonHugePages:         0 kB
Swap:                  0 kB
14000-1f000 r-xp 00004000 fe:00 2886       /usr/lib/a file, renewed.so (deleted)
Anonymous:             0 kB
Swap:                  0 kB
1f000-20000 r--p 0000f000 fe:00 2886       /usr/lib/relocated.so
Anonymous:             4 kB
Swap:                  0 kB
20000-21000 rw-p 00010000 fe:00 2886       /usr/lib/writable.so
Anonymous:             0 kB
Swap:                  0 kB
21000-22000 r--s 00000000 fe:00 2887       /usr/lib/shared.cache
Anonymous:             0 kB
Swap:                  0 kB
22000-23000 r--p 00000000 00:01 2888       /memfd:sound (deleted)
Anonymous:             0 kB
Swap:                  0 kB
23000-24000 r--p 00000000 00:05 2889       /dev/snd/pcmC0D0c
Anonymous:             0 kB
Swap:                  0 kB
24000-25000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
25000-26000 r-xp 00000000 00:00 0          [vdso]
Anonymous:             0 kB
Swap:                  0 kB
26000-27000 r--p 00000000 fe:00 2890       /usr/lib/being loaded.so
Anonymous:             0 kB
Swap:                  0 kB
27000-28000 r--p 00000000 fe:00 2891       /usr/lib/relocated and swapped out.so
Anonymous:             0 kB
Swap:                  4 kB
"""
NAMES = ("libm.so.6", "a file, renewed.so (deleted)", "relocated.so", "relocated and swapped out.so", "writable.so")
LOADED = {f"/usr/lib/{name}" for name in NAMES}

# While others compute, all code is let go of again and again.
RELEASE = """
import json, threading
import numpy as np
import soundfile, soxr
from edge_asd.memory import release_code

def status():
    lines = open("/proc/self/status").read().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith("Rss")}

sound = np.random.default_rng(0).standard_normal(48000)
def compute():
    return [np.fft.rfft(sound), np.linalg.qr(sound[:4096].reshape(64, 64))[1], soxr.resample(sound, 48000, 16000)]

wanted, found = compute(), []
before = status()
release_code()
after = status()
threads = [threading.Thread(target=lambda: found.extend(compute() for _ in range(20))) for _ in range(2)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    release_code()
same = [all(np.array_equal(a, b) for a, b in zip(wanted, each)) for each in found]
print(json.dumps([before, after, same]))
"""

# While another thread loads libraries and lets go of them, code is let go of for some seconds.
LOADING = """
import ctypes, sys, threading, time
from edge_asd.memory import release_code

names, over, done = [name.encode() for name in sys.argv[1:]], ctypes.c_int(0), []
load = ctypes.CDLL(sys.argv[1]).load
load.restype, load.argtypes = ctypes.c_long, (ctypes.c_void_p, ctypes.c_long, ctypes.c_void_p)
listed = (ctypes.c_char_p * (len(names) - 1))(*names[1:])
thread = threading.Thread(target=lambda: done.append(load(listed, len(listed), ctypes.byref(over))))
thread.start()
end = time.monotonic() + 5
while time.monotonic() < end and thread.is_alive():
    release_code()
over.value = 1
thread.join()
print(done[0])
"""
SOURCE = Path(__file__).with_name("loading.c")


def test_only_code_that_equals_its_file_is_let_go_of() -> None:
    assert list(unchanged_code(SMAPS.splitlines(), LOADED)) == [Mapping(0x10000, 0x4000), Mapping(0x14000, 0xB000)]


def test_code_is_let_go_of_while_others_run_it() -> None:
    done = subprocess.run([sys.executable, "-c", RELEASE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    before, after, same = json.loads(done.stdout)
    assert after["RssFile"] < 0.6 * before["RssFile"]
    assert after["RssAnon"] == pytest.approx(before["RssAnon"], rel=0.1)
    assert same == [True] * 40


def test_a_mapped_file_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9")
    path.write_bytes(bytes(4096))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        release_code()


def test_code_is_let_go_of_while_libraries_are_loaded(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    copies = [str(tmp_path / f"{number}.so") for number in range(301)]
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", copies[0], SOURCE], check=True)
    for copy in copies[1:]:
        shutil.copy(copies[0], copy)
    command = [sys.executable, "-c", LOADING, *copies]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0
