"""The published front ends, each as settings of the general ones.

Each entry names the release or paper it was read from, and is tested against that definition. All are computed in
double precision: whoever asks for a publication's front end wants its numbers.
"""

from __future__ import annotations

import msgspec

from edge_asd.errors import InputError
from edge_asd.recipe.front_ends import (
    Decibel,
    FrontEnd,
    Image,
    Logarithm,
    LogMel,
    LogSpectrogram,
    Preset,
    PresetName,
    Rms,
    Waveform,
)

_OPENL3_DECIBEL = Decibel(amin=1e-10, ref="max", top_db=80.0)

_OPENL3_V04 = LogMel(  # openl3 0.4.2 with kapre 0.3.5: `get_melspectrogram_layer(pad_end=True)`
    sample_rate=48000,
    segment_length=48000,
    n_fft=2048,
    hop_length=242,
    padding="end",
    power=1,
    log=_OPENL3_DECIBEL,
    precision="double",
)

_OPENL3_V03 = LogMel(  # openl3 0.3.1 with kapre 0.1.4: `Melspectrogram(htk=True, power_melgram=1.0, padding='same')`
    sample_rate=48000,
    segment_length=48000,
    n_fft=2048,
    hop_length=242,
    padding="same",
    htk=True,
    sqrt=True,
    empty_bands=True,
    log=_OPENL3_DECIBEL,
    precision="double",
)

_VGGISH = LogMel(  # tensorflow/models, research/audioset/vggish: `mel_features.log_mel_spectrogram`
    sample_rate=16000,
    n_fft=512,
    win_length=400,
    hop_length=160,
    zero_pad="end",
    power=1,
    n_mels=64,
    fmin=125.0,
    fmax=7500.0,
    htk=True,
    norm=None,
    slopes="mel",
    log=Logarithm(offset=0.01),
    precision="double",
)

_IAEO3 = LogMel(n_fft=1024, hop_length=512, n_mels=128, precision="double")  # Grollmisch et al., IAEO3

PRESETS: dict[PresetName, LogMel | LogSpectrogram | Rms | Image] = {
    "openl3-v0.4-mel128": msgspec.structs.replace(_OPENL3_V04, n_mels=128),
    "openl3-v0.4-mel256": msgspec.structs.replace(_OPENL3_V04, n_mels=256),
    "openl3-v0.3-mel128": msgspec.structs.replace(_OPENL3_V03, n_mels=128),
    "openl3-v0.3-mel256": msgspec.structs.replace(_OPENL3_V03, n_mels=256),
    "openl3-linear": LogSpectrogram(  # openl3 0.4.2: `get_stft_magnitude_layer`, the same as 0.3's `Spectrogram`
        sample_rate=48000,
        segment_length=48000,
        n_fft=512,
        hop_length=242,
        power=1,
        log=_OPENL3_DECIBEL,
        precision="double",
    ),
    "edgel3": msgspec.structs.replace(  # EdgeL3's released UST net: the kapre layers in the file itself
        _OPENL3_V03, sample_rate=8000, segment_length=8000, n_fft=1024, hop_length=160, n_mels=64
    ),
    "vggish": _VGGISH,
    "yamnet": msgspec.structs.replace(  # tensorflow/models, research/audioset/yamnet: `features.py`
        _VGGISH, log=Logarithm(offset=0.001)
    ),
    "musicnn": LogMel(  # musicnn 0.1: `extractor.batch_data`, with librosa before 0.10, which mirrored the ends
        sample_rate=16000,
        segment_length=16000,
        n_fft=512,
        hop_length=256,
        center=True,
        pad_mode="reflect",
        n_mels=96,
        log=Logarithm(base="10", scale=10000.0, offset=1.0, float16=True),
        precision="double",
    ),
    "panns": LogMel(  # audioset_tagging_cnn with torchlibrosa: ResNet38 at 32 kHz, a clip of ten seconds
        sample_rate=32000,
        segment_length=320000,
        n_fft=1024,
        hop_length=320,
        center=True,
        pad_mode="reflect",
        n_mels=64,
        fmin=50.0,
        fmax=14000.0,
        precision="double",
    ),
    "image-transfer": Image(  # Müller et al., image transfer learning
        mel=LogMel(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=64, precision="double")
    ),
    "iaeo3": _IAEO3,
    "iaeo3-conveyor": msgspec.structs.replace(_IAEO3, n_fft=512, hop_length=256),
    "iaeo3-fan": msgspec.structs.replace(_IAEO3, sample_rate=4000, n_mels=256),
    "iaeo3-pump": msgspec.structs.replace(_IAEO3, n_fft=2048, hop_length=1024),
}
"""Settings of each preset."""


def resolve(settings: FrontEnd) -> LogMel | LogSpectrogram | Rms | Waveform | Image:
    """Spell out a preset; other settings are returned as they are.

    Raises
    ------
    InputError
        When a preset is given a segment length that it has no use for, or cannot use.
    """
    if not isinstance(settings, Preset):
        return settings
    spelt_out = PRESETS[settings.name]
    if settings.segment_length is None:
        return spelt_out
    if not isinstance(spelt_out, LogMel | LogSpectrogram) or spelt_out.segment_length is None:
        raise InputError(
            "front_end.segment_length",
            expected=f"none, since {settings.name} works on a stream",
            found=str(settings.segment_length),
        )
    try:
        return msgspec.structs.replace(spelt_out, segment_length=settings.segment_length)
    except ValueError as error:
        raise InputError(
            "front_end.segment_length",
            expected=f"a length that {settings.name} can work on",
            found=str(settings.segment_length),
            remedy=str(error),
        ) from None
