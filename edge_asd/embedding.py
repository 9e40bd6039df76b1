"""Patches → rows: what a model makes of a patch, or the patch itself where there is no model."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError
from edge_asd.interpreter import Engine, Network
from edge_asd.recipe.models import InterpolationDensity, Model, Pretrained, Reconstructing, TfliteFile

_LEAST_SPREAD = 1e-6
"""Spread below which a net is not believed, in the unit of the features."""


class Embedder(Protocol):
    """The form that every embedder has."""

    n_features: int
    """Length of a row."""

    def process(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn patches, shape (n, frames, bands), into rows, shape (n, n_features)."""


class Flatten:
    """No model: a patch, its frames one after another, is a row."""

    def __init__(self, frames: int, bands: int) -> None:
        self.n_features = frames * bands

    def process(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the patches, shape (n, frames, bands), as rows, shape (n, frames · bands)."""
        return patches.reshape(len(patches), self.n_features)


class Interpolation:
    """How far the middle frame of a patch is from what a net expects there (after Suefusa et al., ICASSP 2020).

    The net takes the outer frames, one after another, shape (1, (frames − 1) · bands).

    - *Error.* It gives the middle frame, shape (1, bands), and a row is the mean squared error over bands.
    - *Density.* It gives mean and spread, shape (1, 2 · bands), and a row is the mean over bands of
      max((y − mean) / spread, 0)²: only what is louder than expected counts.
    """

    n_features = 1

    def __init__(self, network: Network, frames: int, bands: int, *, density: bool, where: str) -> None:
        expected = (1, (frames - 1) * bands), (1, bands * (2 if density else 1))
        found = network.input_shape, network.output_shape
        if frames % 2 == 0 or found != expected:
            raise InputError(
                where, expected=f"a net of shapes {expected[0]} → {expected[1]}", found=f"{found[0]} → {found[1]}"
            )
        self._network = network
        self._row = _excess if density else _squared_error

    def process(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn patches, shape (n, frames, bands), into rows, shape (n, 1), ≥ 0."""
        context, middle = split_middle(patches)
        rows = np.empty((len(patches), 1), np.float32)
        for index, outer in enumerate(context):
            rows[index] = self._row(middle[index], self._network(outer[np.newaxis])[0])
        return rows


class Embedding:
    """What a net makes of a whole patch.

    - *Outputs.* A row is the net's outputs, flattened, one after another.
    - *Error.* The net gives the patch back, and a row is the mean squared difference.

    Parameters
    ----------
    network
        Its input holds one patch; sizes of 1 in its shape do not count.
    frames, bands
        Shape of a patch.
    bands_first
        Whether the net takes patches of shape (bands, frames).
    error
        Whether a row is the error.
    where
        How errors name the net.

    Raises
    ------
    InputError
        When the net's input does not hold one patch, or its output is no patch and ought to be.
    """

    def __init__(
        self, network: Network, frames: int, bands: int, *, bands_first: bool, error: bool, where: str
    ) -> None:
        patch, turned = ((bands, frames), (frames, bands)) if bands_first else ((frames, bands), (bands, frames))
        if not _holds(network.input_shape, patch, turned):
            raise InputError(
                where,
                expected=f"a net that takes patches of {frames} frames by {bands} bands"
                + (", bands first" if bands_first else ""),
                found=f"one of input shape {network.input_shape}",
                remedy="choose the front end, patch.frames or model.axes that it was made for",
            )
        sizes = [math.prod(shape) for shape in network.output_shapes]
        if error and sizes != [frames * bands]:
            raise InputError(where, expected="a net that gives its patch back", found=f"outputs of sizes {sizes}")
        self.n_features = 1 if error else sum(sizes)
        self._network = network
        self._bands_first = bands_first
        self._error = error

    def process(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn patches, shape (n, frames, bands), into rows, shape (n, n_features)."""
        rows = np.empty((len(patches), self.n_features), np.float32)
        for index, patch in enumerate(patches):
            values = (patch.T if self._bands_first else patch).reshape(self._network.input_shape)
            outputs = self._network.outputs(values)
            if self._error:
                rows[index] = np.mean(np.square(values.reshape(-1) - outputs[0].reshape(-1)))
            else:
                np.concatenate([output.reshape(-1) for output in outputs], out=rows[index])
        return rows


def _holds(shape: tuple[int, ...], patch: tuple[int, int], turned: tuple[int, int]) -> bool:
    # The very shape of a patch turned on its side is no accident, though it holds as many numbers.
    sizes, expected, wrong = ([size for size in sides if size != 1] for sides in (shape, patch, turned))
    return math.prod(shape) == math.prod(patch) and (sizes == expected or sizes != wrong)


def _squared_error(middle: NDArray[np.float32], output: NDArray[np.float32]) -> float:
    return float(np.mean(np.square(middle - output)))


def _excess(middle: NDArray[np.float32], output: NDArray[np.float32]) -> float:
    mean, spread = output[: len(middle)], output[len(middle) :]
    return float(np.mean(np.square(np.maximum((middle - mean) / np.maximum(spread, _LEAST_SPREAD), 0.0))))


def split_middle(patches: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Split patches, shape (n, frames, bands), into what a net sees and what it is to predict.

    Returns
    -------
    context
        The outer frames, one after another, shape (n, (frames − 1) · bands).
    middle
        The middle frame, shape (n, bands).
    """
    middle = patches.shape[1] // 2
    context = np.concatenate((patches[:, :middle], patches[:, middle + 1 :]), axis=1)
    return context.reshape(len(patches), -1), patches[:, middle]


def build_embedder(
    settings: Model | None, network: bytes | None, *, frames: int, bands: int, engine: Engine, where: str
) -> Embedder:
    """Build the embedder of a branch.

    Parameters
    ----------
    settings
        The branch's model.
    network
        Its TFLite file, where the model has one.
    frames, bands
        Shape of a patch.
    engine
        What computes it.
    where
        How errors name the branch.

    Raises
    ------
    InputError
        When the net is missing, cannot be run, or has other shapes than the patches.
    """
    if settings is None:
        return Flatten(frames, bands)
    if network is None:
        raise InputError(where, expected=f"the net of its {type(settings).__struct_config__.tag}", found="none")
    if isinstance(settings, Reconstructing):
        net = Network(network, engine=engine, where=where)
        return Embedding(net, frames, bands, bands_first=False, error=True, where=where)
    if isinstance(settings, Pretrained):
        file = settings if isinstance(settings, TfliteFile) else TfliteFile()
        bands_first, error = file.axes == "bands-first", file.row == "error"
        net = Network(network, engine=engine, where=where, several_outputs=True)
        return Embedding(net, frames, bands, bands_first=bands_first, error=error, where=where)
    density = isinstance(settings, InterpolationDensity)
    return Interpolation(Network(network, engine=engine, where=where), frames, bands, density=density, where=where)
