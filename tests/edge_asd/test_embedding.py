"""A net that takes whole patches: shapes, orders of axes, several outputs, and errors of reconstruction."""

from __future__ import annotations

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_asd.embedding import Embedder, build_embedder
from edge_asd.errors import InputError
from edge_asd.interpreter import Engine
from edge_asd.recipe.models import Net, TfliteFile

FRAMES, BANDS = 3, 2
PATCHES = np.arange(2 * FRAMES * BANDS, dtype=np.float32).reshape(2, FRAMES, BANDS)


def net(shape: tuple[int, ...], *operations: int) -> bytes:
    """A TFLite file with an output for each operation: the input added to itself, or multiplied by itself."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    graph.tensors = [schema.TensorT() for _ in range(1 + len(operations))]
    for index, tensor in enumerate(graph.tensors):
        tensor.name, tensor.shape, tensor.buffer = f"tensor{index}".encode(), list(shape), 0
    graph.inputs, graph.outputs = [0], list(range(1, 1 + len(operations)))
    graph.operators, model.operatorCodes = [], []
    for index, operation in enumerate(operations):
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = operation
        code.version = 1
        operator.opcodeIndex, operator.inputs, operator.outputs = index, [0, 0], [1 + index]
        addition = operation == schema.BuiltinOperator.ADD
        operator.builtinOptions = schema.AddOptionsT() if addition else schema.MulOptionsT()
        kinds = schema.BuiltinOptions
        operator.builtinOptionsType = kinds.AddOptions if addition else kinds.MulOptions
        graph.operators.append(operator)
        model.operatorCodes.append(code)
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


ADD, MULTIPLY = schema.BuiltinOperator.ADD, schema.BuiltinOperator.MUL


def embedder(settings: TfliteFile | Net, shape: tuple[int, ...], *operations: int) -> Embedder:
    return build_embedder(
        settings, net(shape, *operations), frames=FRAMES, bands=BANDS, engine=Engine(), where="branches.x"
    )


@pytest.mark.parametrize("shape", [(1, 3, 2), (1, 3, 2, 1), (3, 2), (1, 6), (6,), (1, 1, 6)])
def test_outputs_are_flattened_one_after_another(shape: tuple[int, ...]) -> None:
    built = embedder(TfliteFile(), shape, ADD, MULTIPLY)
    assert built.n_features == 12
    flat: NDArray[np.float32] = PATCHES.reshape(2, 6)
    np.testing.assert_array_equal(built.process(PATCHES), np.concatenate([2 * flat, flat**2], axis=1))


def test_bands_first() -> None:
    built = embedder(TfliteFile(axes="bands-first"), (1, 2, 3, 1), ADD)
    np.testing.assert_array_equal(built.process(PATCHES), 2 * PATCHES.transpose(0, 2, 1).reshape(2, 6))


def test_published_nets_take_frames_first() -> None:
    np.testing.assert_array_equal(
        embedder(Net(name="yamnet"), (1, 3, 2), ADD).process(PATCHES), 2 * PATCHES.reshape(2, 6)
    )


def test_the_error_is_the_mean_square_of_what_differs() -> None:
    built = embedder(TfliteFile(row="error"), (1, 6), ADD)
    assert built.n_features == 1
    np.testing.assert_allclose(built.process(PATCHES)[:, 0], (PATCHES**2).mean(axis=(1, 2)), rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "shape", "operations", "words"),
    [
        (TfliteFile(), (1, 2, 3), [ADD], "takes patches of 3 frames by 2 bands, found one of input shape"),
        (TfliteFile(axes="bands-first"), (1, 3, 2), [ADD], "3 frames by 2 bands, bands first"),
        (TfliteFile(), (1, 7), [ADD], "takes patches of 3 frames by 2 bands"),
        (TfliteFile(row="error"), (1, 6), [ADD, MULTIPLY], "a net that gives its patch back"),
    ],
)
def test_nets_that_do_not_fit_are_refused(
    settings: TfliteFile, shape: tuple[int, ...], operations: list[int], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        embedder(settings, shape, *operations)


def test_a_missing_net_is_named() -> None:
    with pytest.raises(InputError, match="expected the net of its tflite, found none"):
        build_embedder(TfliteFile(), None, frames=1, bands=1, engine=Engine(), where="branches.x")
