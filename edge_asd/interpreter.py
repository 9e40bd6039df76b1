"""Finds a TFLite interpreter on this machine and proves that it works, by building one and running it.

An import is no proof: tflite-runtime 2.14 beside numpy 2 imports and fails when an interpreter is built.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.resources
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import EdgeAsdError, InputError

# Module, then the distributions that may have brought it. TensorFlow's own comes last: it is the slowest to start,
# and a plain device install does not have it.
_CANDIDATES = (
    ("ai_edge_litert.interpreter", ("ai-edge-litert",)),
    ("tflite_runtime.interpreter", ("tflite-runtime",)),
    ("tensorflow.lite.python.interpreter", ("tensorflow-cpu", "tensorflow")),
)
_PROBE_INPUT = 1.5
_PROBE_OUTPUT = 3.0


class InterpreterMissingError(EdgeAsdError):
    """No TFLite interpreter on this machine could be built and run."""


class Runtime(NamedTuple):
    """A TFLite interpreter that was built and run on this machine."""

    name: str
    """Distribution that brought it, such as `ai-edge-litert`."""
    version: str
    """Version of that distribution."""
    interpreter: type[Any]
    """Class that builds an interpreter."""


@functools.lru_cache(maxsize=1)
def find_runtime() -> Runtime:
    """Return the first interpreter that works, of ai-edge-litert, tflite-runtime and TensorFlow.

    Raises
    ------
    InterpreterMissingError
        When none works; the message says why each was passed over and what to install.
    """
    reasons = []
    for module, distributions in _CANDIDATES:
        try:
            with _silent_standard_error():
                interpreter = importlib.import_module(module).Interpreter
                prove(interpreter)
            return Runtime(*_distribution(distributions), interpreter)
        except ModuleNotFoundError as error:
            reasons.append(f"{distributions[0]}: {error.name} is not installed")
        except Exception as error:  # noqa: BLE001 - whatever a foreign build does wrong, the next is tried
            reasons.append(f"{distributions[0]}: {_first_line(error)}")
    raise InterpreterMissingError(
        f"TFLite interpreter: expected one that runs, found none ({'; '.join(reasons)}); "
        "install ai-edge-litert (64-bit), or tflite-runtime with numpy below 2 (32-bit Arm)"
    )


def prove(interpreter: type[Any]) -> None:
    """Build `interpreter` on a net of one addition and run it.

    Raises
    ------
    RuntimeError
        When the result is not the sum.
    """
    content = importlib.resources.files("edge_asd").joinpath("probe.tflite").read_bytes()
    network = Network(content, interpreter=interpreter)
    result = float(network(np.full((1, 1), _PROBE_INPUT, np.float32))[0, 0])
    if result != _PROBE_OUTPUT:
        raise RuntimeError(f"its first result is {result}, not {_PROBE_OUTPUT}")


class Network:
    """One TFLite net: one float32 input, float32 outputs, batch 1.

    Parameters
    ----------
    content
        The `.tflite` file.
    threads
        Threads of the interpreter, at least 1.
    where
        How errors name this net.
    interpreter
        Class to build; the machine's own (`find_runtime`) where left out.
    several_outputs
        Whether the net may have more than one output.

    Raises
    ------
    InputError
        When the file cannot be loaded, or has other inputs or outputs than one of float32 each; or any number of
        float32 outputs where `several_outputs`.
    """

    def __init__(
        self,
        content: bytes,
        *,
        threads: int = 1,
        where: str = "network",
        interpreter: type[Any] | None = None,
        several_outputs: bool = False,
    ) -> None:
        build = interpreter or find_runtime().interpreter
        try:
            self._interpreter = build(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(
                where, expected="a net this TFLite interpreter can run", found=_first_line(error)
            ) from error
        details = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        for side, tensors in zip(("input", "output"), details, strict=True):
            types = [np.dtype(tensor["dtype"]).name for tensor in tensors]
            if set(types) != {"float32"} or (len(types) > 1 and not (several_outputs and side == "output")):
                raise InputError(where, expected=f"one float32 {side}", found=f"{len(types)} ({', '.join(types)})")
        self._read_input = self._interpreter.tensor(details[0][0]["index"])
        self._read_outputs = [self._interpreter.tensor(tensor["index"]) for tensor in details[1]]
        self.input_shape = _shape(details[0][0])
        self.output_shapes = [_shape(tensor) for tensor in details[1]]
        self.output_shape = self.output_shapes[0]

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the net on `values` of `input_shape`; the result is a copy of its first output, of `output_shape`."""
        return self.outputs(values)[0]

    def outputs(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the net on `values` of `input_shape`; the results are copies of all outputs, of `output_shapes`."""
        # A view of the interpreter's memory must not live while it runs, so views are taken and dropped on one line.
        self._read_input()[...] = values
        self._interpreter.invoke()
        return [read().copy() for read in self._read_outputs]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in tensor["shape"])


@contextlib.contextmanager
def _silent_standard_error() -> Iterator[None]:
    # The native library greets on standard error, past Python's own; there an error is to stand alone on its line.
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _distribution(names: tuple[str, ...]) -> tuple[str, str]:
    for name in names:
        try:
            return name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return names[0], "unknown"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
