"""Settings of models: patches → rows, through a TFLite net."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_asd.settings import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Settings, Text

Quantization = Literal["float32", "float16", "dynamic", "int8"]
"""How a net's weights and arithmetic are stored."""
QuantizationChoice = Literal["auto", "float32", "float16", "dynamic", "int8"]
"""The same, or `auto`: left to the export, which knows the net, the board and what is lost."""


class InterpolationAutoencoder(Settings, tag="interpolation-autoencoder", tag_field="kind"):
    """Predicts the middle frame of a patch from the frames around it; a row is the error of that prediction.

    Trained at export on the user's own normal recordings. The idea is IDNN's (Suefusa et al., ICASSP 2020); the layers
    are those of IAEO3 (Grollmisch et al.), 250,912 parameters for five frames of 128 bands.
    """

    hidden: Annotated[list[PositiveInt], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: [256, 128, 64, 32, 64, 128, 256]
    )
    """Widths of the dense layers between input and output."""
    learning_rate: PositiveFloat = 0.001
    """Adam's step size."""
    batch_size: PositiveInt = 128
    """Patches in a training step."""
    epochs: PositiveInt = 30
    """Passes over the training patches."""
    max_steps: PositiveInt | None = None
    """Most training steps, however many recordings there are; no limit where left out."""
    seed: NonNegativeInt = 0
    """Mixed into the export's seed, so that several nets of one recipe differ."""
    quantize: QuantizationChoice = "auto"
    """How the net is stored; `auto` is float16, since reconstruction nets are tiny and lose most by int8."""


class InterpolationDensity(Settings, tag="interpolation-density", tag_field="kind"):
    """Predicts the middle frame of a patch from the frames around it, and how surely; a row is how much louder it is.

    For each band the net gives a mean m and a spread s, and the row is the mean over bands of max((y - m) / s, 0)².
    It begins as the linear interpolator (ridge regression), to which it learns a correction by Gaussian likelihood, so
    a few recordings suffice. It works relative to the level of the frames around, so gain has no effect.
    """

    hidden: Annotated[list[PositiveInt], Meta(min_length=1)] = msgspec.field(default_factory=lambda: [32, 8, 32])
    """Widths of the dense layers between input and output."""
    ridge: PositiveFloat = 0.01
    """Penalty of the linear interpolator, per patch."""
    learning_rate: PositiveFloat = 0.001
    """Largest step size of AdamW, reached after a warm-up of a fifteenth of the steps, then falling to 0."""
    weight_decay: NonNegativeFloat = 0.3
    """Decoupled weight decay, per unit of step size."""
    batch_size: PositiveInt = 256
    """Patches in a training step, drawn at random."""
    steps: PositiveInt = 300
    """Training steps, however many recordings there are."""
    max_patches: PositiveInt = 50_000
    """Most patches that are used, evenly spread over the recordings."""
    quantize: QuantizationChoice = "auto"
    """How the net is stored; `auto` is float16."""


class Autoencoder(Settings, tag="autoencoder", tag_field="kind"):
    """Gives back a patch through a bottleneck of dense layers with ReLU; a row is the mean squared error of that.

    Trained at export on the user's own normal recordings, as the baselines of DCASE task 2 since 2020.
    """

    hidden: Annotated[list[PositiveInt], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: [128, 128, 128, 128, 8, 128, 128, 128, 128]
    )
    """Widths of the dense layers between input and output."""
    batch_norm: bool = False
    """Whether each hidden layer is normalized over the batch before its ReLU."""
    l2: NonNegativeFloat = 0.0
    """Penalty of the squared weights, added to the mean squared error."""
    learning_rate: PositiveFloat = 0.001
    """Adam's step size."""
    batch_size: PositiveInt = 512
    """Patches in a training step."""
    epochs: PositiveInt = 100
    """Passes over the training patches."""
    max_steps: PositiveInt | None = None
    """Most training steps, however many recordings there are; no limit where left out."""
    seed: NonNegativeInt = 0
    """Mixed into the export's seed, so that several nets of one recipe differ."""
    quantize: QuantizationChoice = "auto"
    """How the net is stored; `auto` is float16, since reconstruction nets are tiny and lose most by int8."""


class ConvolutionalAutoencoder(Settings, tag="convolutional-autoencoder", tag_field="kind"):
    """Gives back a patch, seen as a picture, through convolutions of stride 2; a row is the mean squared error of that.

    Trained at export on the user's own normal recordings; the two of Müller et al. 2021 are of this kind.
    """

    channels: Annotated[list[PositiveInt], Meta(min_length=1)] = msgspec.field(default_factory=lambda: [32, 64, 128])
    """Channels of the encoder's layers; the decoder mirrors them."""
    kernel: PositiveInt = 5
    """Height and width of all kernels."""
    activation: Literal["relu", "elu"] = "relu"
    """Between the layers."""
    batch_norm: bool = False
    """Whether each layer is normalized over the batch before its activation."""
    bottleneck: PositiveInt | None = None
    """Width of a dense layer between encoder and decoder; none where left out."""
    learning_rate: PositiveFloat = 0.0001
    """Adam's step size."""
    batch_size: PositiveInt = 128
    """Patches in a training step."""
    epochs: PositiveInt = 80
    """Passes over the training patches."""
    max_steps: PositiveInt | None = None
    """Most training steps, however many recordings there are; no limit where left out."""
    seed: NonNegativeInt = 0
    """Mixed into the export's seed, so that several nets of one recipe differ."""
    quantize: QuantizationChoice = "auto"
    """How the net is stored; `auto` is float16, since reconstruction nets are tiny and lose most by int8."""


NetName = Literal[
    "openl3-mel128",
    "openl3-mel256",
    "openl3-linear",
    "edgel3",
    "vggish",
    "yamnet",
    "musicnn",
    "panns-resnet38",
    "resnet18",
    "resnet34",
    "densenet121",
    "alexnet",
    "squeezenet-1.0",
    "squeezenet-1.1",
]


RANDOM = "random"
"""Name of weights that are none: those of a net before any training."""


class Net(Settings, tag="net", tag_field="kind"):
    """A published, pretrained net; a row is what its embedding layer makes of a patch.

    It takes the patches of its publication's front end, which the branch names beside it. Its weights are downloaded
    once (`edge-asd weights fetch`) or given at export (`--weights`); the bundle holds the converted net.
    """

    name: NetName
    """Which one; `docs/embedders.md` says what each takes and gives."""
    weights: Text | None = None
    """Name of the weights, as `edge-asd weights list` shows it, such as `openl3-mel256-music`; the net's usual ones
    where left out. `random` builds the net untrained, to try a recipe before its weights are at hand."""
    embedding: PositiveInt | None = None
    """Length of a row, for a net that has a choice: 512 or 6144 of OpenL3; the net's usual one where left out."""
    quantize: QuantizationChoice = "auto"
    """How the net is stored."""


class TfliteFile(Settings, tag="tflite", tag_field="kind"):
    """A TFLite file of one's own, given at export (`--weights FILE`); a row is its outputs, one after another.

    The file takes one patch of the branch's front end; sizes of 1 in its input's shape do not count. Integer inputs and
    outputs are brought to float32 by their own scale.
    """

    outputs: Annotated[list[Text | Annotated[int, Meta(ge=0)]], Meta(min_length=1)] | None = None
    """Tensors that make a row, by name or index, inner ones included; the file's own outputs where left out."""
    row: Literal["outputs", "error"] = "outputs"
    """`error`: the file reconstructs its patch, and a row is the mean squared error of that."""
    axes: Literal["frames-first", "bands-first"] = "frames-first"
    """Order of time and frequency in the file's input."""
    quantize: Literal["as-given"] = "as-given"
    """The file is taken as it is."""


Reconstructing = Autoencoder | ConvolutionalAutoencoder
"""Models that give back their patch."""
Trained = InterpolationAutoencoder | InterpolationDensity | Autoencoder | ConvolutionalAutoencoder
"""Models that are trained at export, on the user's recordings."""
Pretrained = Net | TfliteFile
"""Models whose weights come from elsewhere; all recordings leave them as they are."""
Model = Trained | Pretrained
"""Every kind of model."""
