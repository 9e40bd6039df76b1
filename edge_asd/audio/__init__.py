"""Reading recordings, choosing channels, resampling, and decoding raw samples.

Samples are float32 everywhere past this package, with full scale at ±1.0 whatever the integer depth they came in.
"""

from edge_asd.audio.channels import Channel, check_channel, to_mono
from edge_asd.audio.finding import find_recordings
from edge_asd.audio.pcm import Encoding, PcmDecoder
from edge_asd.audio.recording import Recording, RecordingReader, iter_blocks, read_recording
from edge_asd.audio.resampling import Resampler, output_length, resample

__all__ = [
    "Channel",
    "Encoding",
    "PcmDecoder",
    "Recording",
    "RecordingReader",
    "Resampler",
    "check_channel",
    "find_recordings",
    "iter_blocks",
    "output_length",
    "read_recording",
    "resample",
    "to_mono",
]
