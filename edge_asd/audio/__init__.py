"""Recordings and samples: finding, reading, decoding, choice of channel, resampling."""

from edge_asd.audio.finding import SUFFIXES, find_recordings, find_rooted, spare_recording
from edge_asd.audio.labels import ToldApart, tell_apart
from edge_asd.audio.mixing import Channel, check_channel, to_mono
from edge_asd.audio.pcm import SAMPLE_FORMATS, PcmDecoder, SampleFormat, from_int16, to_int16
from edge_asd.audio.recordings import (
    Recording,
    RecordingInfo,
    cut_blocks,
    load_soundfile,
    probe_recording,
    read_blocks,
    read_recording,
)
from edge_asd.audio.resampling import Resampler, output_length
from edge_asd.audio.roll import Fingerprint, Roll

__all__ = [
    "SAMPLE_FORMATS",
    "SUFFIXES",
    "Channel",
    "Fingerprint",
    "PcmDecoder",
    "Recording",
    "RecordingInfo",
    "Resampler",
    "Roll",
    "SampleFormat",
    "ToldApart",
    "check_channel",
    "cut_blocks",
    "find_recordings",
    "find_rooted",
    "from_int16",
    "load_soundfile",
    "output_length",
    "probe_recording",
    "read_blocks",
    "read_recording",
    "spare_recording",
    "tell_apart",
    "to_int16",
    "to_mono",
]
