"""The command line as a person or a script meets it: its words, its streams and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO

import numpy as np
import pytest

import edge_asd as edge_asd_package
from edge_asd.bundle import read_bundle, write_bundle
from edge_asd.cli import COMMANDS, Command, main
from edge_asd.version import __version__
from tests.handmade import RATE, hum, write_handmade

soundfile = pytest.importorskip("soundfile")

# What the caller's shell says about Python must not decide what is tested: it is the package that was imported here.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
ENVIRONMENT["PYTHONPATH"] = str(Path(edge_asd_package.__file__).parents[1])
CONFIGURATION = """\
device: pump-hall
mqtt: {host: 127.0.0.1, port: 9}
sources: [{name: pump, bundle: good.easd, source: "file:normal.wav?speed=max"}]
"""


def edge_asd(
    *words: str, stdout: int | IO[str] = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_asd", *words],
        check=False,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, **environment},
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
    )


def assert_refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """One line that says what is wrong, nothing else anywhere, and exit status 2."""
    lines = done.stderr.splitlines()
    assert (len(lines), done.stdout, done.returncode) == (1, "", 2), done
    assert lines[0].startswith("edge-asd: ")
    assert "Traceback" not in lines[0]
    for words in said:
        assert words in lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good bundle, recording and configuration, and one of each kind of bad ones."""
    folder = tmp_path_factory.mktemp("cli")
    write_handmade(folder / "good.easd")
    soundfile.write(folder / "normal.wav", hum(3, 5), RATE)
    soundfile.write(folder / "hissing.wav", hum(3, 6, wrong=True), RATE)
    (folder / "good.yaml").write_text(CONFIGURATION)
    write_bad_recordings(folder)
    write_bad_bundles(folder)
    return folder


def write_bad_recordings(folder: Path) -> None:
    (folder / "text.wav").write_text("Pump hall 7, Monday\n")
    (folder / "nothing.wav").touch()
    soundfile.write(folder / "no-samples.wav", np.zeros(0, np.float32), RATE)
    broken = hum(3, 5)
    broken[100] = np.nan
    soundfile.write(folder / "nan.wav", broken, RATE, subtype="FLOAT")
    soundfile.write(folder / "short.wav", hum(1, 5), RATE)
    (folder / "no-recordings").mkdir()


def write_bad_bundles(folder: Path) -> None:
    whole = (folder / "good.easd").read_bytes()
    (folder / "truncated.easd").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    (folder / "flipped.easd").write_bytes(flipped)


@pytest.fixture(autouse=True)
def stand_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is called from inside the folder, as a person does."""
    monkeypatch.chdir(folder)


def configure(folder: Path, old: str, new: str) -> str:
    """Write a configuration that differs from the good one in `new`, and return its name."""
    assert CONFIGURATION.count(old) == 1
    path = folder / "changed.yaml"
    path.write_text(CONFIGURATION.replace(old, new))
    return path.name


def test_help_lists_every_command_with_what_it_does() -> None:
    done = edge_asd("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(command.summary)}$", done.stdout, re.MULTILINE)


def test_version() -> None:
    done = edge_asd("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"edge-asd {__version__}\n", "")


def test_no_command_shows_the_help_and_is_bad_usage() -> None:
    done = edge_asd()
    assert done.returncode == 2
    assert done.stdout == edge_asd("--help").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("frobnicate", "'frobnicate'"),
        ("frobnicate --help", "'frobnicate'"),
        ("--frobnicate", "--frobnicate"),
        ("score", "bundle, WAV"),
        ("score good.easd normal.wav --format xml", "'xml'"),
        ("score good.easd normal.wav --threads many", "'many'"),
        ("score good.easd normal.wav --frobnicate", "--frobnicate"),
        ("verify", "bundle"),
        ("verify good.easd good.easd", "good.easd"),
        ("monitor", "config"),
        ("config frobnicate good.yaml", "'frobnicate'"),
        ("recipes nosuch", "nosuch"),
    ],
)
def test_bad_usage_is_one_line(words: str, said: str) -> None:
    assert_refused(edge_asd(*words.split()), said)


BAD_RECORDINGS = [
    ("text.wav", "found something else"),
    ("nothing.wav", "found an empty file"),
    ("no-samples.wav", "found no samples"),
    ("nan.wav", "found NaN or infinity at 0.013 s"),
    ("short.wav", "at least 2 s of sound"),
    ("no-recordings", "found none"),
    ("missing.wav", "found no such file"),
]
BAD_BUNDLES = ["truncated.easd", "flipped.easd", "missing.easd", "normal.wav", "no-recordings"]
BAD_SETTINGS = [
    ("host: 127.0.0.1", "host: 127.0.0.1, hots: b", "changed.yaml: mqtt.hots: "),
    ("port: 9", "port: tls", "changed.yaml: mqtt.port: expected an integer 1–65535, found 'tls'"),
    ("host: 127.0.0.1, ", "", "changed.yaml: mqtt.host: "),
    ("device: pump-hall", 'device: "pump#hall"', "changed.yaml: device: "),
    ("good.easd", "missing.easd", "missing.easd"),
    ("good.easd", "truncated.easd", "truncated.easd: expected a whole bundle"),
    ("good.easd", "flipped.easd", "flipped.easd: expected a whole bundle"),
]


@pytest.mark.parametrize(("name", "said"), BAD_RECORDINGS)
def test_score_refuses_a_bad_recording(name: str, said: str) -> None:
    assert_refused(edge_asd("score", "good.easd", name), name, said)


@pytest.mark.parametrize("name", BAD_BUNDLES)
@pytest.mark.parametrize("command", ["verify", "score"])
def test_a_bad_bundle_is_refused(command: str, name: str) -> None:
    assert_refused(edge_asd(command, name, *(["normal.wav"] if command == "score" else [])), name, "expected a")


@pytest.mark.parametrize(("old", "new", "said"), BAD_SETTINGS)
@pytest.mark.parametrize("command", ["config check", "monitor --once"])
def test_a_bad_setting_is_refused(folder: Path, command: str, old: str, new: str, said: str) -> None:
    assert_refused(edge_asd(*command.split(), configure(folder, old, new)), said)


@pytest.mark.parametrize("source", ["no-recordings", "missing.wav"])
def test_monitor_refuses_a_source_without_recordings(folder: Path, source: str) -> None:
    assert_refused(edge_asd("monitor", "--once", configure(folder, "normal.wav", source)), source)


@pytest.mark.parametrize(("option", "value"), [("--source", "file:~/none.wav?speed=max"), ("--bundle", "~/none.easd")])
def test_a_home_folder_is_found_though_no_shell_did(folder: Path, tmp_path: Path, option: str, value: str) -> None:
    done = edge_asd("monitor", "--once", "good.yaml", f"{option}={value}", HOME=str(tmp_path))
    assert_refused(done, f"{tmp_path}/none.")


def test_what_an_option_gave_is_named_so() -> None:
    for option, value, said in (
        ("--source", "stdin?rate=5", "stdin?rate=5: expected a"),
        ("--source", "file:missing.wav", f"{Path.cwd()}/missing.wav: expected a recording"),
        ("--bundle", "missing.easd", f"{Path.cwd()}/missing.easd: expected a bundle"),
    ):
        done = edge_asd("monitor", "good.yaml", option, value)
        assert_refused(done)
        assert done.stderr.startswith(f"edge-asd: {option}: {said}")


def test_monitor_ends_with_one_error_when_nothing_could_be_judged(folder: Path) -> None:
    done = edge_asd("monitor", "--once", configure(folder, "normal.wav", "short.wav"))
    errors = [line for line in done.stderr.splitlines() if " ERROR " in line]
    assert (len(errors), done.returncode) == (1, 2), done
    assert "at least 2 s of sound" in errors[0]
    assert "Traceback" not in done.stderr


def test_a_bad_recording_does_not_keep_the_others_from_being_judged() -> None:
    done = edge_asd("score", "good.easd", "normal.wav", "text.wav", "hissing.wav", "--format", "csv")
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert [(row[0], row[3]) for row in rows] == [
        ("path", "verdict"),
        ("normal.wav", "normal"),
        ("hissing.wav", "anomaly"),
    ]
    assert rows[0][:4] == ["path", "score", "threshold", "verdict"]
    assert (done.stderr.count("\n"), done.returncode) == (1, 2)


def test_a_dead_microphone_s_recording_is_unknown(folder: Path) -> None:
    soundfile.write(folder / "dead.wav", np.zeros(8 * RATE), RATE)
    done = edge_asd("score", "good.easd", "dead.wav", "normal.wav", "--format", "csv")
    header, dead, normal = (line.split(",") for line in done.stdout.splitlines())
    assert (dead[1], dead[3], dead[-1], normal[3]) == ("", "unknown", "dropout silent", "normal")
    assert len(header) == len(dead) == len(normal)
    assert done.stderr.startswith("edge-asd: dead.wav: expected 2 s of a live signal, found one that is ")
    assert (done.stderr.count("\n"), done.returncode) == (1, 2)
    (found,) = json.loads(edge_asd("score", "good.easd", "dead.wav", "--format", "json").stdout)
    assert (found["score"], found["verdict"]) == (None, "unknown")
    done = edge_asd("score", "good.easd", "dead.wav")
    assert done.stdout.startswith("unknown           -  threshold 4  dead.wav  (no 2 s of a live signal, it is ")


@pytest.mark.parametrize("recording", ["text.wav", "missing.wav"])
def test_a_table_has_its_header_though_nothing_could_be_judged(recording: str) -> None:
    done = edge_asd("score", "good.easd", recording, "--format", "csv")
    assert done.stdout.startswith("path,score,threshold,verdict,horizons,worst_second,steady,level,probability,")
    assert (done.stdout.count("\n"), done.returncode) == (1, 2)


def test_a_name_reaches_the_terminal_as_text_only(folder: Path) -> None:
    for name, source in (("esc\x1b[31m\nred.wav", "normal.wav"), ("bell\a.wav", "text.wav")):
        (folder / name).write_bytes((folder / source).read_bytes())
    done = edge_asd("score", "good.easd", "esc\x1b[31m\nred.wav", "bell\a.wav")
    assert done.stdout.endswith("  esc\\x1b[31m\\nred.wav\n")
    assert done.stdout.count("\n") == 1
    assert done.stderr.startswith("edge-asd: bell\\x07.wav: expected a recording")
    # What is only warned of, too.
    (folder / "cut\x1b[31m\n.wav").write_bytes((folder / "normal.wav").read_bytes()[:-1000])
    (said,) = edge_asd("score", "good.easd", "cut\x1b[31m\n.wav").stderr.splitlines()
    assert said.startswith("edge-asd: cut\\x1b[31m\\n.wav: cut short: 1000 bytes fewer")


def test_done_is_0() -> None:
    for words in ("verify good.easd", "score good.easd normal.wav", "config check good.yaml", "recipes"):
        done = edge_asd(*words.split())
        assert (done.returncode, done.stderr) == (0, ""), done


def test_a_check_that_does_not_hold_is_1(folder: Path) -> None:
    bundle = read_bundle(folder / "good.easd")
    arrays = {**bundle.arrays, "golden/score": bundle.arrays["golden/score"] + 1}
    write_bundle(folder / "elsewhere.easd", bundle.manifest, arrays, bundle.networks)
    done = edge_asd("verify", "elsewhere.easd")
    assert done.returncode == 1
    assert done.stderr.startswith("edge-asd: elsewhere.easd: expected stage score within ")
    assert done.stderr.count("\n") == 1
    assert re.search(r"^score .* FAILS$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("words", [("--debug", "verify", "missing.easd"), ("verify", "missing.easd", "--debug")])
def test_debug_shows_where_an_error_arose(words: tuple[str, ...]) -> None:
    done = edge_asd(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.splitlines()[-1] == edge_asd("verify", "missing.easd").stderr.rstrip()


@pytest.mark.parametrize("words", ["--help", "score --help", "recipes default", "score good.easd normal.wav"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_whoever_reads_may_stop_reading(words: str, unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = edge_asd(*words.split(), stdout=writing, PYTHONUNBUFFERED=unbuffered)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = edge_asd("score", "good.easd", "normal.wav", stdout=full)
    assert (done.stderr.count("\n"), done.returncode) == (1, 2), done
    assert "No space left" in done.stderr


@pytest.mark.parametrize(
    ("words", "streams", "status", "printed"),
    [
        ("monitor good.yaml --once", "2>&-", 0, []),
        ("monitor good.yaml --once", "<&- >&- 2>&-", 0, []),
        ("monitor missing.yaml", "2>/dev/full", 2, []),
        ("--debug monitor missing.yaml", "2>/dev/full", 2, []),
        ("verify missing.easd", "2>&- >/dev/full", 2, []),
        ("score good.easd text.wav normal.wav", "2>&-", 2, ["normal"]),
        ("score good.easd text.wav normal.wav", "2>/dev/full", 2, ["normal"]),
        ("score good.easd text.wav normal.wav --format csv", "2>&-", 2, ["path,score", "normal.wav,"]),
        ("score good.easd normal.wav --format csv", ">&-", 0, []),
    ],
)
def test_without_standard_streams_all_goes_on(words: str, streams: str, status: int, printed: list[str]) -> None:
    started = subprocess.run(
        ["sh", "-c", f'exec "$0" -m edge_asd {words} {streams}', sys.executable],
        env=ENVIRONMENT,
        check=False,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=60,
    )
    lines = started.stdout.splitlines()
    assert (started.returncode, len(lines)) == (status, len(printed))
    assert all(line.startswith(beginning) for line, beginning in zip(lines, printed, strict=True))


def test_a_name_that_is_no_text_is_passed_through(folder: Path) -> None:
    name = os.fsdecode(b"L\xfcfter.wav")
    try:
        (folder / name).write_bytes((folder / "normal.wav").read_bytes())
    except OSError:
        pytest.skip("this file system takes only names that are text")
    done = edge_asd("score", "good.easd", name, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert name in done.stdout
    # JSON is text: there the byte is written out.
    done = edge_asd("score", "good.easd", name, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [each["path"] for each in json.loads(done.stdout)] == [r"L\xfcfter.wav"]


def test_a_terminal_without_our_signs_still_shows_the_rest() -> None:
    done = edge_asd("--help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"normal recordings \u2192 a bundle" in done.stdout


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], None]:
    """Add a command named `act` that does what it is given."""

    def add(act: Callable[[], int]) -> None:
        module = ModuleType("tests_act")
        module.__dict__.update(EXAMPLE="  edge-asd act", add_arguments=lambda _parser: None, run=lambda _words: act())
        monkeypatch.setitem(sys.modules, "tests_act", module)
        monkeypatch.setitem(COMMANDS, "act", Command("tests_act", "acts"))

    return add


def test_an_interrupt_is_no_error(command: Callable[[Callable[[], int]], None]) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    command(interrupt)
    assert main(["act"]) == 130


@pytest.mark.parametrize(("wanted", "said"), [("", ""), ("Unable to allocate 9 GiB", " (Unable to allocate 9 GiB)")])
def test_too_little_memory_is_told_in_one_line(
    wanted: str, said: str, command: Callable[[Callable[[], int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def ask() -> int:
        raise MemoryError(wanted)

    command(ask)
    assert main(["act"]) == 2
    remedy = "end other programs, or give fewer recordings at a time"
    assert capsys.readouterr().err == f"edge-asd: expected memory enough, found too little{said}; {remedy}\n"


def test_a_defect_is_not_hidden(command: Callable[[Callable[[], int]], None]) -> None:
    command(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        main(["act"])


def test_the_exit_status_is_the_commands_own(command: Callable[[Callable[[], int]], None]) -> None:
    command(lambda: 1)
    assert main(["act"]) == 1


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(COMMANDS, "export", COMMANDS["export"]._replace(module="edge_asd_nowhere.export"))
    assert main(["export", "recordings"]) == 2
    said = capsys.readouterr().err
    assert said == (
        "edge-asd: export: expected the packages of the extra 'export', "
        "found no module 'edge_asd_nowhere'; pip install 'edge-asd[export]'\n"
    )
