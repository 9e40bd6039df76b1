"""Settings of models: patches → rows, through a TFLite net."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_asd.settings import NonNegativeFloat, PositiveFloat, PositiveInt, Settings

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


Model = InterpolationAutoencoder | InterpolationDensity
"""Every kind of model."""
