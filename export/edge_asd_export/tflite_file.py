"""A user's own TFLite file → one that takes float32 and gives the tensors asked for, inner ones included, as float32.

The file's graph is cut behind those tensors; nothing in it is computed anew, and integer inputs and outputs get a
QUANTIZE or DEQUANTIZE operator of their own scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from edge_asd.errors import InputError

_IDENTIFIER = b"TFL3"
_TYPES = "INT8", "UINT8", "INT16"


def choose_outputs(content: bytes, outputs: Sequence[str | int] | None, where: str) -> bytes:
    """Return the file with these outputs, float32 on both sides.

    Parameters
    ----------
    content
        A TFLite file of one graph and one input.
    outputs
        Tensors by name or index; the file's own outputs where left out.
    where
        How errors name the file.

    Raises
    ------
    InputError
        When it is no TFLite file, or has no such tensors.
    """
    model = _parse(content, where)
    graph = model.subgraphs[0]
    chosen = [int(index) for index in graph.outputs] if outputs is None else [_find(graph, o, where) for o in outputs]
    graph.operators = _needed(graph.operators, chosen, [int(index) for index in graph.inputs], where)
    editor = _Editor(model, graph, where)
    graph.inputs = [editor.as_float(int(index), before=True) for index in graph.inputs]
    graph.outputs = [editor.as_float(index, before=False) for index in chosen]
    # Signatures name the outputs that were there before.
    model.signatureDefs = []
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _parse(content: bytes, where: str) -> Any:
    if content[4:8] != _IDENTIFIER:
        raise InputError(where, expected="a TFLite file", found="another kind of file")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        graphs, inputs = len(model.subgraphs), len(model.subgraphs[0].inputs)
    except Exception as error:  # the generated reader trusts every offset in the file, and so may raise anything
        raise InputError(where, expected="a whole TFLite file", found=f"a damaged one ({error})") from error
    if (graphs, inputs) != (1, 1):
        raise InputError(where, expected="one graph with one input", found=f"{graphs} with {inputs}")
    return model


def _find(graph: Any, wanted: str | int, where: str) -> int:
    names = [tensor.name.decode("utf-8", "replace") for tensor in graph.tensors]
    if isinstance(wanted, int) and wanted < len(names):
        return wanted
    found = [index for index, name in enumerate(names) if name == wanted]
    if len(found) != 1:
        last = ", ".join(f"{index} {name!r}" for index, name in list(enumerate(names))[-5:])
        raise InputError(
            f"{where}: output {wanted!r}"[:200],
            expected=f"one of {len(names)} tensors, such as {last}",
            found=f"{len(found) or 'none'} of that name",
        )
    return found[0]


def _needed(operators: Sequence[Any], outputs: Sequence[int], inputs: Sequence[int], where: str) -> list[Any]:
    # Backwards from the outputs, since operators stand in the order in which they run.
    needed, kept = set(outputs), []
    for operator in reversed(operators):
        if needed & {int(index) for index in operator.outputs}:
            needed |= {int(index) for index in operator.inputs}
            kept.append(operator)
    if not needed & set(inputs):
        raise InputError(where, expected="outputs that depend on the input", found=f"tensors {list(outputs)}")
    return kept[::-1]


class _Editor:
    def __init__(self, model: Any, graph: Any, where: str) -> None:
        self._model, self._graph, self._where = model, graph, where

    def as_float(self, index: int, *, before: bool) -> int:
        """Return the tensor, or a float32 one that is quantized into it (`before`) or dequantized from it."""
        types, tensor = schema.TensorType, self._graph.tensors[index]
        if tensor.type == types.FLOAT32:
            return index
        kind = next((name for name in _TYPES if getattr(types, name) == tensor.type), None)
        if kind is None or tensor.quantization is None or tensor.quantization.scale is None:
            raise InputError(
                self._where, expected=f"tensor {index} of float32 or quantized", found=f"type {tensor.type}"
            )
        return self._convert(index, before=before)

    def _convert(self, index: int, *, before: bool) -> int:
        graph, tensor = self._graph, self._graph.tensors[index]
        fresh = schema.TensorT()
        fresh.name = tensor.name + b"_float"
        fresh.shape, fresh.shapeSignature = tensor.shape, tensor.shapeSignature
        fresh.type, fresh.buffer = schema.TensorType.FLOAT32, 0
        graph.tensors.append(fresh)
        operator, new = schema.OperatorT(), len(graph.tensors) - 1
        kind = schema.BuiltinOperator.QUANTIZE if before else schema.BuiltinOperator.DEQUANTIZE
        operator.opcodeIndex = self._code(kind)
        operator.inputs, operator.outputs = ([new], [index]) if before else ([index], [new])
        graph.operators.insert(0 if before else len(graph.operators), operator)
        return new

    def _code(self, kind: int) -> int:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 2  # int8 since version 2; the runtime that has one has the other
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1
