"""A recipe's word for a net → the Keras model with its pretrained weights."""

from __future__ import annotations

from typing import Any

from edge_asd.errors import InputError
from edge_asd.recipe.models import Net, NetName
from edge_asd_export.nets.catalogue import NETS
from edge_asd_export.nets.definition import Definition, Options, Patches
from edge_asd_export.training.keras_session import import_keras
from edge_asd_export.weights.files import Format, WeightsFile
from edge_asd_export.weights.loading import load


def check_patches(settings: Net, patches: Patches, where: str) -> Definition:
    """Return the net's definition, if it can take such patches and give such rows.

    Raises
    ------
    InputError
        When the front end, the patch or the length of the embedding do not fit.
    """
    net = NETS[settings.name]
    frames_fit = net.least_frames <= patches.frames if net.frames is None else patches.frames == net.frames
    if patches.bands != net.bands or not frames_fit:
        wanted = f"at least {net.least_frames}" if net.frames is None else f"{net.frames}"
        raise InputError(
            f"{where}.front_end",
            expected=f"patches of {wanted} frames by {net.bands} bands for {settings.name}",
            found=f"{patches.frames} by {patches.bands}",
            remedy=f"its own front end is {net.front_end}",
        )
    if settings.embedding is not None and settings.embedding not in net.embeddings:
        lengths = " or ".join(map(str, net.embeddings))
        raise InputError(
            f"{where}.model.embedding", expected=f"{lengths} for {settings.name}", found=f"{settings.embedding}"
        )
    return net


def build_net(settings: Net, patches: Patches, file: WeightsFile, where: str) -> Any:
    """Build a net and load its weights.

    Parameters
    ----------
    settings
        Which net.
    patches
        Shape of what it is to take.
    file
        Its weights.
    where
        How errors name the branch.

    Returns
    -------
    keras.Model
        Of input shape (1, frames, bands) and output shape (1, length of the embedding).

    Raises
    ------
    InputError
        When the patches or the weights do not belong to the net.
    """
    net = check_patches(settings, patches, where)
    if file.format not in net.namings:
        known = " or ".join(_FORMATS[name] for name in net.namings)
        raise InputError(file.where, expected=f"weights of {settings.name} from {known}", found=_FORMATS[file.format])
    model = net.build(import_keras(0), Options(patches, settings.embedding or net.embeddings[0], file.format))
    load(model, file, net.namings[file.format])
    return model


def require_fit(name: NetName, file: WeightsFile) -> None:
    """Refuse weights that are not of this net: an InputError says what is missing, left over or of another shape."""
    net = NETS[name]
    build_net(Net(name=name), Patches(net.frames or net.least_frames, net.bands), file, name)


def build_untrained(settings: Net, patches: Patches, where: str, *, seed: int) -> Any:
    """Build a net whose weights are random, by `seed`; else as `build_net`."""
    net = check_patches(settings, patches, where)
    options = Options(patches, settings.embedding or net.embeddings[0], next(iter(net.namings)))
    return net.build(import_keras(seed), options)


_FORMATS: dict[Format, str] = {"keras": "Keras", "torch": "PyTorch", "tensorflow": "a TensorFlow checkpoint"}
