"""Settings of front ends: samples → frames of features.

One general log-mel spectrogram, of which every published front end is a preset, and the few things that are not one.
Options are named as librosa 0.11 names them. In YAML::

    front_end: {kind: log-mel, n_fft: 1024, hop_length: 512, n_mels: 128}
    front_end: {kind: preset, name: openl3-v0.4-mel256}

Where a stretch of sound is padded, or a rule needs all of its frames (`ref: max`, `top_db`), the front end takes whole
segments of `segment_length` samples; otherwise it takes a stream.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_asd.settings import NonNegativeFloat, PositiveFloat, PositiveInt, Settings

FftLength = Annotated[int, Meta(ge=16, le=65536)]
Bands = Annotated[int, Meta(ge=1, le=4096)]
SegmentLength = Annotated[int, Meta(ge=1, le=10_000_000)]
FrameLength = Annotated[int, Meta(ge=1, le=1_000_000)]
Rgb = tuple[float, float, float]

_SINGLE = (1.2e-38, 3.4e38)
"""Numbers that single precision holds with all their digits; some processors take smaller ones for 0."""
_HALF = (6e-8, 65504.0)
"""Numbers above 0 that half precision holds."""


class Decibel(Settings, tag_field="kind", tag="db"):
    """10·log10(max(x, amin)) - 10·log10(max(ref, amin)): librosa's `power_to_db`, whatever the power of x."""

    amin: PositiveFloat = 1e-10
    """What is smaller counts as this."""
    ref: PositiveFloat | Literal["max"] = 1.0
    """What counts as 0 dB; `max` is the largest value of the segment."""
    top_db: PositiveFloat | None = None
    """Decibels below the segment's largest value at which values are clipped; not clipped where left out."""

    def __post_init__(self) -> None:
        _check_holds("amin", self.amin, _SINGLE)

    @property
    def needs_segment(self) -> bool:
        """Whether all frames of a segment must be known."""
        return self.ref == "max" or self.top_db is not None


class Logarithm(Settings, tag_field="kind", tag="log"):
    """log(scale·x + offset)."""

    base: Literal["e", "10"] = "e"
    """Base of the logarithm."""
    scale: PositiveFloat = 1.0
    """Factor before the logarithm."""
    offset: PositiveFloat = 1e-6
    """Added before the logarithm, so that silence stays finite."""
    float16: bool = False
    """Whether x is rounded to half precision and the rest computed in it, as musicnn does."""

    def __post_init__(self) -> None:
        for name, value in (("scale", self.scale), ("offset", self.offset)):
            _check_holds(name, value, _HALF if self.float16 else _SINGLE)

    @property
    def needs_segment(self) -> bool:
        """Whether all frames of a segment must be known: never."""
        return False


def _check_holds(name: str, value: float, limits: tuple[float, float]) -> None:
    least, largest = limits
    if not least <= value <= largest:
        kind = "half" if limits is _HALF else "single"
        raise ValueError(f"{name} should be {least:g} to {largest:g}, what {kind} precision holds, got {value:g}")


Log = Decibel | Logarithm


class _Spectrogram(Settings):
    """What all spectrograms share."""

    n_fft: FftLength = 1024
    """Length of the Fourier transform, in samples."""
    win_length: FftLength | None = None
    """Length of the window, in samples; `n_fft` where left out."""
    hop_length: PositiveInt = 512
    """Samples from one frame to the next."""
    window: Literal["hann", "hamming", "boxcar"] = "hann"
    """Shape of the window, periodic."""
    zero_pad: Literal["both", "end"] = "both"
    """Where zeros stand when the window is shorter than `n_fft`. `both`: the window lies in the middle, and a frame
    spans n_fft samples (librosa, torch). `end`: a frame spans win_length samples (TensorFlow, Kaldi)."""
    power: Literal[1, 2] = 2
    """1 for the magnitude |X|, 2 for the power |X|²."""
    center: bool = False
    """Whether frame k is centred on sample k·hop_length, the segment being padded by half a frame on both sides."""
    pad_mode: Literal["constant", "reflect"] = "constant"
    """What a centred segment is padded with: zeros, or itself mirrored."""
    padding: Literal["valid", "same", "end"] = "valid"
    """`same` and `end` add zeros until every hop_length-th sample starts a frame: split left and right as Keras does,
    or all at the end as `tf.signal.stft(pad_end=True)` does."""
    log: Decibel | Logarithm | None = msgspec.field(default_factory=Decibel)
    """The logarithm; `null` for none."""
    segment_length: SegmentLength | None = None
    """Samples of a segment, for whatever needs whole segments; left out, the front end takes a stream."""
    sample_rate: PositiveInt | None = None
    """The only sampling rate that this front end is meant for, in hertz; any where left out."""
    precision: Literal["single", "double"] = "single"
    """Precision of the Fourier transform. Within 60 dB of a frame's strongest band, `single` differs from exact
    arithmetic by less than 1e-4 dB in machine sound and noise, and by up to 1e-3 dB in pure sweeps and where the
    spectrum falls steeply; `double` by less than 1e-5 dB, and takes a quarter more time."""

    def __post_init__(self) -> None:
        if self.window_length > self.n_fft:
            raise ValueError(f"win_length should be at most n_fft = {self.n_fft}, got {self.window_length}")
        if self.hop_length > self.window_length:
            raise ValueError(
                f"hop_length should be at most the window's {self.window_length} samples, got {self.hop_length}: "
                "sound between the frames would be lost"
            )
        if self.center and self.padding != "valid":
            raise ValueError(f"center pads already: give padding 'valid' beside it, got {self.padding!r}")
        self._check_segment()

    def _check_segment(self) -> None:
        if self.segment_length is None:
            needs = self.center or self.padding != "valid" or (self.log is not None and self.log.needs_segment)
            if needs:
                raise ValueError("center, padding, ref: max and top_db work on whole segments: give segment_length")
        elif self.padding == "valid" and not self.center and self.segment_length < self.frame_length:
            raise ValueError(
                f"segment_length should be at least a frame's {self.frame_length} samples, got {self.segment_length}"
            )
        elif self.center and self.pad_mode == "reflect" and self.segment_length <= self.frame_length // 2:
            raise ValueError(
                f"segment_length should exceed half a frame, {self.frame_length // 2} samples, to be mirrored, "
                f"got {self.segment_length}"
            )

    @property
    def window_length(self) -> int:
        """Samples under the window."""
        return self.n_fft if self.win_length is None else self.win_length

    @property
    def frame_length(self) -> int:
        """Samples that a frame spans."""
        return self.n_fft if self.zero_pad == "both" else self.window_length


class LogMel(_Spectrogram, tag_field="kind", tag="log-mel"):
    """Log-mel spectrogram."""

    n_mels: Bands = 128
    """Number of mel bands."""
    fmin: NonNegativeFloat = 0.0
    """Lower edge of the first band, in hertz."""
    fmax: PositiveFloat | None = None
    """Upper edge of the last band, in hertz; half the sampling rate where left out."""
    htk: bool = False
    """Whether the mel scale is HTK's, 2595·log10(1 + f/700), instead of Slaney's."""
    norm: Literal["slaney"] | None = "slaney"
    """`slaney` gives every band the same area; `null` the same height, 1."""
    slopes: Literal["hertz", "mel"] = "hertz"
    """Whether the triangles' sides are straight over hertz (librosa) or over mel (TensorFlow, VGGish, Kaldi)."""
    empty_bands: bool = False
    """Whether a band may hold no bin of the transform at all; its feature is then constant."""
    sqrt: bool = False
    """Whether the root of each band is taken before the logarithm, as kapre 0.1 did for `power_melgram=1`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fmax is not None and self.fmin >= self.fmax:
            raise ValueError(f"fmin should be below fmax = {self.fmax:g} Hz, got {self.fmin:g}")


class LogSpectrogram(_Spectrogram, tag_field="kind", tag="log-spectrogram"):
    """Log spectrogram with all n_fft/2 + 1 bins of the transform."""


class Rms(Settings, tag_field="kind", tag="rms"):
    """Level of each frame: 10·log10(max(mean of the squared samples, amin)), in dB re full scale."""

    frame_length: FrameLength = 1024
    """Samples of a frame."""
    hop_length: PositiveInt = 512
    """Samples from one frame to the next."""
    amin: PositiveFloat = 1e-10
    """Mean squares smaller than this count as this."""
    without_offset: bool = False
    """Take each frame about its own mean: what a converter adds to every sample is no sound."""

    def __post_init__(self) -> None:
        if self.hop_length > self.frame_length:
            raise ValueError(
                f"hop_length should be at most frame_length = {self.frame_length}, got {self.hop_length}: "
                "sound between the frames would be lost"
            )


class Waveform(Settings, tag_field="kind", tag="waveform"):
    """The samples of each frame themselves, for a net that works out its own spectrogram."""

    frame_length: FrameLength = 16000
    """Samples of a frame."""
    hop_length: PositiveInt = 8000
    """Samples from one frame to the next."""
    sample_rate: PositiveInt | None = None
    """The only sampling rate that the net is meant for, in hertz; any where left out."""

    def __post_init__(self) -> None:
        if self.hop_length > self.frame_length:
            raise ValueError(
                f"hop_length should be at most frame_length = {self.frame_length}, got {self.hop_length}: "
                "sound between the frames would be lost"
            )


class Image(Settings, tag_field="kind", tag="image"):
    """Patches of a log-mel spectrogram as pictures, for nets trained on ImageNet.

    The front end of Müller et al., Acoustic Anomaly Detection for Machine Sounds based on Image Transfer Learning. What
    the paper leaves open is a setting here: `top_db`, `limits` and `low_frequencies`.
    """

    mel: LogMel = msgspec.field(default_factory=lambda: LogMel(n_fft=1024, hop_length=256, n_mels=64))
    """The spectrogram, a stream."""
    frames: Annotated[int, Meta(ge=1, le=2048)] = 64
    """Frames of a patch."""
    size: Annotated[int, Meta(ge=1, le=2048)] = 224
    """Height and width of the picture; patches are enlarged bilinearly (half-pixel centres, no antialiasing)."""
    top_db: PositiveFloat | None = 80.0
    """Decibels below the patch's largest value at which values are clipped; not clipped where left out."""
    limits: tuple[float, float] | None = None
    """Values that become the two ends of the colour map; the patch's own smallest and largest where left out."""
    low_frequencies: Literal["top", "bottom"] = "top"
    """Edge of the picture at which the first mel band lies."""
    mean: Rgb = (0.485, 0.456, 0.406)
    """Subtracted from red, green and blue; ImageNet's mean where left out."""
    std: Rgb = (0.229, 0.224, 0.225)
    """Red, green and blue are divided by these; ImageNet's standard deviation where left out."""

    def __post_init__(self) -> None:
        if self.mel.segment_length is not None:
            raise ValueError("mel should be a stream: leave out its segment_length")
        if self.size < max(self.frames, self.mel.n_mels):
            raise ValueError(
                f"size should be at least the patch's {max(self.frames, self.mel.n_mels)} pixels, got {self.size}: "
                "patches are only enlarged"
            )
        if self.limits is not None and self.limits[0] >= self.limits[1]:
            raise ValueError(f"limits should rise, got {self.limits[0]:g} and {self.limits[1]:g}")
        if min(self.std) <= 0:
            raise ValueError(f"std should be above 0, got {min(self.std):g}")
        for mean, std in zip(self.mean, self.std, strict=True):
            if not max(abs(mean), abs(1.0 - mean)) / std <= _SINGLE[1]:
                raise ValueError(f"(1 - mean) / std should be at most {_SINGLE[1]:g}, got mean {mean:g}, std {std:g}")


PresetName = Literal[
    "openl3-v0.4-mel128",
    "openl3-v0.4-mel256",
    "openl3-v0.3-mel128",
    "openl3-v0.3-mel256",
    "openl3-linear",
    "edgel3",
    "vggish",
    "yamnet",
    "musicnn",
    "panns",
    "image-transfer",
    "iaeo3",
    "iaeo3-conveyor",
    "iaeo3-fan",
    "iaeo3-pump",
]


class Preset(Settings, tag_field="kind", tag="preset"):
    """A published front end, by name."""

    name: PresetName
    """Which one; `edge_asd.features.presets` says what each is."""
    segment_length: SegmentLength | None = None
    """Samples of a segment, for a front end that takes segments; its publication's where left out."""


FrontEnd = LogMel | LogSpectrogram | Rms | Waveform | Image | Preset
"""Every front end."""
