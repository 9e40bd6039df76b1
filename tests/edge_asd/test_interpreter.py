from __future__ import annotations

import importlib.resources
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edge_asd import golden, interpreter
from edge_asd.errors import InputError
from edge_asd.interpreter import InterpreterMissingError, Network, find_runtime
from edge_asd.pipeline import Pipeline
from tests.interpolating import write_interpolating

PROBE = importlib.resources.files("edge_asd").joinpath("probe.tflite").read_bytes()


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    find_runtime.cache_clear()
    yield
    find_runtime.cache_clear()


def test_this_machine_has_one_that_works() -> None:
    runtime = find_runtime()
    assert runtime.name in {"ai-edge-litert", "tflite-runtime", "tensorflow-cpu", "tensorflow"}
    assert runtime.version[0].isdigit()


def test_an_interpreter_that_imports_but_cannot_be_built_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, **_: object) -> None:
            raise ImportError("numpy.core.multiarray failed to import\nand more")

    module = ModuleType("broken_runtime")
    module.Interpreter = Broken  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "broken_runtime", module)
    candidates = (("broken_runtime", ("tflite-runtime",)), *interpreter._CANDIDATES)
    monkeypatch.setattr(interpreter, "_CANDIDATES", candidates)
    assert find_runtime().interpreter is not Broken
    find_runtime.cache_clear()
    monkeypatch.setattr(interpreter, "_CANDIDATES", candidates[:1])
    with pytest.raises(InterpreterMissingError, match=r"multiarray failed to import\); install ai-edge-litert"):
        find_runtime()


def test_an_interpreter_that_computes_nonsense_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="its first result"):
        interpreter.prove(_doubling_wrong(find_runtime().interpreter))


def _doubling_wrong(real: type[Any]) -> type[Any]:
    class Wrong(real):  # type: ignore[misc]
        def invoke(self) -> None:
            super().invoke()
            self.tensor(self.get_output_details()[0]["index"])()[...] = 7.0

    return Wrong


def test_probe_network_adds() -> None:
    network = Network(PROBE)
    assert network.input_shape == network.output_shape == (1, 1)
    first = network(np.array([[2.0]], np.float32))
    network(np.array([[5.0]], np.float32))
    assert first.tolist() == [[4.0]]


@pytest.mark.parametrize("content", [b"", b"not a net", PROBE[:100]])
def test_what_is_no_network_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"pump\.easd: net"):
        Network(content, where="pump.easd: net")


def test_a_net_that_fails_while_it_runs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = find_runtime()
    real: Any = runtime.interpreter

    class Failing(real):  # type: ignore[misc]
        def invoke(self) -> None:
            raise RuntimeError("gather index out of bounds\nNode number 2 (GATHER) failed to invoke.")

    monkeypatch.setattr(interpreter, "find_runtime", lambda: runtime._replace(interpreter=Failing))
    network = Network(PROBE, where="pump.easd: net")
    with pytest.raises(InputError, match=r"^pump\.easd: net: expected a net that can be run, found .*GATHER"):
        network(np.array([[2.0]], np.float32))


def test_nothing_is_written_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    find_runtime()
    Network(PROBE)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "version", "minimum", "holds"),
    [
        ("tflite-runtime", "2.14.0", "2.17.0", False),
        ("tflite-runtime", "2.14.0", "2.14.0", True),
        ("tflite-runtime", "2.14.0", "1.14.0", True),
        ("tflite-runtime", "2.14.0", "", True),
        ("tensorflow", "2.9.3", "2.11.0", False),
        ("tensorflow-cpu", "2.21.0", "2.17.0", True),
        # LiteRT began after TensorFlow Lite 2.17, with a count of its own.
        ("ai-edge-litert", "1.0.1", "2.17.0", True),
    ],
)
def test_a_net_that_is_too_new_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, version: str, minimum: str, holds: bool
) -> None:
    bundle = write_interpolating(tmp_path / "net.easd", minimum_runtime=minimum)
    runtime = find_runtime()._replace(name=name, version=version)
    monkeypatch.setattr(interpreter, "find_runtime", lambda: runtime)
    if holds:
        Pipeline(bundle)
        golden.require(bundle)
        return
    for use in (Pipeline, golden.check):
        with pytest.raises(InputError) as caught:
            use(bundle)
        assert str(caught.value) == (
            f"{bundle.where}: branches.surprise: expected TensorFlow Lite {minimum} or later, found {name} {version}; "
            "export with --quantize float16, or install ai-edge-litert (64-bit)"
        )


@pytest.mark.parametrize("minimum", ["new", "2", "2.14\n", "2.14.0.0.0"])
def test_a_minimum_that_is_no_version_is_refused(tmp_path: Path, minimum: str) -> None:
    with pytest.raises(InputError, match="minimum_runtime"):
        write_interpolating(tmp_path / "net.easd", minimum_runtime=minimum)
