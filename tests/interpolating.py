"""A handmade bundle whose one part judges the rows of a real net, built operator by operator: no TensorFlow."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import msgspec
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_asd import golden
from edge_asd.audio import to_int16
from edge_asd.bundle import Bundle, NetworkRecord, write_bundle
from edge_asd.configuration import parse
from edge_asd.interpreter import Engine, find_runtime
from edge_asd.recipe.graph import Recipe
from tests.handmade import hum, manifest

BANDS = 8
_RECIPE = """
name: interpolating
sample_rate: 8000
horizon: {seconds: 2, hop_seconds: 0.5}
branches:
  surprise:
    front_end: {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}
    patch: {frames: 3}
    model: {kind: interpolation-autoencoder}
parts:
  odd: {branches: [surprise], detector: {kind: value}, scale: log}
"""


def mean_of_neighbours(bands: int = BANDS) -> bytes:
    """Return a TFLite file: half the sum of two frames, by a FULLY_CONNECTED whose result is added to itself."""
    quarter = np.tile(np.eye(bands, dtype=np.float32) / 4, (1, 2))
    model = schema.ModelT(
        version=3,
        operatorCodes=[_code("FULLY_CONNECTED"), _code("ADD")],
        buffers=[schema.BufferT(data=[]), schema.BufferT(data=np.frombuffer(quarter.tobytes(), np.uint8))],
        subgraphs=[
            schema.SubGraphT(
                tensors=[
                    _tensor(1, 2 * bands),
                    _tensor(bands, 2 * bands, buffer=1),
                    _tensor(1, bands),
                    _tensor(1, bands),
                ],
                inputs=[0],
                outputs=[3],
                operators=[
                    _operator(0, [0, 1, -1], [2], "FullyConnectedOptions", schema.FullyConnectedOptionsT()),
                    _operator(1, [2, 2], [3], "AddOptions", schema.AddOptionsT()),
                ],
            )
        ],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def write_interpolating(path: Path, *, minimum_runtime: str = "") -> Bundle:
    """Write a bundle whose part scores how far each frame is from the mean of its neighbours."""
    recipe = parse(_RECIPE, Recipe, where="interpolating")
    networks = {"branches/surprise": mean_of_neighbours()}
    arrays: dict[str, NDArray[np.generic]] = {
        "parts/odd/tail/scores": np.array([-2.0, 2.0, 6.0]),
        "parts/odd/tail/log_probabilities": np.log([1.0, 0.1, 0.01]),
    }
    pcm = to_int16(hum(2, 1))
    stages = golden.compute_stages(recipe, arrays, networks, pcm, engine=Engine(), where="interpolating")
    arrays |= {"golden/samples": pcm, **{f"golden/{name}": values for name, values in stages.items()}}
    runtime = find_runtime()
    record = NetworkRecord(
        quantization="float32",
        interpreter=runtime.name,
        interpreter_version=runtime.version,
        minimum_runtime=minimum_runtime,
    )
    return write_bundle(
        path, msgspec.structs.replace(manifest(recipe), networks={"surprise": record}), arrays, networks
    )


def _code(name: str) -> schema.OperatorCodeT:
    code = getattr(schema.BuiltinOperator, name)
    return schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=1)


def _tensor(*shape: int, buffer: int = 0) -> schema.TensorT:
    return schema.TensorT(shape=list(shape), type=schema.TensorType.FLOAT32, buffer=buffer, name=b"t")


def _operator(code: int, inputs: list[int], outputs: list[int], kind: str, options: object) -> schema.OperatorT:
    return schema.OperatorT(
        opcodeIndex=code,
        inputs=inputs,
        outputs=outputs,
        builtinOptionsType=getattr(schema.BuiltinOptions, kind),
        builtinOptions=options,
    )
