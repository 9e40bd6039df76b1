"""Raw samples: the values libsndfile reads from the same bytes, however they are cut."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edge_asd.audio import SAMPLE_FORMATS, PcmDecoder, SampleFormat, from_int16, to_int16

SUBTYPES = {"s16le": "PCM_16", "s24le": "PCM_24", "s32le": "PCM_32", "f32le": "FLOAT"}


@pytest.mark.parametrize("form", SAMPLE_FORMATS)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_values_are_those_of_libsndfile(form: SampleFormat, channels: int) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (500, channels))
    samples[:2] = [[-1.0] * channels, [0.0] * channels]
    raw = io.BytesIO()
    soundfile.write(raw, samples, 16_000, format="RAW", subtype=SUBTYPES[form], endian="LITTLE")
    expected, _ = soundfile.read(
        io.BytesIO(raw.getvalue()), format="RAW", subtype=SUBTYPES[form], endian="LITTLE", samplerate=16_000,
        channels=channels, dtype="float32", always_2d=True,
    )  # fmt: skip
    decoded = PcmDecoder(form, channels).process(raw.getvalue())
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, expected)


@given(
    form=st.sampled_from(SAMPLE_FORMATS[:3]),
    channels=st.integers(1, 3),
    data=st.binary(max_size=200),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_bytes_may_be_cut_anywhere(form: SampleFormat, channels: int, data: bytes, cuts: list[int]) -> None:
    whole = PcmDecoder(form, channels)
    expected = whole.process(data)
    pieces = PcmDecoder(form, channels)
    places = [0, *sorted(cuts), len(data)]
    got = [pieces.process(data[begin:end]) for begin, end in itertools.pairwise(places) if begin <= end]
    np.testing.assert_array_equal(np.concatenate(got), expected)
    assert pieces.pending == whole.pending == len(data) % whole.frame_bytes


def test_integers_are_clipped_not_wrapped_and_come_back_exactly() -> None:
    samples = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0], np.float32)
    assert to_int16(samples).tolist() == [-32768, -32768, 0, 16384, 32767, 32767]
    every = np.arange(-32768, 32768, dtype=np.int16)
    np.testing.assert_array_equal(to_int16(from_int16(every)), every)
