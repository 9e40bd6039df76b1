"""Settings that cannot be: refused at once, in words that say what would do."""

from __future__ import annotations

import math
from typing import Any, get_args

import msgspec
import numpy as np
import pytest

from edge_asd.errors import InputError
from edge_asd.features import PRESETS, SegmentFrontEnd, StreamFrontEnd, build_front_end
from edge_asd.recipe.front_ends import FrontEnd, LogMel, Preset, PresetName

UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "hop beyond the window": ({"kind": "log-mel", "n_fft": 512, "hop_length": 513}, "hop_length should be at most"),
    "window beyond the transform": ({"kind": "log-mel", "n_fft": 512, "win_length": 600}, "win_length should be at"),
    "edges": ({"kind": "log-mel", "fmin": 900, "fmax": 800}, "fmin should be below fmax = 800 Hz, got 900"),
    "centre without segment": ({"kind": "log-mel", "center": True}, "give segment_length"),
    "padding without segment": ({"kind": "log-spectrogram", "padding": "same"}, "give segment_length"),
    "top_db without segment": ({"kind": "log-mel", "log": {"kind": "db", "top_db": 80}}, "give segment_length"),
    "maximum without segment": ({"kind": "log-mel", "log": {"kind": "db", "ref": "max"}}, "give segment_length"),
    "two paddings": (
        {"kind": "log-mel", "center": True, "padding": "end", "segment_length": 9000},
        "center pads already",
    ),
    "segment shorter than a frame": ({"kind": "log-mel", "segment_length": 1000}, "at least a frame's 1024 samples"),
    "segment too short to mirror": (
        {"kind": "log-mel", "center": True, "pad_mode": "reflect", "segment_length": 512},
        "should exceed half a frame, 512 samples",
    ),
    "unknown key": ({"kind": "log-mel", "nmels": 12}, "unknown field `nmels`"),
    "unknown kind": ({"kind": "mfcc"}, "Invalid value 'mfcc'"),
    "unknown preset": ({"kind": "preset", "name": "openl4"}, "Invalid enum value 'openl4'"),
    "no bands": ({"kind": "log-mel", "n_mels": 0}, ">= 1"),
    "power": ({"kind": "log-mel", "power": 3}, "Invalid enum value 3"),
    "rms hop": ({"kind": "rms", "frame_length": 10, "hop_length": 11}, "hop_length should be at most frame_length"),
    "small picture": ({"kind": "image", "size": 32}, "at least the patch's 64 pixels, got 32"),
    "falling limits": ({"kind": "image", "limits": [0, -80]}, "limits should rise, got 0 and -80"),
    "no spread": ({"kind": "image", "std": [1, 0, 1]}, "std should be above 0"),
    "no spread to speak of": (
        {"kind": "image", "std": [1, 1e-50, 1]},
        "(1 - mean) / std should be at most 3.4e+38, got mean 0.456, std 1e-50",
    ),
    "amin that is 0 in single precision": (
        {"kind": "log-mel", "log": {"kind": "db", "amin": 1e-50}},
        "amin should be 1.2e-38 to 3.4e+38, what single precision holds, got 1e-50",
    ),
    "endless amin": ({"kind": "log-mel", "log": {"kind": "db", "amin": 1e39}}, "amin should be"),
    "offset that is 0 in single precision": (
        {"kind": "log-mel", "log": {"kind": "log", "offset": 1e-50}},
        "offset should be 1.2e-38 to",
    ),
    "endless scale": ({"kind": "log-mel", "log": {"kind": "log", "scale": math.inf}}, "got inf - at `$.log`"),
    "offset that is 0 in half precision": (
        {"kind": "log-mel", "log": {"kind": "log", "float16": True, "offset": 1e-9}},
        "offset should be 6e-08 to 65504, what half precision holds, got 1e-09 - at `$.log`",
    ),
    "scale beyond half precision": (
        {"kind": "log-mel", "log": {"kind": "log", "float16": True, "scale": 1e5}},
        "scale should be 6e-08 to 65504, what half precision holds, got 100000 - at `$.log`",
    ),
    "segmented picture": ({"kind": "image", "mel": {"kind": "log-mel", "segment_length": 9000}}, "should be a stream"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_settings_that_no_sampling_rate_could_save(name: str) -> None:
    settings, message = UNREADABLE[name]
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(settings, FrontEnd)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "rate", "message"),
    [
        (
            LogMel(fmax=9000.0),
            16000,
            (
                "front_end.fmax: expected more than fmin, 0 Hz, and at most half of sample_rate, 8000 Hz, found "
                "9000 Hz; lower fmax (or fmin), or raise sample_rate"
            ),
        ),
        (LogMel(fmin=8000.0), 16000, "front_end.fmax: expected more than fmin, 8000 Hz"),
        (
            LogMel(n_fft=512, n_mels=256, hop_length=256),
            16000,
            (
                "front_end.n_mels: expected so few bands that each takes in one of the bins, 31.25 Hz apart, found 256 "
                "bands, of which 24 take in none; lower n_mels, raise n_fft or fmin, or set empty_bands: true"
            ),
        ),
        (
            Preset(name="vggish"),
            22050,
            (
                "sample_rate: expected 16000 Hz, for which this front end is made, found 22050 Hz; "
                "give the recipe sample_rate: 16000"
            ),
        ),
        (
            Preset(name="yamnet", segment_length=16000),
            16000,
            "front_end.segment_length: expected none, since yamnet works on a stream, found 16000",
        ),
        (
            Preset(name="panns", segment_length=300),
            32000,
            (
                "front_end.segment_length: expected a length that panns can work on, found 300; segment_length should "
                "exceed half a frame"
            ),
        ),
    ],
)
def test_settings_that_do_not_fit_the_sound(settings: FrontEnd, rate: int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        build_front_end(settings, rate)
    assert str(caught.value).startswith(message)


def test_empty_bands_can_be_allowed() -> None:
    settings = LogMel(n_fft=512, n_mels=256, hop_length=256, empty_bands=True)
    front_end = build_front_end(settings, 16000)
    assert isinstance(front_end, StreamFrontEnd)
    features = front_end.process(np.ones((1, 512), np.float32) * np.hanning(512).astype(np.float32))
    assert features.min() == pytest.approx(-100.0, abs=2e-5)


def test_the_list_of_presets_is_complete() -> None:
    assert tuple(PRESETS) == get_args(PresetName)


@pytest.mark.parametrize("name", PRESETS)
def test_sizes_of_presets(name: PresetName) -> None:
    sizes = {
        "openl3-v0.4-mel128": (48000, 199, 128),
        "openl3-v0.4-mel256": (48000, 199, 256),
        "openl3-v0.3-mel128": (48000, 199, 128),
        "openl3-v0.3-mel256": (48000, 199, 256),
        "openl3-linear": (48000, 197, 257),
        "edgel3": (8000, 50, 64),
        "vggish": (400, 160, 64),
        "yamnet": (400, 160, 64),
        "musicnn": (16000, 63, 96),
        "panns": (320000, 1001, 64),
        "image-transfer": (17152, 224, 672),
        "iaeo3": (1024, 512, 128),
        "iaeo3-conveyor": (512, 256, 128),
        "iaeo3-fan": (1024, 512, 256),
        "iaeo3-pump": (2048, 1024, 128),
    }
    front_end = build_front_end(Preset(name=name), getattr(PRESETS[name], "sample_rate", None) or 16000)
    if isinstance(front_end, SegmentFrontEnd):
        assert (front_end.segment_length, front_end.n_frames, front_end.n_features) == sizes[name]
    else:
        assert (front_end.frame_length, front_end.hop_length, front_end.n_features) == sizes[name]


def test_sound_of_the_wrong_shape_is_refused() -> None:
    stream, segment = build_front_end(LogMel(), 16000), build_front_end(Preset(name="musicnn"), 16000)
    picture = build_front_end(Preset(name="image-transfer"), 16000)
    with pytest.raises(ValueError, match="1024 samples, got 1000"):
        stream.process(np.zeros((2, 1000), np.float32))
    with pytest.raises(ValueError, match=r"\(16000,\), got \(15999,\)"):
        segment.process(np.zeros(15999, np.float32))
    with pytest.raises(ValueError, match=r"\(17152,\), got \(1,\)"):
        picture.process(np.zeros(1, np.float32))


def test_features_cannot_be_written_to() -> None:
    stream, segment = build_front_end(LogMel(), 16000), build_front_end(Preset(name="musicnn"), 16000)
    assert not stream.process(np.zeros((2, 1024), np.float32)).flags.writeable
    assert not segment.process(np.zeros(16000, np.float32)).flags.writeable
