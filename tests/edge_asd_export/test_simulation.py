"""Equal arguments give equal samples, levels are as stated, and each fault sounds like its cause."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_asd.errors import InputError
from edge_asd_export.simulation import (
    NORMAL_LEVEL_DBFS,
    FaultKind,
    Machine,
    MachineKind,
    faults_of,
    simulate,
    stream,
    write_recordings,
)
from edge_asd_export.simulation.body import Body
from edge_asd_export.simulation.chance import Chance
from edge_asd_export.simulation.excitation import Source, turbulence
from edge_asd_export.simulation.faults import ball_pass_ratio
from edge_asd_export.simulation.motion import Rotation, Segment, drift, rotation
from edge_asd_export.simulation.path import Modes, Shape, Surroundings, response
from edge_asd_export.simulation.render import rendered
from edge_asd_export.simulation.scene import Group, Scene, Severity

KINDS: tuple[MachineKind, ...] = get_args(MachineKind)
CASES: list[tuple[MachineKind, FaultKind]] = [(kind, fault) for kind in KINDS for fault in faults_of(kind)]
RATE = 16_000
Samples = NDArray[Any]


def decibels(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples.astype(np.float64)))))


def pure(
    machine: Machine, seconds: float, seed: int = 1, fault: FaultKind | None = None, severity: float = 1.0
) -> Samples:
    """The machine alone, in double precision."""
    return simulate(machine, seconds, seed=seed, fault=fault, severity=severity, hear="machine").astype(np.float64)


def added(machine: Machine, seconds: float, fault: FaultKind, severity: float = 1.0, seed: int = 1) -> Samples:
    """What a fault adds to the machine."""
    return pure(machine, seconds, seed, fault, severity) - pure(machine, seconds, seed)


def body_of(machine: Machine, seed: int = 1) -> Body:
    still = Severity(np.zeros(1), np.zeros(1))
    return Scene(machine, seed=seed, snr_db=0.0, fault=None, severity=still, hear="machine").body()


def shaft_rate(machine: Machine, seconds: float, seed: int = 1) -> float:
    """Turns a second, averaged over the stretch."""
    shaft = body_of(machine, seed).shaft
    assert shaft is not None
    first, last = shaft.cycles(np.array([0.0, seconds]))
    return float(last - first) / seconds


def band(samples: Samples, low: float, high: float) -> Samples:
    """Keep the band from `low` to `high` Hz."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(samples.size, 1 / RATE)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return np.fft.irfft(spectrum, samples.size)


def power_spectrum(samples: Samples) -> tuple[Samples, Samples]:
    windowed = np.hanning(samples.size) * samples
    return np.fft.rfftfreq(samples.size, 1 / RATE), np.abs(np.fft.rfft(windowed)) ** 2


def envelope_spectrum(samples: Samples) -> tuple[Samples, Samples]:
    """Spectrum of the squared envelope, relative to its mean."""
    spectrum = np.fft.fft(samples)
    spectrum[samples.size // 2 :] = 0
    envelope = np.abs(2 * np.fft.ifft(spectrum)) ** 2
    return power_spectrum(envelope / envelope.mean() - 1)


def near(frequencies: Samples, power: Samples, wanted: float, tolerance: float) -> float:
    """The strongest line within a relative tolerance of a frequency."""
    return float(power[np.abs(frequencies - wanted) <= tolerance * wanted].max())


def short_levels(samples: Samples, seconds: float) -> Samples:
    """Power in dB in consecutive windows."""
    length = round(seconds * RATE)
    windows = samples[: samples.size // length * length].reshape(-1, length)
    return np.asarray(10 * np.log10(np.mean(np.square(windows), axis=1) + 1e-20))


# --- the same arguments give the same samples -------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_same_arguments_give_the_same_samples(kind: MachineKind, fault: FaultKind) -> None:
    first, second = (simulate(Machine(kind, 3), 2.0, seed=5, fault=fault) for _ in range(2))
    assert first.dtype == np.float32
    assert first.shape == (32_000,)
    np.testing.assert_array_equal(first, second)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(CASES), st.integers(1, 60_000), st.floats(0.05, 3.5))
def test_block_size_never_changes_the_samples(case: tuple[MachineKind, FaultKind], block: int, seconds: float) -> None:
    kind, fault = case
    growing = [0.0, 0.2, 1.0]
    blocks = list(stream(Machine(kind), seconds, seed=2, fault=fault, severity=growing, block=max(block, 50)))
    assert {len(piece) for piece in blocks[:-1]} <= {max(block, 50)}
    whole = simulate(Machine(kind), seconds, seed=2, fault=fault, severity=growing)
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shorter_stretch_is_the_beginning_of_a_longer_one(kind: MachineKind) -> None:
    longer, shorter = (simulate(Machine(kind), seconds, seed=2) for seconds in (4.0, 1.3))
    np.testing.assert_array_equal(longer[: shorter.size], shorter)


def test_an_endless_stretch_is_made_as_it_is_asked_for() -> None:
    machine = Machine("pumping")
    blocks = itertools.islice(stream(machine, seed=2, block=10_000), 7)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), simulate(machine, 70_000 / RATE, seed=2))


def test_another_seed_is_another_stretch_and_another_unit_another_machine() -> None:
    stretches = [
        simulate(Machine("rotating", unit), 1.0, seed=seed) for unit, seed in itertools.product((0, 1), (0, 1))
    ]
    for one, other in itertools.combinations(stretches, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.5


def test_units_differ_more_than_stretches_of_one_unit() -> None:
    def bands(unit: int, seed: int) -> Samples:
        frequencies, power = power_spectrum(pure(Machine("rotating", unit), 4.0, seed))
        edges = np.geomspace(60, 7000, 17)
        levels = [
            10 * np.log10(power[(frequencies >= a) & (frequencies < b)].mean()) for a, b in itertools.pairwise(edges)
        ]
        return np.array(levels)

    table = np.array([[bands(unit, seed) for seed in range(4)] for unit in range(4)])
    assert table.mean(axis=1).std(axis=0).mean() > 3 * table.std(axis=1).mean()


# --- levels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snr_db", [-6.0, 6.0])
def test_signal_to_noise_ratio_is_as_asked(kind: MachineKind, snr_db: float) -> None:
    stretches = range(12)
    power = {
        hear: np.mean(
            [
                10 ** (decibels(simulate(Machine(kind), 6.0, seed=seed, snr_db=snr_db, hear=hear)) / 10)
                for seed in stretches
            ]
        )
        for hear in ("machine", "noise")
    }
    assert 10 * np.log10(power["machine"] / power["noise"]) == pytest.approx(snr_db, abs=1.0)
    assert 10 * np.log10(power["machine"] + power["noise"]) == pytest.approx(NORMAL_LEVEL_DBFS, abs=1.0)


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_a_fault_never_changes_the_noise_and_the_parts_add_up(kind: MachineKind, fault: FaultKind) -> None:
    machine, noise = Machine(kind), simulate(Machine(kind), 2.0, seed=3, hear="noise")
    np.testing.assert_array_equal(simulate(machine, 2.0, seed=3, fault=fault, hear="noise"), noise)
    everything = simulate(machine, 2.0, seed=3, fault=fault)
    np.testing.assert_allclose(pure(machine, 2.0, 3, fault) + noise, everything, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_gain_is_applied_and_infinite_ratio_leaves_the_noise_out(kind: MachineKind) -> None:
    quiet, loud = (decibels(simulate(Machine(kind), 2.0, seed=3, gain_db=gain)) for gain in (-6.0, 6.0))
    assert loud - quiet == pytest.approx(12.0, abs=1e-3)
    alone = simulate(Machine(kind), 2.0, seed=3, snr_db=math.inf)
    np.testing.assert_allclose(alone, pure(Machine(kind), 2.0, 3) * math.sqrt(2), atol=1e-6)
    assert not simulate(Machine(kind), 1.0, seed=3, snr_db=math.inf, hear="noise").any()


@pytest.mark.parametrize(("kind", "fault"), CASES)
@pytest.mark.parametrize("snr_db", [-6.0, math.inf])
def test_nothing_clips_up_to_six_decibels_of_gain(kind: MachineKind, fault: FaultKind, snr_db: float) -> None:
    for unit in (0, 5):
        samples = simulate(Machine(kind, unit), 6.0, seed=unit, snr_db=snr_db, fault=fault, gain_db=6.0)
        assert np.isfinite(samples).all()
        assert 0.01 < np.abs(samples).max() < 1.0


def test_beyond_that_peaks_are_clipped_as_in_a_converter() -> None:
    samples = simulate(Machine("rotating"), 1.0, seed=1, gain_db=60.0)
    assert samples.max() == 1.0
    assert samples.min() == -1.0


@pytest.mark.parametrize("kind", KINDS)
def test_normal_sound_is_not_trivially_constant(kind: MachineKind) -> None:
    levels = np.array([decibels(simulate(Machine(kind), 4.0, seed=seed)) for seed in range(16)])
    assert 0.2 < levels.std() < 1.5


def test_the_factory_clatters_now_and_then() -> None:
    noise = simulate(Machine("rotating"), 90.0, seed=4, hear="noise").astype(np.float64)
    levels = short_levels(band(noise, 300, 2500), 0.1)
    events = np.flatnonzero(levels > np.median(levels) + 6)
    separate = 1 + np.count_nonzero(np.diff(events) > 15)
    assert 2 <= separate <= 9
    assert levels.max() < np.median(levels) + 25


def test_the_factory_is_pinkish() -> None:
    frequencies, power = power_spectrum(simulate(Machine("sliding"), 20.0, seed=4, hear="noise"))
    edges = (60, 250, 1000, 4000, 8000)
    levels = [10 * np.log10(power[(frequencies >= a) & (frequencies < b)].mean()) for a, b in itertools.pairwise(edges)]
    assert (np.diff(levels) < -6).all()


# --- severity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_severity_zero_is_no_fault_to_the_last_bit(kind: MachineKind, fault: FaultKind) -> None:
    normal = simulate(Machine(kind), 2.0, seed=3)
    for severity in (0.0, np.zeros(5)):
        np.testing.assert_array_equal(simulate(Machine(kind), 2.0, seed=3, fault=fault, severity=severity), normal)


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_a_fault_grows_with_its_severity(kind: MachineKind, fault: FaultKind) -> None:
    levels = [decibels(added(Machine(kind), 6.0, fault, severity)) for severity in (0.1, 0.3, 0.6, 1.0)]
    assert (np.diff(levels) > 3).all()


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_a_fault_can_grow_over_the_stretch(kind: MachineKind, fault: FaultKind) -> None:
    machine, third = Machine(kind), 6 * RATE
    severity = [0.0, 0.0, 0.5, 1.0]
    difference = simulate(machine, 18.0, seed=1, fault=fault, severity=severity, hear="machine") - pure(machine, 18.0)
    before, growing, grown = (difference[i * third : (i + 1) * third] for i in range(3))
    assert np.abs(before).max() < 1e-7
    assert decibels(growing) + 3 < decibels(grown)


@pytest.mark.parametrize(("kind", "fault"), [case for case in CASES if case[1] not in {"burst", "level"}])
def test_a_full_fault_adds_as_much_power_as_the_machine_has(kind: MachineKind, fault: FaultKind) -> None:
    for unit in (0, 4):
        machine = Machine(kind, unit)
        ratio = decibels(added(machine, 30.0, fault)) - decibels(pure(machine, 30.0))
        assert ratio == pytest.approx(0.0, abs=2.0)


# --- each fault sounds like its cause ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rotating", "pumping"])
@pytest.mark.parametrize("unit", [0, 1])
def test_bearing_impacts_show_in_the_envelope_at_the_ball_pass_frequency(kind: MachineKind, unit: int) -> None:
    machine, seconds = Machine(kind, unit), 10.0
    rate = shaft_rate(machine, seconds)
    ball_pass = ball_pass_ratio(machine) * rate
    frequencies, faulty = envelope_spectrum(band(pure(machine, seconds, fault="bearing"), 1800, 5000))
    _, normal = envelope_spectrum(band(pure(machine, seconds), 1800, 5000))
    # Everything between the shaft's low orders and the second harmonic of the impacts.
    searched = (frequencies > 2.2 * rate) & (frequencies < 1.5 * ball_pass)
    assert frequencies[searched][faulty[searched].argmax()] == pytest.approx(ball_pass, rel=0.015)
    assert near(frequencies, faulty, ball_pass, 0.015) > 10 * near(frequencies, normal, ball_pass, 0.015)
    assert near(frequencies, faulty, rate, 0.01) > 10 * near(frequencies, normal, rate, 0.01)


def test_ball_pass_ratio_is_that_of_a_real_bearing() -> None:
    ratios = [ball_pass_ratio(Machine("rotating", unit)) for unit in range(50)]
    assert 7 / 2 * (1 - 0.28) <= min(ratios) < max(ratios) <= 9 / 2 * (1 - 0.18)


@pytest.mark.parametrize("kind", ["rotating", "pumping"])
def test_imbalance_raises_the_shaft_orders_and_modulates_the_rest(kind: MachineKind) -> None:
    machine, seconds = Machine(kind), 10.0
    rate = shaft_rate(machine, seconds)
    faulty, normal = pure(machine, seconds, fault="imbalance"), pure(machine, seconds)
    frequencies, after = power_spectrum(faulty)
    _, before = power_spectrum(normal)
    for order in (1, 2, 3):
        assert near(frequencies, after, order * rate, 0.01) > 10 * near(frequencies, before, order * rate, 0.01)
    frequencies, after = envelope_spectrum(band(faulty, 1500, 5000))
    _, before = envelope_spectrum(band(normal, 1500, 5000))
    assert near(frequencies, after, rate, 0.01) > 20 * near(frequencies, before, rate, 0.01)


@pytest.mark.parametrize("kind", ["pumping", "clicking"])
def test_leakage_raises_a_high_band_steadily(kind: MachineKind) -> None:
    machine = Machine(kind)
    jet = added(machine, 6.0, "leakage")
    frequencies, power = power_spectrum(jet)
    in_band = (frequencies > 1500) & (frequencies < 7500)
    assert power[in_band].sum() > 0.85 * power.sum()
    assert short_levels(jet, 0.1).std() < 1.0
    assert (
        decibels(band(pure(machine, 6.0, fault="leakage"), 2000, 6000))
        > decibels(band(pure(machine, 6.0), 2000, 6000)) + 2
    )


@pytest.mark.parametrize("kind", ["rotating", "sliding"])
def test_belt_slip_squeals_in_episodes_with_a_wandering_pitch(kind: MachineKind) -> None:
    squeal = added(Machine(kind), 16.0, "belt-slip")
    levels = short_levels(squeal, 0.064)
    sounding = levels > levels.max() - 15
    assert 0.1 < sounding.mean() < 0.6
    pitches = []
    for window in squeal[: squeal.size // 1024 * 1024].reshape(-1, 1024)[sounding]:
        frequencies, power = power_spectrum(window)
        loudest = int(power.argmax())
        assert power[max(loudest - 3, 0) : loudest + 4].sum() > 0.3 * power.sum()
        below = power[(frequencies > 600) & (frequencies < 2000)]
        pitches.append(frequencies[(frequencies > 600) & (frequencies < 2000)][below.argmax()])
    assert 0.01 < np.std(pitches) / np.mean(pitches) < 0.06


def test_dry_rail_scrapes_in_the_strokes_and_chatters() -> None:
    machine, seconds = Machine("sliding"), 12.0
    stroke = body_of(machine).stroke
    assert stroke is not None
    length = machine.segment_length
    pace = np.concatenate([stroke.pace(Segment(i, length, RATE)) for i in range(8)])[: round(seconds * RATE)]
    scraping = added(machine, seconds, "dry-rail")
    moving, resting = scraping[pace > 0.99], scraping[pace == 0]
    assert decibels(moving) > decibels(resting) + 12
    envelope = np.abs(scraping) ** 2 * (pace > 0.99)
    frequencies, power = power_spectrum(envelope - envelope.mean())
    slips = power[(frequencies > 33) & (frequencies < 62)].max()
    assert slips > 10 * np.median(power[(frequencies > 33) & (frequencies < 250)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snr_db", [-6.0, 0.0, 6.0])
def test_bursts_are_short_rare_and_as_loud_as_stated(kind: MachineKind, snr_db: float) -> None:
    machine, seconds = Machine(kind), 30.0
    faulty = simulate(machine, seconds, seed=6, snr_db=snr_db, fault="burst", hear="machine").astype(np.float64)
    burst = faulty - simulate(machine, seconds, seed=6, snr_db=snr_db, hear="machine")
    levels = short_levels(burst, 0.004)
    sounding = np.flatnonzero(levels > levels.max() - 25)
    starts = sounding[np.flatnonzero(np.diff(sounding, prepend=-1000) > 5)] * 0.004
    assert len(starts) == 12
    for first in np.arange(0, 20.5, 0.5):
        assert 3 <= np.count_nonzero((starts >= first) & (starts < first + 10)) <= 5
    assert 0.04 * 12 < sounding.size * 0.004 < 0.075 * 12
    loudest = np.sort(short_levels(burst, 0.02))[-12:]
    assert np.mean(loudest) - NORMAL_LEVEL_DBFS == pytest.approx(11.0, abs=1.0)
    frequencies, power = power_spectrum(burst)
    for low, high in ((400, 1000), (1000, 2500), (2500, 6000)):
        assert power[(frequencies > low) & (frequencies < high)].sum() > 0.08 * power.sum()


def test_bursts_raise_the_crest_of_a_steady_machine() -> None:
    machine = Machine("rotating")
    crests = [
        np.abs(samples).max() / samples.std()
        for samples in (simulate(machine, 10.0, seed=8, fault=fault) for fault in (None, "burst"))
    ]
    assert crests[1] > 1.7 * crests[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("severity", [1.0, -1.0, 0.5])
def test_level_shifts_the_machine_alone(kind: MachineKind, severity: float) -> None:
    machine = Machine(kind)
    shifted = pure(machine, 3.0, fault="level", severity=severity)
    np.testing.assert_allclose(shifted, pure(machine, 3.0) * 10 ** (6 * severity / 20), atol=1e-7)


# --- the machines themselves ------------------------------------------------------------------------------------------


def test_a_fan_has_blade_tones_locked_to_its_shaft() -> None:
    machine, seconds = Machine("rotating", 2), 10.0
    rate = shaft_rate(machine, seconds)
    frequencies, power = power_spectrum(pure(machine, seconds))
    prominence = {
        blades: near(frequencies, power, blades * rate, 0.003)
        / np.median(power[np.abs(frequencies - blades * rate) < 0.4 * rate])
        for blades in range(5, 10)
    }
    second, first = sorted(prominence.values())[-2:]
    assert first > 100 > 10 * second


def test_a_pump_pulsates_and_a_valve_and_a_slide_come_and_go() -> None:
    spread = {kind: np.ptp(np.percentile(short_levels(pure(Machine(kind), 8.0), 0.05), [5, 95])) for kind in KINDS}
    assert spread["rotating"] < 4 < spread["pumping"]
    assert min(spread["sliding"], spread["clicking"]) > 15


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
@pytest.mark.parametrize(("kind", "fault"), [("pumping", "bearing"), ("sliding", "belt-slip"), ("clicking", "leakage")])
def test_any_sample_rate_keeps_the_levels(sample_rate: int, kind: MachineKind, fault: FaultKind) -> None:
    machine = Machine(kind, sample_rate=sample_rate)
    normal = simulate(machine, 8.0, seed=1)
    assert normal.size == 8 * sample_rate
    assert decibels(normal) == pytest.approx(NORMAL_LEVEL_DBFS, abs=2.5)
    assert decibels(added(machine, 8.0, fault)) - decibels(pure(machine, 8.0)) == pytest.approx(0.0, abs=3.0)


# --- chance, motion, path ---------------------------------------------------------------------------------------------


def test_draws_depend_on_name_and_number_only() -> None:
    chance = Chance.of("test")
    numbers = np.arange(-5000, 5000)
    draws = chance.uniform(numbers)
    np.testing.assert_array_equal(draws[::-1], chance.uniform(numbers[::-1]))
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    assert counts.sum() == numbers.size
    assert (np.abs(counts - 500) < 5 * math.sqrt(500)).all()
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.05
    assert abs(np.corrcoef(draws, chance.child("other").uniform(numbers))[0, 1]) < 0.05


def test_drift_stays_within_its_limit_and_its_integral_is_right() -> None:
    wander = drift(Chance.of("drift"), 0.02)
    times = np.linspace(0, 7200, 720_001)
    values = wander.at(times)
    assert 0.008 < np.abs(values).max() <= 0.02
    numeric = np.concatenate([[0], np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(times))])
    np.testing.assert_allclose(wander.integral(times), numeric, atol=1e-6)


@given(st.floats(-2.0, 90_000.0))
@settings(max_examples=50, deadline=None)
def test_the_time_of_a_cycle_is_when_it_is_reached_even_after_a_day(seconds: float) -> None:
    turning: Rotation = rotation(Chance.of("shaft"), 97.0, 0.02)
    cycles = turning.cycles(np.array([seconds]))
    np.testing.assert_allclose(turning.time_of(cycles), [seconds], atol=1e-7)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("surroundings", ["near", "far", "microphone"])
def test_a_response_has_unit_energy_is_causal_and_ends_with_the_tail(
    sample_rate: int, surroundings: Surroundings
) -> None:
    machine = Machine("clicking", sample_rate=sample_rate)
    for structure in (
        Modes(((700.0, 0.01, 1.0), (9000.0, 0.004, 0.5))),
        Shape(((50.0, 0.0), (1000.0, -10.0)), ((400.0, 0.2, 9.0),)),
    ):
        taps = np.fft.irfft(response(machine, surroundings, structure))
        assert np.square(taps).sum() == pytest.approx(1.0, rel=1e-9)
        assert np.square(taps[machine.tail :]).sum() < 1e-12


def test_a_shape_has_the_spectrum_it_states() -> None:
    shape = Shape(((100.0, 0.0), (1000.0, -20.0), (4000.0, -10.0)), ((2000.0, 0.3, 6.0),))
    taps = shape.taps(RATE)
    levels = 20 * np.log10(np.abs(np.fft.rfft(taps, RATE)))
    for frequency, level in ((100, 0.0), (316, -10.0), (1000, -20.0), (2000, -9.0), (4000, -10.0)):
        assert levels[frequency] == pytest.approx(level, abs=0.7)


def test_rendering_is_a_convolution_without_seams() -> None:
    machine, chance = Machine("clicking", sample_rate=4_000), Chance.of("seams")
    heard = response(machine, "near", Modes(((300.0, 0.02, 1.0), (900.0, 0.01, 0.5))))
    groups = [Group((Source(-6.0, heard, turbulence(chance)),), lambda _segment: 0.5)]
    samples = np.concatenate(list(itertools.islice(rendered(machine, groups, 0.01), 4)))
    excitation = np.concatenate([chance.white(index, machine.segment_length) for index in range(-1, 4)])
    expected = np.convolve(excitation, np.fft.irfft(heard)[: machine.tail]) * 10 ** (-6 / 20) * 0.5 * 0.01
    np.testing.assert_allclose(samples, expected[machine.segment_length :][: samples.size], atol=1e-8)


# --- files and errors -------------------------------------------------------------------------------------------------


def test_recordings_are_written_as_sixteen_bit_files(tmp_path: Path) -> None:
    machine = Machine("clicking", 1)
    normal = write_recordings(tmp_path, machine, 2, 1.5, seed=7)
    abnormal = write_recordings(tmp_path, machine, 1, 1.5, seed=7, fault="leakage", severity=[0.5, 1.0])
    assert [path.relative_to(tmp_path).as_posix() for path in normal + abnormal] == [
        "normal/00000000.wav",
        "normal/00000001.wav",
        "abnormal/00000000.wav",
    ]
    about = soundfile.info(normal[0])
    assert (about.samplerate, about.channels, about.subtype, about.frames) == (RATE, 1, "PCM_16", 24_000)
    before = [path.read_bytes() for path in normal]
    assert before[0] != before[1]
    assert [path.read_bytes() for path in write_recordings(tmp_path, machine, 2, 1.5, seed=7)] == before
    clean, wrong = (soundfile.read(path)[0] for path in (normal[0], abnormal[0]))
    assert abs(np.corrcoef(clean, wrong)[0, 1]) < 0.3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: Machine("flying"), "machine kind: expected one of rotating"),  # type: ignore[arg-type]
        (lambda: Machine("rotating", -1), "machine unit"),
        (lambda: Machine("rotating", 0, 100), "sample rate"),
        (lambda: simulate(Machine("clicking"), 1.0, seed=0, fault="bearing"), "fault of a clicking machine"),
        (lambda: simulate(Machine("rotating"), 1.0, seed=0, fault="bearing", severity=1.5), "numbers from 0 to 1"),
        (lambda: simulate(Machine("rotating"), 1.0, seed=0, fault="bearing", severity=-0.5), "numbers from 0 to 1"),
        (lambda: simulate(Machine("rotating"), 1.0, seed=0, fault="level", severity=-1.5), "numbers from -1 to 1"),
        (lambda: simulate(Machine("rotating"), 1.0, seed=0, fault="bearing", severity=[0.0, math.nan]), "severity"),
        (lambda: simulate(Machine("rotating"), 0.0, seed=0), "seconds"),
        (lambda: simulate(Machine("rotating"), math.inf, seed=0), "stream()"),
        (lambda: stream(Machine("rotating"), seed=0, fault="level", severity=[0.0, 1.0]), "endless"),
        (lambda: stream(Machine("rotating"), 1.0, seed=0, block=0), "block"),
    ],
)
def test_impossible_requests_are_refused_in_words(wrong: Callable[[], object], told: str) -> None:
    with pytest.raises(InputError, match=told.replace("()", r"\(\)")):
        wrong()
