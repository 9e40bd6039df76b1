"""What is shipped, and whether it runs beside the device's dependencies alone: a wheel is built here and installed."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from edge_asd.bundle import read_bundle
from edge_asd.cli import COMMANDS
from edge_asd.scoring import Scorer
from edge_asd.version import __version__
from tests.handmade import RATE, hum, scored, write_handmade

soundfile = pytest.importorskip("soundfile")

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / "edge_asd", ROOT / "export" / "edge_asd_export", ROOT / "firmware_configs"]
# The device's dependencies are installed here once, and again when they change.
CACHE = ROOT / ".venv-device"

# Found by every interpreter that runs below; what it is asked for is not there, and asking is a fault.
BLOCKER = """
import sys

FORBIDDEN = {"edge_asd_export", "joblib", "keras", "librosa", "matplotlib", "rich", "scipy", "sklearn", "tensorflow"}

class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise RuntimeError(f"the device imports {name}")

sys.meta_path.insert(0, Blocker)
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        list(map(str, command)),
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**clean, **environment},
    )


def must(*command: str | Path) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a folder `build` left by an earlier one would ship what is no more."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for package in PACKAGES:
        shutil.copytree(package, copy / package.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", copy / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    must(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "dist", copy)
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f"edge_asd-{__version__}.dist-info/METADATA").decode())


def site_packages(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


def install(environment: Path, *what: str | Path) -> None:
    must(sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install", "--quiet", *what)


@pytest.fixture(scope="module")
def dependencies(metadata: Message) -> Iterator[Path]:
    """An environment with what the device needs and nothing else, kept for the next time."""
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    asked_for = "\n".join([sys.version, platform.machine(), *needed])
    environment = CACHE / hashlib.sha256(asked_for.encode()).hexdigest()[:16]
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not (environment / "complete").exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
            make_anew(environment, needed)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield environment


def make_anew(environment: Path, needed: list[str]) -> None:
    for old in CACHE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    must(sys.executable, "-m", "venv", "--without-pip", environment)
    install(environment, *needed)
    (environment / "complete").touch()


@pytest.fixture(scope="module")
def device(dependencies: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in an environment of its own, on top of the dependencies; returns its folder of programs."""
    environment = tmp_path_factory.mktemp("device")
    must(sys.executable, "-m", "venv", "--without-pip", environment)
    (site_packages(environment) / "dependencies.pth").write_text(f"{site_packages(dependencies)}\n")
    install(environment, "--no-deps", wheel)
    return environment / "bin"


@pytest.fixture(scope="module")
def guarded(device: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a program of the device where an import of anything forbidden is a fault."""
    blocker = tmp_path_factory.mktemp("blocker")
    (blocker / "sitecustomize.py").write_text(BLOCKER)

    def call(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return run(device / program, *words, PYTHONPATH=str(blocker))

    return call


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, recordings, and a configuration with a broker that is not there."""
    folder = tmp_path_factory.mktemp("site")
    write_handmade(folder / "hum.easd")
    (folder / "recordings").mkdir()
    soundfile.write(folder / "recordings" / "normal.wav", hum(4, 5), RATE)
    soundfile.write(folder / "recordings" / "wrong.wav", hum(4, 6, wrong=True), RATE)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    (folder / "firmware.yaml").write_text(
        f"device: d\nmqtt: {{host: 127.0.0.1, port: {port}}}\n"
        "sources: [{name: s, bundle: hum.easd, source: 'file:recordings?speed=max'}]\n"
    )
    return folder


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    there = {
        str(path.relative_to(package.parent))
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    assert shipped == there


def test_the_wheel_holds_data_of_every_kind(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert shipped >= {
        "edge_asd/probe.tflite",
        "edge_asd/py.typed",
        "edge_asd_export/py.typed",
        "firmware_configs/REFERENCE.md",
        "firmware_configs/edge-asd.service",
        "firmware_configs/firmware.schema.json",
        "firmware_configs/raspberry-pi-4.yaml",
        "firmware_configs/recipes/default.yaml",
        f"edge_asd-{__version__}.dist-info/licenses/LICENSE",
    }


def test_the_wheel_says_what_it_is(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("edge-asd", __version__)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("Apache-2.0", ">=3.10")
    assert set(metadata.get_all("Provides-Extra", [])) == {"export", "cluster", "demo", "openl3"}
    assert {command.extra for command in COMMANDS.values()} <= {None, "export", "demo"}


def test_nothing_that_trains_can_be_imported(device: Path) -> None:
    script = (
        f"{BLOCKER.partition('class')[0]}import importlib.util as u; print([n for n in FORBIDDEN if u.find_spec(n)])"
    )
    # The export tool is shipped with the device; it is what it needs that is not there.
    assert run(device / "python", "-c", script).stdout == "['edge_asd_export']\n"


def test_the_blocker_blocks(guarded: Run) -> None:
    assert "RuntimeError: the device imports edge_asd_export" in guarded("edge-asd", "export", "--help").stderr


def test_help_starts_without_numpy(guarded: Run) -> None:
    script = """
import sys
from edge_asd.cli import main
try:
    main(["--help"])
finally:
    print(sorted({"numpy", "msgspec", "yaml", "asyncio"} & set(sys.modules)), file=sys.stderr)
"""
    done = guarded("python", "-c", script)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout == guarded("edge-asd", "--help").stdout


def test_version(guarded: Run) -> None:
    assert guarded("edge-asd", "--version").stdout == f"edge-asd {__version__}\n"


def test_the_interpreter_is_the_device_s_own(guarded: Run) -> None:
    done = guarded("python", "-c", "from edge_asd.interpreter import find_runtime; print(find_runtime().name)")
    assert done.stdout in {"ai-edge-litert\n", "tflite-runtime\n"}, done.stderr


def test_verify(guarded: Run, folder: Path) -> None:
    done = guarded("edge-asd", "verify", folder / "hum.easd")
    assert (done.returncode, done.stderr) == (0, "")
    assert "largest deviation" in done.stdout


def test_score_gives_what_it_gives_here(guarded: Run, folder: Path) -> None:
    done = guarded("edge-asd", "score", folder / "hum.easd", folder / "recordings", "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [(Path(row["path"]).name, row["verdict"]) for row in rows] == [
        ("normal.wav", "normal"),
        ("wrong.wav", "anomaly"),
    ]
    scorer = Scorer(read_bundle(folder / "hum.easd"))
    assert [float(row["score"]) for row in rows] == pytest.approx(
        [scored(scorer, Path(row["path"])).score for row in rows], rel=1e-6
    )


def test_monitor_judges_what_it_is_given_and_ends(guarded: Run, folder: Path) -> None:
    done = guarded("edge-asd", "monitor", folder / "firmware.yaml", "--once")
    assert done.returncode == 0, done.stderr
    assert "s: anomaly new: score " in done.stderr


def test_what_ships_can_be_listed_and_checked(guarded: Run, folder: Path) -> None:
    assert "\ndefault " in guarded("edge-asd", "recipes").stdout
    assert guarded("edge-asd", "config", "check", folder / "firmware.yaml").returncode == 0


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.extra])
def test_a_command_of_the_tool_names_its_extra(device: Path, name: str) -> None:
    done = run(device / "edge-asd", name, "recordings")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert f"pip install 'edge-asd[{COMMANDS[name].extra}]'" in done.stderr
