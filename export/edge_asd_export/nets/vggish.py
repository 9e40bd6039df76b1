"""VGGish (Hershey et al., ICASSP 2017), as tensorflow/models, research/audioset/vggish/vggish_slim.py, builds it.

A row is the 128 numbers of the last layer before any activation, without the PCA and the 8 bits of AudioSet's release.
"""

from __future__ import annotations

from typing import Any

from edge_asd_export.nets.definition import Definition, Options, input_of
from edge_asd_export.weights.loading import Naming

_BLOCKS = {"conv1": (64,), "pool1": (), "conv2": (128,), "pool2": (), "conv3": (256, 256), "pool3": ()}
_BLOCKS |= {"conv4": (512, 512), "pool4": ()}
# Places of the layers in the PyTorch port that most use (harritaylor/torchvggish).
_TORCH = {
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3_1": "features.6",
    "conv3_2": "features.8",
    "conv4_1": "features.11",
    "conv4_2": "features.13",
    "fc1_1": "embeddings.0",
    "fc1_2": "embeddings.2",
    "fc2": "embeddings.4",
}


def build(keras: Any, options: Options) -> Any:
    """Build the net for patches of 96 frames by 64 bands."""
    layers = keras.layers
    inputs, values = input_of(keras, options)
    for block, widths in _BLOCKS.items():
        if not widths:
            values = layers.MaxPooling2D(2, padding="same", name=block)(values)
        for number, width in enumerate(widths, 1):
            name = block if len(widths) == 1 else f"{block}_{number}"
            values = layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(values)
    values = layers.Flatten(name="flatten")(values)
    values = layers.Dense(4096, activation="relu", name="fc1_1")(values)
    values = layers.Dense(4096, activation="relu", name="fc1_2")(values)
    return keras.Model(inputs, layers.Dense(128, name="fc2")(values), name="vggish")


def _tensorflow_name(layer: str) -> str:
    # `conv3_1` → `vggish/conv3/conv3_1`, `fc2` → `vggish/fc2`
    return f"vggish/{layer.partition('_')[0]}/{layer}" if "_" in layer else f"vggish/{layer}"


VGGISH = Definition(
    build=build,
    namings={
        "tensorflow": Naming(layer=_tensorflow_name, unused=r"global_step|beta\d_power|.*/Adam(_1)?"),
        "torch": Naming(layer=_TORCH.__getitem__, unused=r"pproc\..*"),
    },
    weights="vggish",
    embeddings=(128,),
    bands=64,
    frames=96,
    front_end="{kind: preset, name: vggish} with patch {frames: 96, hop: 96} at 16 kHz",
)
"""VGGish."""
