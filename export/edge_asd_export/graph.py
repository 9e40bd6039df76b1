"""What is inside a TFLite file: its operators, what they cost, and the oldest runtime that has them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema

from edge_asd.errors import EdgeAsdError

_MINIMUM_RUNTIME = b"min_runtime_version"
_CUSTOM = "CUSTOM"


class GraphError(EdgeAsdError):
    """A TFLite file holds what the device's interpreters do not have."""


class Operator(NamedTuple):
    """One step of a TFLite graph."""

    name: str
    """Built-in operator, such as `CONV_2D`; `CUSTOM` for any other."""
    version: int
    """Version of its form."""
    inputs: list[tuple[int, ...]]
    """Shape of each input; empty where it is left out."""
    outputs: list[tuple[int, ...]]
    """Shape of each output."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates: of matrix products and convolutions, beside which the rest is small."""
        count = _MACS.get(self.name)
        return count(self) if count else 0


def _convolution(step: Operator) -> int:
    # Weights: (out channels, height, width, in channels of a group).
    return math.prod(step.outputs[0]) * math.prod(step.inputs[1][1:])


def _depthwise(step: Operator) -> int:
    # Weights: (1, height, width, out channels).
    return math.prod(step.outputs[0]) * math.prod(step.inputs[1][1:3])


def _transposed(step: Operator) -> int:
    # Inputs: shape of the output, weights (out channels, height, width, in channels), values.
    return math.prod(step.inputs[2]) * math.prod(step.inputs[1][:3])


def _dense(step: Operator) -> int:
    return math.prod(step.outputs[0]) * step.inputs[1][-1]


def _product(step: Operator) -> int:
    # (…, n, k) by (…, k, m); each input may be transposed, so k is found from all three sizes.
    left, out = math.prod(step.inputs[0][-2:]), math.prod(step.outputs[0][-2:])
    right = math.prod(step.inputs[1][-2:])
    return math.prod(step.outputs[0][:-2]) * math.isqrt(left * right * out)


_MACS = {
    "CONV_2D": _convolution,
    "CONV_3D": lambda step: math.prod(step.outputs[0]) * math.prod(step.inputs[1][:4]),
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _product,
}


def operators(content: bytes) -> list[Operator]:
    """Return the steps of a TFLite file, in the order in which they run."""
    model = _parse(content)
    codes = [
        (_names()[max(code.builtinCode, code.deprecatedBuiltinCode)], code.version) for code in model.operatorCodes
    ]
    return [
        Operator(
            codes[step.opcodeIndex][0],
            codes[step.opcodeIndex][1],
            [_shape(graph, index) for index in _listed(step.inputs)],
            [_shape(graph, index) for index in _listed(step.outputs)],
        )
        for graph in model.subgraphs
        for step in graph.operators or []
    ]


def count_macs(content: bytes) -> int:
    """Return the multiply-accumulates of one run of a TFLite file, counted from the shapes in its graph."""
    return sum(step.macs for step in operators(content))


def require_builtin(content: bytes) -> None:
    """Refuse a file with operators of its own, such as TensorFlow's Flex ones: no interpreter of a device has them.

    Raises
    ------
    GraphError
        When there is one.
    """
    model = _parse(content)
    foreign = sorted(
        str((code.customCode or b"?").decode("ascii", "replace"))
        for code in model.operatorCodes
        if _names()[max(code.builtinCode, code.deprecatedBuiltinCode)] == _CUSTOM
    )
    if foreign:
        raise GraphError(f"net: expected operators of TFLite's own alone, found {', '.join(foreign)}")


def stated_runtime(content: bytes) -> str:
    """Return the oldest TensorFlow Lite runtime that the converter names in the file; empty where it names none."""
    model = _parse(content)
    for entry in model.metadata or []:
        if entry.name == _MINIMUM_RUNTIME:
            return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode("ascii", "replace")
    return ""


def _parse(content: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


@functools.cache
def _names() -> dict[int, str]:
    return {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def _listed(indices: Any) -> Iterator[int]:
    return iter([] if indices is None else [int(index) for index in indices])


def _shape(graph: Any, index: int) -> tuple[int, ...]:
    shape = graph.tensors[index].shape if index >= 0 else None
    return () if shape is None else tuple(int(size) for size in shape)
