"""Finds a TFLite interpreter on this machine and proves that it works, by building one and running it.

An import is no proof: tflite-runtime 2.14 beside numpy 2 imports and fails when an interpreter is built.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import importlib.metadata
import importlib.resources
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
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
_log = logging.getLogger(__name__)

MOST_THREADS = 16
"""Most threads of one interpreter: beyond the cores of any board here, they only wait for one another."""
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
    load_delegate: Callable[..., Any]
    """Loads a delegate's shared library, given its name and options."""


class DelegateLibrary(NamedTuple):
    """A shared library that computes nets on other hardware, such as Coral's or a GPU's."""

    path: str
    """Path, or name alone for the system's loader to find."""
    options: dict[str, str]
    """Options, as the library defines them."""
    fallback: bool
    """Whether the processor computes where the library cannot; otherwise that is an error."""


class Engine:
    """What computes the nets of one bundle: the processor, or a delegate for as long as it does its work.

    A delegate that cannot be loaded, does not take a net, fails while it runs, or moves what it computes is given up
    for good; the processor computes from there on, unless `fallback` says otherwise.

    Parameters
    ----------
    threads
        Threads of each interpreter, 1–`MOST_THREADS`.
    delegate
        What computes instead of the processor.

    Raises
    ------
    InputError
        When there are no threads, or too many.
    """

    def __init__(self, threads: int = 1, delegate: DelegateLibrary | None = None) -> None:
        if not 1 <= threads <= MOST_THREADS:
            raise InputError("threads", expected=f"1–{MOST_THREADS}", found=str(threads))
        self.threads = threads
        self.delegate = delegate
        self.failure: str | None = None
        """Why the delegate was given up."""

    @property
    def delegated(self) -> bool:
        """Whether the delegate computes."""
        return self.delegate is not None and self.failure is None

    def give_up(self, where: str, reason: str) -> None:
        """Let the processor compute from now on.

        Parameters
        ----------
        where
            What the delegate failed at, as errors name it.
        reason
            What it did, in words.

        Raises
        ------
        InputError
            When the processor is not to stand in.
        """
        if self.delegate is None:
            raise ValueError("there is no delegate to give up")
        if not self.delegate.fallback:
            raise InputError(
                f"{where}: delegate {self.delegate.path}",
                expected="a delegate that computes this net",
                found=reason,
                remedy="mend it, or let the processor stand in with 'fallback: cpu'",
            )
        if self.failure is None:
            self.failure = reason
            _log.warning("%s: delegate %s given up, the processor computes: %s", where, self.delegate.path, reason)

    def open(self, content: bytes, where: str) -> Any:
        """Return an interpreter of a TFLite file with its tensors allocated.

        Raises
        ------
        InputError
            When the file cannot be loaded, or the delegate fails and the processor is not to stand in.
        """
        if self.delegate is not None and self.failure is None:
            try:
                return self._build(content, experimental_delegates=[self._load(self.delegate)])
            except (ValueError, RuntimeError, OSError) as error:
                self.give_up(where, _one_line(error))
        try:
            return self._build(content)
        except (ValueError, RuntimeError) as error:
            raise InputError(
                where, expected="a net this TFLite interpreter can run", found=_first_line(error)
            ) from error

    def _build(self, content: bytes, **options: Any) -> Any:
        interpreter = find_runtime().interpreter(model_content=content, num_threads=self.threads, **options)
        interpreter.allocate_tensors()
        return interpreter

    def _load(self, delegate: DelegateLibrary) -> Any:
        if "/" in delegate.path and Path(delegate.path).exists() and not Path(delegate.path).is_file():
            # The system's loader would wait for whoever writes into a pipe.
            raise OSError(f"{delegate.path} is no regular file")
        # The interpreter's own loader leaves half an object behind when these fail, which complains when it is dropped.
        library = ctypes.PyDLL(delegate.path)
        if not all(hasattr(library, f"tflite_plugin_{verb}_delegate") for verb in ("create", "destroy")):
            raise OSError(f"{delegate.path} is a library, but no TFLite delegate")
        return find_runtime().load_delegate(delegate.path, delegate.options)


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
                imported = importlib.import_module(module)
                prove(imported.Interpreter)
            return Runtime(*_distribution(distributions), imported.Interpreter, imported.load_delegate)
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
    built = interpreter(model_content=content, num_threads=1)
    built.allocate_tensors()
    built.set_tensor(built.get_input_details()[0]["index"], np.full((1, 1), _PROBE_INPUT, np.float32))
    built.invoke()
    result = float(built.get_tensor(built.get_output_details()[0]["index"])[0, 0])
    if result != _PROBE_OUTPUT:
        raise RuntimeError(f"its first result is {result}, not {_PROBE_OUTPUT}")


def require_runtime(minimum: str, where: str) -> None:
    """Refuse a net whose operators this machine's interpreter is too old for.

    Parameters
    ----------
    minimum
        Oldest TensorFlow Lite release that has them, such as `2.17.0`; empty where unknown.
    where
        How errors name the net.

    Raises
    ------
    InputError
        When the interpreter is older. LiteRT counts its releases anew and began after TensorFlow Lite 2.17: what it
        lacks is seen when the net is loaded.
    """
    runtime = find_runtime()
    if runtime.name == _CANDIDATES[0][1][0] or _release(runtime.version) >= _release(minimum):
        return
    raise InputError(
        where,
        expected=f"TensorFlow Lite {minimum} or later",
        found=f"{runtime.name} {runtime.version}",
        remedy="export with --quantize float16, or install ai-edge-litert (64-bit)",
    )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


class Network:
    """One TFLite net: one float32 input, float32 outputs, batch 1.

    Parameters
    ----------
    content
        The `.tflite` file.
    engine
        What computes it; one thread of the processor where left out.
    where
        How errors name this net.
    several_outputs
        Whether the net may have more than one output.

    Raises
    ------
    InputError
        When the file cannot be loaded, or has other inputs or outputs than one of float32 each; or any number of
        float32 outputs where `several_outputs`.
    """

    def __init__(
        self, content: bytes, *, engine: Engine | None = None, where: str = "network", several_outputs: bool = False
    ) -> None:
        self._content, self._where, self._several_outputs = content, where, several_outputs
        self._engine = engine or Engine()
        self._open()

    def _open(self) -> None:
        self._interpreter = self._engine.open(self._content, self._where)
        self._delegated = self._engine.delegated
        details = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        for side, tensors in zip(("input", "output"), details, strict=True):
            types = [np.dtype(tensor["dtype"]).name for tensor in tensors]
            if set(types) != {"float32"} or (len(types) > 1 and not (self._several_outputs and side == "output")):
                found = f"{len(types)} ({', '.join(types)})"
                raise InputError(self._where, expected=f"one float32 {side}", found=found)
        self._read_input = self._interpreter.tensor(details[0][0]["index"])
        self._read_outputs = [self._interpreter.tensor(tensor["index"]) for tensor in details[1]]
        self.input_shape = _shape(details[0][0])
        self.output_shapes = [_shape(tensor) for tensor in details[1]]
        self.output_shape = self.output_shapes[0]

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the net on `values` of `input_shape`; the result is a copy of its first output, of `output_shape`."""
        return self.outputs(values)[0]

    def outputs(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the net on `values` of `input_shape`; the results are copies of all outputs, of `output_shapes`.

        Raises
        ------
        InputError
            When the net fails on its input, or a delegate does and the processor is not to stand in.
        """
        # A view of the interpreter's memory must not live while it runs, so views are taken and dropped on one line.
        self._read_input()[...] = values
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            if not self._delegated:
                raise InputError(self._where, expected="a net that can be run", found=_one_line(error)) from error
            self._engine.give_up(self._where, _one_line(error))
            self._open()
            return self.outputs(values)
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


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
