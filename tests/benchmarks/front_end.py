"""Races the log-mel front end against its peers, interleaved in one process: `python -m tests.benchmarks.front_end`.

Each peer computes the same log-mel spectrogram its own way, on one thread: ten seconds at once, then as a stream, one
and ten hops at a call. Printed are our time and each peer's in multiples of it, from the fastest run of each and from
the medians: above 1 is faster here. The error is the largest difference from double-precision arithmetic in what lies
within 60 dB of a frame's strongest band. At the end the instructions are counted that a second of sound takes.

Peers: librosa as it is called, and with its filter bank kept; FFTW through pyfftw, all frames at once; Kaldi through
kaldi-native-fbank (HTK's scale, so its values are others); torch.stft, where torch is installed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import kaldi_native_fbank
import librosa
import numpy as np
import pyfftw
from librosa.filters import get_window, mel
from numpy.typing import NDArray

from edge_asd.features import StreamFrontEnd, build_front_end
from edge_asd.frames import Framer
from edge_asd.recipe.front_ends import LogMel
from tests.benchmarks import instructions

Float32 = NDArray[np.float32]
Compute = Callable[[Float32], NDArray[Any]]

SECONDS = 10
RANGE_DB = 60.0
AMIN = 1e-10
ONE_THREAD = "OMP_NUM_THREADS"


class Configuration(NamedTuple):
    """One log-mel spectrogram."""

    name: str
    rate: int
    n_fft: int
    window: int
    hop: int
    bands: int
    low: float = 0.0
    high: float | None = None

    def __str__(self) -> str:
        return f"{self.name}  {self.rate / 1000:g} kHz, {self.window}/{self.hop}, {self.bands} mel"


CONFIGURATIONS = [
    Configuration("A", 16000, 1024, 1024, 512, 128),
    Configuration("B", 16000, 1024, 1024, 256, 64),
    Configuration("C", 48000, 2048, 2048, 242, 256),
    Configuration("D", 32000, 1024, 1024, 320, 64, 50.0, 14000.0),
    Configuration("E", 16000, 512, 400, 160, 64, 125.0, 7500.0),
]

GOALS = {"librosa": 1.9, "librosa, kept": 1.4, "kaldi": 3.5, "pyfftw": 1 / 1.3}
"""Least ratio of a peer's time over ours, ten seconds at once."""
STREAM_GOALS = {"kaldi": 3.0}
"""The same at ten hops a call."""


# --- the contestants, ten seconds at once ----------------------------------------------------------------------------


def settings(c: Configuration, precision: Any) -> LogMel:
    return LogMel(
        n_fft=c.n_fft,
        win_length=c.window,
        hop_length=c.hop,
        n_mels=c.bands,
        fmin=c.low,
        fmax=c.high,
        precision=precision,
    )


def framed(samples: Float32, length: int, hop: int) -> Float32:
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]


def ours(c: Configuration, precision: str) -> Compute:
    front_end = build_front_end(settings(c, precision), c.rate)
    return lambda samples: front_end.process(framed(samples, c.n_fft, c.hop))


def librosa_as_called(c: Configuration) -> Compute:
    def compute(samples: Float32) -> NDArray[Any]:
        power = librosa.feature.melspectrogram(
            y=samples,
            sr=c.rate,
            n_fft=c.n_fft,
            win_length=c.window,
            hop_length=c.hop,
            n_mels=c.bands,
            fmin=c.low,
            fmax=c.high,
            center=False,
        )
        return np.asarray(librosa.power_to_db(power, amin=AMIN, top_db=None).T)

    return compute


def librosa_with_filters_kept(c: Configuration) -> Compute:
    filters = mel(sr=c.rate, n_fft=c.n_fft, n_mels=c.bands, fmin=c.low, fmax=c.high)

    def compute(samples: Float32) -> NDArray[Any]:
        transform = librosa.stft(samples, n_fft=c.n_fft, win_length=c.window, hop_length=c.hop, center=False)
        return np.asarray(librosa.power_to_db(filters @ np.abs(transform) ** 2, amin=AMIN, top_db=None).T)

    return compute


def centred_window(c: Configuration) -> Float32:
    left = (c.n_fft - c.window) // 2
    return np.pad(get_window("hann", c.window), (left, c.n_fft - c.window - left)).astype(np.float32)


def with_pyfftw(c: Configuration) -> Compute:
    filters = mel(sr=c.rate, n_fft=c.n_fft, n_mels=c.bands, fmin=c.low, fmax=c.high).T.copy()
    window = centred_window(c)
    frames = 1 + (SECONDS * c.rate - c.n_fft) // c.hop
    windowed = pyfftw.empty_aligned((frames, c.n_fft), np.float32)
    spectra = pyfftw.empty_aligned((frames, c.n_fft // 2 + 1), np.complex64)
    plan = pyfftw.FFTW(windowed, spectra, flags=("FFTW_MEASURE",), threads=1)

    def compute(samples: Float32) -> NDArray[Any]:
        np.multiply(framed(samples, c.n_fft, c.hop), window, out=windowed)
        plan()
        power = spectra.real**2 + spectra.imag**2
        return np.asarray(10 * np.log10(np.maximum(power @ filters, np.float32(AMIN))))

    return compute


def kaldi_options(c: Configuration) -> Any:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = c.rate
    # Half a sample more, since Kaldi cuts off what rounding leaves of a millisecond.
    options.frame_opts.frame_length_ms = (c.window + 0.5) * 1000 / c.rate
    options.frame_opts.frame_shift_ms = (c.hop + 0.5) * 1000 / c.rate
    options.frame_opts.window_type = "hann"
    options.frame_opts.dither = 0.0
    options.frame_opts.preemph_coeff = 0.0
    options.frame_opts.remove_dc_offset = False
    options.mel_opts.num_bins = c.bands
    options.mel_opts.low_freq = c.low
    options.mel_opts.high_freq = c.high or 0.0
    return options


def with_kaldi(c: Configuration) -> Compute:
    options = kaldi_options(c)

    def compute(samples: Float32) -> NDArray[Any]:
        bank = kaldi_native_fbank.OnlineFbank(options)
        bank.accept_waveform(c.rate, samples)
        bank.input_finished()
        return np.stack([bank.get_frame(index) for index in range(bank.num_frames_ready)])

    return compute


def with_torch(c: Configuration) -> Compute | None:
    try:
        torch: Any = import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    filters = torch.from_numpy(mel(sr=c.rate, n_fft=c.n_fft, n_mels=c.bands, fmin=c.low, fmax=c.high))
    window = torch.hann_window(c.window)

    def compute(samples: Float32) -> NDArray[Any]:
        transform = torch.stft(
            torch.from_numpy(samples), c.n_fft, c.hop, c.window, window, center=False, return_complex=True
        )
        power = transform.real**2 + transform.imag**2
        return np.asarray((10 * torch.log10(torch.clamp(filters @ power, min=AMIN))).T)

    return compute


def contestants(c: Configuration) -> dict[str, Compute]:
    found = {
        "ours": ours(c, "single"),
        "ours, double": ours(c, "double"),
        "librosa": librosa_as_called(c),
        "librosa, kept": librosa_with_filters_kept(c),
        "pyfftw": with_pyfftw(c),
        "kaldi": with_kaldi(c),
        "torch": with_torch(c),
    }
    return {name: compute for name, compute in found.items() if compute is not None}


# --- the contestants, as a stream ------------------------------------------------------------------------------------


def our_stream(c: Configuration, precision: str) -> Compute:
    front_end = build_front_end(settings(c, precision), c.rate)
    assert isinstance(front_end, StreamFrontEnd)
    framer = Framer(front_end.frame_length, front_end.hop_length)

    def compute(block: Float32) -> Any:
        for frames in framer.process(block):
            front_end.process(frames)

    return compute


def kaldi_stream(c: Configuration) -> Compute:
    bank = kaldi_native_fbank.OnlineFbank(kaldi_options(c))
    taken = 0

    def compute(block: Float32) -> Any:
        nonlocal taken
        bank.accept_waveform(c.rate, block)
        ready = bank.num_frames_ready
        for index in range(taken, ready):
            bank.get_frame(index)
        bank.pop(ready - taken)
        taken = ready

    return compute


def librosa_stream(c: Configuration) -> Compute:
    """What its users do on a stream: keep the last samples, and compute the frames that became complete."""
    convert = librosa_with_filters_kept(c)
    kept = np.zeros(c.n_fft - c.hop, np.float32)

    def compute(block: Float32) -> Any:
        nonlocal kept
        samples = np.concatenate([kept, block])
        kept = samples[len(block) :]
        return convert(samples)

    return compute


def streams(c: Configuration) -> dict[str, Compute]:
    return {
        "ours": our_stream(c, "single"),
        "ours, double": our_stream(c, "double"),
        "kaldi": kaldi_stream(c),
        "librosa, kept": librosa_stream(c),
    }


# --- the race --------------------------------------------------------------------------------------------------------


class Times(NamedTuple):
    """Fastest and median run, in seconds."""

    least: float
    median: float


def race(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Time each run once a round, beginning with another one each round."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name in order:
            start = time.perf_counter()
            runs[name]()
            taken[name].append(time.perf_counter() - start)
        order.append(order.pop(0))
    return {name: Times(min(times), float(np.median(times))) for name, times in taken.items()}


def noise(c: Configuration, seconds: int = SECONDS) -> Float32:
    return np.asarray(0.1 * np.random.default_rng(0).standard_normal(seconds * c.rate), np.float32)


def machine(c: Configuration) -> Float32:
    """Hum, pink noise and a sweep: a spectrum that falls, with a range that noise does not have."""
    seconds = np.arange(SECONDS * c.rate) / c.rate
    white = np.fft.rfft(np.random.default_rng(1).standard_normal(len(seconds)))
    pink = np.fft.irfft(white / np.sqrt(1 + np.arange(len(white))), len(seconds))
    hum = np.sin(2 * np.pi * 50 * seconds) + 0.3 * np.sin(2 * np.pi * (200 + 0.01 * c.rate * seconds) * seconds)
    return np.asarray(0.2 * hum + 0.3 * pink / np.abs(pink).max(), np.float32)


def exact(c: Configuration, samples: Float32) -> NDArray[np.float64]:
    window = np.pad(get_window("hann", c.window), (c.n_fft - c.window) // 2)
    filters = mel(sr=c.rate, n_fft=c.n_fft, n_mels=c.bands, fmin=c.low, fmax=c.high, dtype=np.float64)
    frames = framed(samples, c.n_fft, c.hop)
    power = [np.abs(np.fft.rfft(frame * window)) ** 2 for frame in frames]
    return np.asarray(10 * np.log10(np.maximum(np.array(power) @ filters.T, AMIN)))


def errors(c: Configuration, computes: dict[str, Compute]) -> dict[str, float]:
    """Largest error of each, in decibels."""
    samples = machine(c)
    expected = exact(c, samples)
    counted = expected > expected.max(axis=1, keepdims=True) - RANGE_DB
    return {
        name: float(np.abs(compute(samples) - expected)[counted].max())
        for name, compute in computes.items()
        if name != "kaldi"
    }


def batch(c: Configuration, rounds: int) -> bool:
    computes, samples = contestants(c), noise(c)
    times = race({name: partial(compute, samples) for name, compute in computes.items()}, rounds)
    error = errors(c, computes)
    print(f"\n{c}\n  ten seconds at once{'':15}    ms (median)   × ours (medians)     error, dB")
    return report(times, 1e3, GOALS, error)


def feed(run: Compute, blocks: list[Float32]) -> None:
    for block in blocks:
        run(block)


def stream(c: Configuration, hops: int, rounds: int) -> bool:
    samples, block = noise(c), hops * c.hop
    blocks = [samples[start : start + block] for start in range(0, len(samples) - block + 1, block)]
    calls = len(blocks)
    times = race({name: partial(feed, run, blocks) for name, run in streams(c).items()}, rounds)
    print(f"  {hops} hop{'s' if hops > 1 else ' '} a call, per hop{'':12}   µs (median)   × ours (medians)")
    per_hop = {name: Times(*(seconds / (calls * hops) for seconds in taken)) for name, taken in times.items()}
    return report(per_hop, 1e6, STREAM_GOALS if hops == 10 else {}, {})


def report(times: dict[str, Times], unit: float, goals: dict[str, float], error: dict[str, float]) -> bool:
    reached = True
    for name, taken in times.items():
        ratio, of_medians = taken.least / times["ours"].least, taken.median / times["ours"].median
        goal = goals.get(name)
        missed = goal is not None and ratio < goal
        reached = reached and not missed
        wanted = "" if goal is None else f"   goal {goal:.2f} {'missed' if missed else 'reached'}"
        accuracy = f"{error[name]:.0e}" if name in error else ""
        print(
            f"    {name:18}{taken.least * unit:15.2f} ({taken.median * unit:.2f}){ratio:10.2f} ({of_medians:.2f})"
            f"{accuracy:>12}{wanted}"
        )
    return reached


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.front_end", description=__doc__.split(":")[0])
    parser.add_argument("--rounds", type=int, default=25, help="runs of each contestant (default: %(default)s)")
    parser.add_argument("--only", default="ABCDE", help="configurations (default: %(default)s)")
    parser.add_argument("--no-instructions", action="store_true", help="do not count them under valgrind at the end")
    return parser.parse_args()


def chosen(names: str) -> Iterator[Configuration]:
    return (c for c in CONFIGURATIONS if c.name in names)


def main() -> int:
    asked = options()
    if os.environ.get(ONE_THREAD) != "1":  # the libraries read it when they are loaded, so start over
        arguments = [sys.executable, "-m", "tests.benchmarks.front_end", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, ONE_THREAD: "1"})
    reached = [
        done
        for c in chosen(asked.only)
        for done in (batch(c, asked.rounds), stream(c, 1, max(3, asked.rounds // 5)), stream(c, 10, asked.rounds))
    ]
    print(f"\n{'All goals reached.' if all(reached) else 'Some goals missed.'}\n", flush=True)
    if not asked.no_instructions:
        instructions.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
