"""Who may import whom, read from the sources; `test_wheel` shows the same on an installed wheel."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# Each module or package of `edge_asd`, and what it imports of the others: all of that stands above it.
# The most precise name counts: `recipe.shipped` is no part of `recipe` here.
LAYERS = {
    # What everything rests on.
    "version": "",
    "errors": "",
    "ulid": "",
    "streams": "",
    "backlog": "",
    "calibration.extremes": "",
    "calibration.gamma": "",
    "memory": "",
    "clock": "",
    "daemon.vitals": "",
    "text": "",
    "settings": "",
    "isolation": "",
    "files": "errors",
    "arrays": "errors",
    "interpreter": "errors",
    "firmware": "settings",
    "recipe": "settings",
    "microphones": "errors memory",
    # The stages, as the signal passes them: none knows another; only capture reads files through audio.
    "audio": "errors files",
    "capture": "audio errors isolation microphones",
    "frames": "",
    "features": "errors recipe",
    "embedding": "errors interpreter recipe",
    "pooling": "recipe",
    "transform": "arrays",
    "detector": "arrays interpreter recipe",
    "tail": "arrays",
    "decision": "firmware ulid",
    "schedule": "firmware",
    "publish": "backlog clock errors files firmware ulid",
    # What joins them.
    "bundle": "errors files recipe settings",
    "explanation": "arrays features recipe",
    "pipeline": (
        "bundle detector embedding errors explanation features frames interpreter pooling recipe tail transform"
    ),
    "calibration.alarms": "arrays bundle decision firmware recipe",
    "calibration.calibrate": (
        "bundle calibration.alarms calibration.extremes calibration.gamma errors firmware pipeline recipe tail"
    ),
    "golden": "audio bundle errors interpreter pipeline recipe",
    "bandwidth": "audio bundle",
    "liveness": "audio capture errors recipe",
    "scoring": "bandwidth bundle calibration.alarms capture explanation firmware interpreter liveness pipeline",
    "calibration.adaptation": "arrays bundle detector pipeline recipe",
    "calibration.suspicion": "calibration.calibrate errors pipeline recipe",
    "calibration.site": (
        "audio bandwidth bundle calibration.adaptation calibration.alarms calibration.calibrate "
        "calibration.suspicion errors explanation firmware golden interpreter liveness pipeline recipe"
    ),
    # What a person writes and reads.
    "configuration": "errors files firmware recipe",
    "recipe.shipped": "configuration errors recipe settings",
    "schema": "configuration errors files publish",
    # The daemon.
    "evidence": "audio backlog clock errors features files firmware publish ulid",
    "daemon.judgement": (
        "bundle calibration.alarms clock decision errors evidence explanation firmware publish schedule"
    ),
    "daemon.notify": "",
    "daemon.changes": "",
    "daemon.logs": "clock errors firmware",
    "daemon.metrics": "publish",
    "daemon.web": "daemon.metrics firmware publish",
    "daemon.plan": "audio bundle capture configuration errors files firmware golden interpreter publish",
    "daemon.check": "bundle calibration.alarms capture configuration daemon.plan firmware publish recipe",
    "daemon.listener": (
        "bandwidth bundle capture daemon.judgement errors evidence explanation firmware interpreter liveness "
        "pipeline publish"
    ),
    "daemon.crew": "capture daemon.judgement daemon.listener daemon.plan errors evidence firmware publish",
    "daemon.roster": "errors files publish",
    "daemon.report": "clock configuration daemon.crew daemon.plan daemon.vitals interpreter publish version",
    "daemon.control": "daemon.crew daemon.judgement publish",
    "daemon.recalibration": "bundle calibration.alarms calibration.calibrate daemon.judgement errors firmware",
    "daemon.monitor": (
        "clock daemon.changes daemon.control daemon.crew daemon.logs daemon.notify daemon.plan "
        "daemon.recalibration daemon.report daemon.roster daemon.web errors firmware memory publish"
    ),
    # The command line, which imports each command only when it is called.
    "commands.check_broker": "configuration errors publish",
    "commands.calibrate": "audio bundle calibration.site errors files golden interpreter text",
    "commands.config": "daemon.check",
    "commands.devices": "errors microphones",
    "commands.monitor": "capture configuration daemon.monitor errors files firmware",
    "commands.recipes": "recipe.shipped",
    "commands.score": "audio bundle errors interpreter liveness scoring streams text",
    "commands.verify": "bundle golden interpreter scoring",
    "commands": "",
    "daemon": "",
    "calibration": "",
    "cli": "errors streams version",
    "__main__": "cli isolation",
    "": "version",
}
STAGES = set(list(LAYERS)[list(LAYERS).index("audio") : list(LAYERS).index("publish") + 1])

# What comes from other people; `edge_asd` uses nothing else.
ANYWHERE = {"msgspec", "numpy"}
ONLY_IN = {"yaml": {"configuration", "commands.recipes"}, "typing_extensions": {"settings"}}
# Slow to import, or in need of a system library: only inside the function that needs it.
LATE = {"paho": {"publish"}, "sounddevice": {"microphones"}, "soundfile": {"audio"}, "soxr": {"audio"}}
# Imported by a name in a string, where it may well be missing.
BY_NAME = {
    "ai_edge_litert": {"interpreter"},
    "tflite_runtime": {"interpreter"},
    "tensorflow": {"interpreter"},
    "edge_asd_export": {"cli"},
}
NEVER = {
    "edge_asd_export",
    "joblib",
    "keras",
    "librosa",
    "matplotlib",
    "rich",
    "scipy",
    "sklearn",
    "tensorflow",
    "torch",
}

Sources = Mapping[str, str]


class Import(NamedTuple):
    """One imported module."""

    name: str
    late: bool
    """Whether it happens only when a function is called, or never but for a type checker."""


def sources(folder: Path) -> dict[str, str]:
    """Return the text of every module below a package's folder, by its full name."""
    found = {}
    for path in folder.rglob("*.py"):
        words = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path.read_text(encoding="utf-8")
    return found


@functools.cache
def device() -> dict[str, str]:
    return sources(ROOT / "edge_asd")


@functools.cache
def tool() -> dict[str, str]:
    return sources(ROOT / "export" / "edge_asd_export")


def imports(text: str, known: Sources) -> Iterator[Import]:
    """Yield what a module imports; `from a import b` is `a.b` where that is a module."""
    nodes: list[tuple[ast.AST, bool]] = [(ast.parse(text), False)]
    while nodes:
        node, late = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import at line {node.lineno}"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield Import(name if name in known else str(node.module), late)
        late = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or is_for_the_type_checker(node)
        nodes.extend((child, late) for child in ast.iter_child_nodes(node))


def is_for_the_type_checker(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def unit(module: str) -> str:
    """Return the line of the table that a module belongs to."""
    name = module.partition(".")[2]
    while name not in LAYERS:
        assert "." in name, f"{module} has no line in LAYERS"
        name = name.rpartition(".")[0]
    return name


def uses(known: Sources) -> dict[str, set[str]]:
    """Return what each line of the table imports of the others."""
    found: dict[str, set[str]] = {name: set() for name in LAYERS}
    for module, text in known.items():
        for item in imports(text, known):
            if item.name.partition(".")[0] == "edge_asd":
                found[unit(module)].add(unit(item.name))
    return {name: used - {name} for name, used in found.items()}


def breaches(known: Sources) -> list[str]:
    """Return what is imported within `edge_asd` and stands not in the table."""
    return [
        f"{name or 'edge_asd'} imports {used or 'edge_asd'}"
        for name, all_used in uses(known).items()
        for used in sorted(all_used - set(LAYERS[name].split()))
    ]


def foreign_breaches(known: Sources) -> list[str]:
    """Return what is imported from other people where, or when, it must not be."""
    found = []
    for module, text in known.items():
        for name, late in imports(text, known):
            package = name.partition(".")[0]
            if package in sys.stdlib_module_names | ANYWHERE | {"edge_asd"}:
                continue
            places = ONLY_IN.get(package, set()) | LATE.get(package, set())
            if unit(module) not in places:
                found.append(f"{module} imports {name}")
            elif package in LATE and not late:
                found.append(f"{module} imports {name} at once")
    return found


def named_breaches(known: Sources) -> list[str]:
    """Return what could be imported by a name in a string and must not be."""
    packages = re.compile(rf"({'|'.join(sorted(NEVER | set(BY_NAME)))})(\.\w+)*")
    found = []
    for module, text in known.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                match = packages.fullmatch(node.value)
                if match and unit(module) not in BY_NAME.get(match[1], set()):
                    found.append(f"{module} names {node.value}")
            called = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if called in {"import_module", "__import__"} and unit(module) not in {"cli", "interpreter"}:
                found.append(f"{module} calls {called}")
    return found


def import_order(known: Sources) -> list[str]:
    """Return the modules so that each stands after all that it imports.

    Raises
    ------
    graphlib.CycleError
        When modules import one another in a circle, be it late.
    """
    graph = {module: {item.name for item in imports(text, known)} & set(known) for module, text in known.items()}
    return list(graphlib.TopologicalSorter(graph).static_order())


def planted(module: str, line: str) -> dict[str, str]:
    return {**device(), module: f"{device()[module]}\n{line}\n"}


def test_modules_import_what_the_table_says() -> None:
    assert breaches(device()) == []


def test_the_table_says_no_more_than_is_so() -> None:
    found = uses(device())
    unused = [f"{name} imports {used}" for name, given in LAYERS.items() for used in set(given.split()) - found[name]]
    assert unused == []
    assert {name for name in LAYERS if not any(unit(module) == name for module in device())} == set()


def test_each_line_of_the_table_needs_only_lines_above_it() -> None:
    above: set[str] = set()
    for name, used in LAYERS.items():
        if name:
            assert set(used.split()) <= above, name
        above.add(name)


def test_stages_do_not_know_one_another() -> None:
    between = {(stage, used) for stage in STAGES for used in LAYERS[stage].split() if used in STAGES}
    assert between == {("capture", "audio")}


def test_nothing_goes_round_in_circles() -> None:
    assert len(import_order({**device(), **tool()})) == len(device()) + len(tool())


def test_the_device_uses_little_of_other_people() -> None:
    assert foreign_breaches(device()) == []
    assert named_breaches(device()) == []


def test_the_table_of_other_people_says_no_more_than_is_so() -> None:
    found = {
        (item.name.partition(".")[0], unit(module))
        for module, text in device().items()
        for item in imports(text, device())
    }
    given = {(package, name) for package, names in (ONLY_IN | LATE).items() for name in names}
    assert given - found == set()


def test_what_is_configured_holds_no_code() -> None:
    for module, text in sources(ROOT / "firmware_configs").items():
        assert list(imports(text, {})) == [], module


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edge_asd.frames", "from edge_asd import features"),
        ("edge_asd.decision", "def late() -> None:\n    from edge_asd.publish.topics import Topics"),
        ("edge_asd.cli", "import edge_asd.bundle"),
    ],
)
def test_a_breach_of_the_layers_is_seen(module: str, line: str) -> None:
    assert len(breaches(planted(module, line))) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edge_asd.frames", "import scipy.signal"),
        ("edge_asd.features.mel", "def late() -> None:\n    import librosa"),
        ("edge_asd.daemon.monitor", "from edge_asd_export.labels import find"),
        ("edge_asd.capture.files", "import soundfile"),
        ("edge_asd.audio.recordings", "import soundfile"),
    ],
)
def test_a_foreign_import_is_seen(module: str, line: str) -> None:
    assert len(foreign_breaches(planted(module, line))) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edge_asd.embedding", "NAME = 'tensorflow.lite'"),
        ("edge_asd.daemon.monitor", "NAME = 'edge_asd_export'"),
        ("edge_asd.frames", "import importlib\nimportlib.import_module('json')"),
        ("edge_asd.frames", "__import__('json')"),
    ],
)
def test_an_import_by_name_is_seen(module: str, line: str) -> None:
    assert len(named_breaches(planted(module, line))) == 1


@pytest.mark.parametrize("line", ["from edge_asd.pipeline import Pipeline", "def late():\n    import edge_asd.scoring"])
def test_a_circle_is_seen(line: str) -> None:
    with pytest.raises(graphlib.CycleError):
        import_order(planted("edge_asd.tail" if "pipeline" in line else "edge_asd.bundle", line))
