"""OpenL3 (Cramer et al., "Look, Listen and Learn More", ICASSP 2019) and EdgeL3's smaller audio net.

OpenL3's layers are those of openl3 0.4.2 (`models.py`): normalization of the input, then four blocks of two 3 × 3
convolutions. The last convolution is linear. Its weights' files hold no front end and have names that depend on the
session they were saved in, so they are matched by order. EdgeL3's net is the graph of its own released file
(Kumari et al. 2019; UST, 64 filters): narrower, normalized and rectified to the end.
"""

from __future__ import annotations

from typing import Any

from edge_asd_export.nets.definition import Definition, Options, batch_normalization, input_of
from edge_asd_export.weights.loading import Naming

_FRONT_END_LAYERS = r"(mel)?spectrogram[^/]*/.*"
_POOLS = {"mel128": {512: (16, 24), 6144: (4, 8)}, "mel256": {512: (32, 24), 6144: (8, 8)}}
_POOLS["linear"] = _POOLS["mel256"]


def _builder(spectrogram: str) -> Any:
    def build(keras: Any, options: Options) -> Any:
        inputs, values = _bands_first(keras, options)
        widths = ((64, 64), (128, 128), (256, 256), (512, 512))
        values = _convolutions(keras, values, widths, rectified_end=False)
        size = _POOLS[spectrogram][options.embedding]
        values = keras.layers.MaxPooling2D(size, padding="same", name="embedding_pool")(values)
        return keras.Model(inputs, keras.layers.Flatten(name="embedding")(values), name=f"openl3-{spectrogram}")

    return build


def build_edgel3(keras: Any, options: Options) -> Any:
    """Build EdgeL3's net for patches of 50 frames by 64 bands."""
    inputs, values = _bands_first(keras, options)
    values = _convolutions(keras, values, ((32, 32), (64, 64), (128, 128), (64, 64)), rectified_end=True)
    values = keras.layers.MaxPooling2D((8, 6), name="embedding_pool")(values)
    return keras.Model(inputs, keras.layers.Flatten(name="embedding")(values), name="edgel3")


def _bands_first(keras: Any, options: Options) -> tuple[Any, Any]:
    inputs, image = input_of(keras, options)
    return inputs, keras.layers.Permute((2, 1, 3), name="bands_first")(image)


def _convolutions(keras: Any, values: Any, widths: tuple[tuple[int, int], ...], *, rectified_end: bool) -> Any:
    # Numbered as Keras numbers them, from 1.
    layers, number = keras.layers, 0
    values = batch_normalization(keras, "batch_normalization_1")(values)
    for block, block_widths in enumerate(widths, 1):
        for width in block_widths:
            number += 1
            last = number == 2 * len(widths)
            name = "audio_embedding_layer" if last else f"conv2d_{number}"
            values = layers.Conv2D(width, 3, padding="same", name=name)(values)
            if not last or rectified_end:
                values = batch_normalization(keras, f"batch_normalization_{number + 1}")(values)
                values = layers.ReLU(name=f"activation_{number}")(values)
        if block < len(widths):
            values = layers.MaxPooling2D(2, name=f"max_pooling2d_{block}")(values)
    return values


def _openl3(spectrogram: str, frames: int, bands: int, front_end: str) -> Definition:
    return Definition(
        build=_builder(spectrogram),
        namings={"keras": Naming(by_order=True, unused=_FRONT_END_LAYERS)},
        weights=f"openl3-{spectrogram}-env",
        embeddings=(512, 6144),
        bands=bands,
        frames=frames,
        front_end=f"{{kind: preset, name: {front_end}}} at 48 kHz",
    )


OPENL3_MEL128 = _openl3("mel128", 199, 128, "openl3-v0.4-mel128")
"""OpenL3 on 128 mel bands."""
OPENL3_MEL256 = _openl3("mel256", 199, 256, "openl3-v0.4-mel256")
"""OpenL3 on 256 mel bands."""
OPENL3_LINEAR = _openl3("linear", 197, 257, "openl3-linear")
"""OpenL3 on all bins of the transform."""
EDGEL3 = Definition(
    build=build_edgel3,
    namings={"keras": Naming(unused=_FRONT_END_LAYERS)},
    weights="edgel3-ust-64",
    embeddings=(64,),
    bands=64,
    frames=50,
    front_end="{kind: log-mel, n_fft: 1024, hop_length: 160, n_mels: 64, htk: true, sqrt: true, padding: same, "
    "segment_length: 8000, log: {kind: db, ref: max, top_db: 80}} at 8 kHz",
)
"""EdgeL3, specialized for urban sound."""
