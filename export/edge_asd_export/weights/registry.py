"""Where the published weights are, what they must hash to, and under which licence they come.

A checksum is what the publisher gives: git's blob id, or the beginning of a SHA-256 that PyTorch puts into the name; or
the SHA-256 of a file that was checked here against its own graph. Where none is known, only the net's own names and
shapes say whether a file is the right one.
"""

from __future__ import annotations

from typing import NamedTuple

from edge_asd.configuration import did_you_mean
from edge_asd.errors import InputError


class Source(NamedTuple):
    """A file of published weights."""

    name: str
    """What a recipe and the command line call it."""
    url: str
    """Official location."""
    checksum: str
    """`git:`, `sha256:` or `md5:` and hexadecimal digits, the first ones at least; empty where none is known."""
    megabytes: float
    """Size, roughly."""
    licence: str
    """Licence of the weights."""
    nets: tuple[str, ...]
    """Nets that they belong to."""

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2].replace("%3D", "=")


def _openl3(spectrogram: str, content: str, blob: str) -> Source:
    file = f"openl3_audio_{spectrogram}_{content}-v0_4_0.h5.gz"
    url = f"https://github.com/marl/openl3/raw/models/{file}"
    net = f"openl3-{spectrogram}"
    return Source(f"{net}-{content}", url, f"git:{blob}", 17.0, "CC-BY-4.0", (net,))


def _torchvision(net: str, file: str, megabytes: float) -> Source:
    beginning = file.rpartition("-")[2].removesuffix(".pth")
    url = f"https://download.pytorch.org/models/{file}"
    return Source(net, url, f"sha256:{beginning}", megabytes, "BSD-3-Clause", (net,))


_SOURCES = (
    _openl3("mel128", "env", "8c3dfee140f7776373841e5938a3e76c54f28942"),
    _openl3("mel128", "music", "73ff29de441865318c4b3a3f98c40763c4773e7c"),
    _openl3("mel256", "env", "34dbd7a91cdd2de6a3d6d036ac0a24d27d78e3cc"),
    _openl3("mel256", "music", "15e483646fa3d4091a463f0affbb706e6bbbb098"),
    _openl3("linear", "env", "7837407f033f3564c7e8d53fc4a4241fe160478b"),
    _openl3("linear", "music", "4e2e61beb17865481c8b8791c72eac8307e2753a"),
    Source(
        "edgel3-ust-64",
        "https://github.com/ksangeeta2429/edgel3/raw/models/edgel3_sea_ust_audio_emb_64.h5.gz",
        "sha256:d1cf0ce5640e93f07b3eef950f0694c40f3be33d8d7241deaea7f71e2f929a7f",
        3.9,
        "MIT",
        ("edgel3",),
    ),
    Source("vggish", "https://storage.googleapis.com/audioset/vggish_model.ckpt", "", 289.0, "Apache-2.0", ("vggish",)),
    Source("yamnet", "https://storage.googleapis.com/audioset/yamnet.h5", "", 15.3, "Apache-2.0", ("yamnet",)),
    Source(
        "musicnn-mtt",
        "https://github.com/Quint-e/musicnn_keras/raw/master/musicnn_keras/keras_checkpoints/MTT_musicnn.h5",
        "sha256:1a66a2e58e862e894c088bd7789b05874becf994f275c54d9575dab83fab4ebe",
        3.3,
        "ISC",
        ("musicnn",),
    ),
    Source(
        "panns-resnet38",
        "https://zenodo.org/record/3987831/files/ResNet38_mAP%3D0.434.pth",
        "",
        296.0,
        "CC-BY-4.0",
        ("panns-resnet38",),
    ),
    _torchvision("resnet18", "resnet18-f37072fd.pth", 46.8),
    _torchvision("resnet34", "resnet34-b627a593.pth", 87.3),
    _torchvision("densenet121", "densenet121-a639ec97.pth", 32.3),
    _torchvision("alexnet", "alexnet-owt-7be5be79.pth", 244.4),
    _torchvision("squeezenet-1.0", "squeezenet1_0-b66bff10.pth", 5.0),
    _torchvision("squeezenet-1.1", "squeezenet1_1-b8a52dc0.pth", 5.0),
    Source(
        "squeezenet-1.1-caffe",
        "https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/"
        "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "sha256:2d935d8c102ad1232484a77da8e6fbdf3ff4ab608974a0d8b6283115ffff204f",
        3.0,
        "MIT",
        ("squeezenet-1.1",),
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _SOURCES}
"""All published weights by name."""


def find_source(name: str) -> Source:
    """Return the published weights of this name.

    Raises
    ------
    InputError
        When there are none.
    """
    if name not in SOURCES:
        raise InputError(
            "weights",
            expected=f"one of {', '.join(SOURCES)}",
            found=repr(name),
            remedy=did_you_mean(name, SOURCES),
        )
    return SOURCES[name]
