"""Reading recordings: every depth, rate and channel count, and one clear line for whatever is none."""

from __future__ import annotations

import logging
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_asd.audio import cut_blocks, output_length, probe_recording, read_blocks, read_recording
from edge_asd.errors import InputError

RATE = 16_000


def tone(seconds: float = 0.5, rate: int = RATE, channels: int = 1) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return np.stack([0.8 / (k + 1) * np.sin(2 * np.pi * 440 * (k + 1) * times) for k in range(channels)], axis=1)


def written(path: Path, samples: np.ndarray, rate: int = RATE, **how: str) -> Path:
    soundfile.write(path, samples, rate, **how)
    return path


@pytest.mark.parametrize(
    ("form", "subtype", "step"),
    [
        ("WAV", "PCM_U8", 2**-7),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-23),
        ("WAV", "PCM_32", 2**-24),
        ("WAV", "FLOAT", 2**-24),
        ("WAV", "DOUBLE", 2**-24),
        ("WAVEX", "PCM_16", 2**-15),
        ("WAVEX", "PCM_24", 2**-23),
        ("RF64", "PCM_16", 2**-15),
        ("FLAC", "PCM_16", 2**-15),
        ("FLAC", "PCM_24", 2**-23),
        ("AIFF", "PCM_16", 2**-15),
        ("CAF", "PCM_24", 2**-23),
    ],
)
def test_every_depth_keeps_the_level(tmp_path: Path, form: str, subtype: str, step: float) -> None:
    samples = tone()
    recording = read_recording(written(tmp_path / "a.wav", samples, format=form, subtype=subtype))
    assert recording.samples.dtype == np.float32
    assert (recording.sample_rate, recording.native_rate, recording.channels) == (RATE, RATE, 1)
    assert recording.seconds == 0.5
    np.testing.assert_allclose(recording.samples, samples[:, 0], rtol=0, atol=step)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_full_scale_is_one_for_every_integer_depth(tmp_path: Path, bits: int) -> None:
    lowest, half = -(2 ** (bits - 1)), 2 ** (bits - 2)
    values = [lowest, 0, half]
    if bits == 8:
        data = bytes(value + 128 for value in values)
    else:
        data = b"".join(value.to_bytes(bits // 8, "little", signed=True) for value in values)
    assert read_recording(wav(tmp_path / "a.wav", data, bits=bits)).samples.tolist() == [-1.0, 0.0, 0.5]


@pytest.mark.parametrize(("form", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_forms_are_read(tmp_path: Path, form: str, subtype: str) -> None:
    samples = tone(1.0)
    recording = read_recording(written(tmp_path / "a.ogg", samples, format=form, subtype=subtype))
    middle = slice(4000, 12000)
    assert np.corrcoef(recording.samples[middle], samples[middle, 0])[0, 1] > 0.99


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_channels_are_chosen_and_mixed(tmp_path: Path, channels: int) -> None:
    samples = tone(channels=channels)
    path = written(tmp_path / "a.wav", samples, subtype="DOUBLE")
    for channel in range(channels):
        np.testing.assert_array_equal(
            read_recording(path, channel=channel).samples, samples[:, channel].astype(np.float32)
        )
    np.testing.assert_allclose(read_recording(path, channel="mix").samples, samples.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_any_rate_is_resampled(tmp_path: Path, rate: int) -> None:
    samples = tone(0.5, rate).astype(np.float32)
    path = written(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    recording = read_recording(path, sample_rate=RATE)
    assert (recording.sample_rate, recording.native_rate) == (RATE, rate)
    assert len(recording.samples) == output_length(len(samples), rate, RATE)
    np.testing.assert_allclose(
        recording.samples, soxr.resample(samples[:, 0], rate, RATE, quality="VHQ"), rtol=0, atol=1e-6
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.integers(1, 9000), channel=st.sampled_from([0, 1, 2, "mix"]), rate=st.sampled_from([RATE, 12_345]))
def test_the_length_of_a_block_changes_no_sample(tmp_path: Path, frames: int, channel: int, rate: int) -> None:
    path = tmp_path / "a.flac"
    if not path.exists():
        noise = np.random.default_rng(0).uniform(-1, 1, (8000, 3))
        written(path, noise, subtype="PCM_24")
    whole = read_recording(path, channel=channel, sample_rate=rate).samples
    blocks = np.concatenate(list(read_blocks(path, channel=channel, sample_rate=rate, frames=frames)))
    np.testing.assert_array_equal(blocks, whole)


def wav(
    path: Path, data: bytes, *, bits: int = 16, channels: int = 1, rate: int = RATE, size: int | None = None
) -> Path:
    width = bits // 8 * channels
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width, width, bits)
    body = head + struct.pack("<4sI", b"data", len(data) if size is None else size) + data
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body)
    return path


def refusal(path: Path, **how: object) -> str:
    with pytest.raises(InputError) as caught:
        read_recording(path, **how)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


def test_a_text_file_named_wav_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("Dear diary, the pump was loud today.\n" * 20)
    assert "expected a recording (WAV, FLAC, Ogg …)" in refusal(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    assert "an empty file" in refusal(path)


def test_a_recording_of_zero_length_is_refused(tmp_path: Path) -> None:
    assert "no samples" in refusal(wav(tmp_path / "a.wav", b""))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    samples = tone()
    samples[4000] = bad
    assert "0.250 s" in refusal(written(tmp_path / "a.wav", samples, subtype="DOUBLE"))


def test_another_channel_may_hold_what_it_likes(tmp_path: Path) -> None:
    samples = tone(channels=2)
    samples[4000, 1] = np.nan
    path = written(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert np.isfinite(read_recording(path, channel=0).samples).all()
    refusal(path, channel=1)
    refusal(path, channel="mix")


@pytest.mark.parametrize("channel", [2, 99, -1])
def test_a_channel_that_is_not_there_is_refused(tmp_path: Path, channel: int) -> None:
    path = written(tmp_path / "a.wav", tone(channels=2))
    assert refusal(path, channel=channel).endswith("found 2 channels; choose another channel, or mix")


def test_a_folder_a_missing_file_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "a folder" in refusal(tmp_path)
    assert "No such file" in refusal(tmp_path / "nowhere.wav")
    assert "no regular file" in refusal(tmp_path / "pipe.wav")
    with pytest.raises(InputError):
        read_recording(Path("a\0b.wav"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_forbidden_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", tone())
    path.chmod(0)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize("rate", [1, 999, 2_000_000])
def test_a_rate_that_no_recording_has_is_refused(tmp_path: Path, rate: int) -> None:
    assert f"found {rate} Hz" in refusal(wav(tmp_path / "a.wav", bytes(200), rate=rate))


def test_a_raw_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(1000))
    refusal(path)


def test_a_wav_that_is_cut_short_is_read_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = wav(tmp_path / "a.wav", bytes(2000), size=8000)
    with caplog.at_level(logging.WARNING):
        assert len(read_recording(path).samples) == 1000
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: cut short: 6000 bytes fewer than its header says; the rest is used"
    ]


@pytest.mark.parametrize("form", ["RF64", "W64"])
def test_a_long_kind_of_wav_that_is_cut_short_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(4000), RATE, format=form, subtype="PCM_16")
    assert (len(read_recording(path).samples), caplog.records) == (4000, [])
    path.write_bytes(path.read_bytes()[:-6000])
    assert len(read_recording(path).samples) == 1000
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: cut short: 6000 bytes fewer than its header says; the rest is used"
    ]


def test_a_long_kind_of_wav_may_lack_gigabytes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(4000), RATE, format="RF64", subtype="PCM_16")
    content = path.read_bytes()
    size = 5 << 30
    # The chunk ds64: its name and length, then the size of the whole and that of the samples.
    path.write_bytes(content[:20] + struct.pack("<QQ", size + len(content) - 8008, size) + content[36:])
    assert len(read_recording(path).samples) == 4000
    assert f"cut short: {size - 8000} bytes fewer" in caplog.text


def test_a_flac_of_unknown_length_is_refused_as_such(tmp_path: Path) -> None:
    path = written(tmp_path / "a.flac", np.random.default_rng(0).uniform(-1, 1, 40_000))
    content = bytearray(path.read_bytes())
    # The number of samples, 36 bits of the block STREAMINFO.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert "expected a recording whose header says how long it is" in refusal(path)


@pytest.mark.parametrize("size", [0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_wav_of_unknown_length_is_read_to_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    assert len(read_recording(wav(tmp_path / "a.wav", bytes(2000), size=size)).samples) == 1000
    assert not caplog.records


def test_a_flac_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.flac", np.random.default_rng(0).uniform(-1, 1, 40_000))
    path.write_bytes(path.read_bytes()[:50_000])
    refusal(path)


def attempt(path: Path) -> tuple[np.ndarray | None, str]:
    try:
        return read_recording(path, sample_rate=RATE).samples, ""
    except InputError as error:
        return None, str(error)


ENCODINGS = [("WAV", "PCM_16"), ("WAVEX", "PCM_24"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("AIFF", "PCM_16")]


@pytest.mark.parametrize(("form", "subtype"), ENCODINGS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_gives_samples_or_one_line(
    tmp_path: Path, form: str, subtype: str, data: st.DataObject
) -> None:
    path = tmp_path / "damaged.wav"
    whole = tmp_path / f"whole-{form}.wav"
    if not whole.exists():
        written(whole, tone(0.1, channels=2), format=form, subtype=subtype)
    content = bytearray(whole.read_bytes())
    del content[data.draw(st.integers(0, len(content)), "length") :]
    if content:
        for place in data.draw(st.lists(st.integers(0, min(len(content), 120) - 1), max_size=4), "places"):
            content[place] ^= data.draw(st.integers(1, 255), "flip")
    path.write_bytes(content)
    samples, said = attempt(path)
    if samples is None:
        assert "\n" not in said
        assert str(path) in said
    else:
        assert samples.dtype == np.float32
        assert len(samples)
        assert np.isfinite(samples).all()


@pytest.mark.parametrize("frames", [7, 100, 1000])
@pytest.mark.parametrize(("start", "stop"), [(0, 1000), (0, 5), (93, 94), (150, 707), (900, 2000), (3, 3)])
def test_a_cut_is_a_slice_however_long_the_blocks_are(frames: int, start: int, stop: int) -> None:
    samples = np.arange(1000, dtype=np.float32)
    blocks = iter([samples[at : at + frames] for at in range(0, 1000, frames)])
    np.testing.assert_array_equal(np.concatenate(list(cut_blocks(blocks, start, stop))), samples[start:stop])
    read = -(-min(max(stop, 1), 1000) // frames)
    assert len(list(blocks)) == -(-1000 // frames) - read


def test_a_probe_reads_the_header_alone(tmp_path: Path) -> None:
    info = probe_recording(written(tmp_path / "a.flac", tone(0.5, 48_000, 2), 48_000))
    assert (info.native_rate, info.channels, info.frames, info.seconds) == (48_000, 2, 24_000, 0.5)


@pytest.mark.skipif("EDGE_ASD_TEST_DATA" not in os.environ, reason="EDGE_ASD_TEST_DATA names no recordings")
def test_real_recordings_of_eight_channels_are_read() -> None:
    paths = sorted(Path(os.environ["EDGE_ASD_TEST_DATA"], "mimii-8ch").rglob("*.wav"))
    assert paths
    recording = read_recording(paths[0], channel=7, sample_rate=8000)
    assert (recording.channels, recording.native_rate, recording.seconds) == (8, 16_000, 10.0)
    assert 1e-4 < recording.samples.std() < 0.5
