from __future__ import annotations

import pytest

from edge_asd.configuration import parse
from edge_asd.recipe.graph import Recipe
from edge_asd_export.boards import find_board
from edge_asd_export.cost import Cost, Ledger, judge_load, patches_per_second

# An OpenL3 mel256 window is 10.2 GMAC (published figure); one every half second.
OPENL3 = Cost("openl3", "float32", 10_200_000_000, 2.0)


def branch_rate(front_end: str, patch: str, rate: int) -> float:
    text = f"""
name: rates
sample_rate: {rate}
branches: {{a: {{front_end: {front_end}, patch: {patch}, pooling: [mean]}}}}
parts: {{p: {{branches: [a], detector: {{kind: mahalanobis}}}}}}
"""
    recipe = parse(text, Recipe, where="rates")
    return patches_per_second(recipe, recipe.branches["a"])


def test_patches_per_second() -> None:
    log_mel = "{kind: log-mel, n_fft: 1024, hop_length: 512, n_mels: 24}"
    assert branch_rate(log_mel, "{frames: 5, hop: 1}", 16000) == 31.25
    assert branch_rate(log_mel, "{frames: 5, hop: 4}", 16000) == 7.8125
    preset = "{kind: preset, name: openl3-v0.4-mel256}"
    assert branch_rate(preset, "{segment_hop: 24000}", 48000) == 2.0
    assert branch_rate(preset, "{}", 48000) == 1.0


def test_cost_is_macs_times_rate() -> None:
    assert OPENL3.gmac_per_s == pytest.approx(20.4)
    assert OPENL3.describe() == ("openl3: 1.02e+04 MMAC × 2 patches/s = 20.4 GMAC per second of sound, float32")


def test_openl3_is_too_much_for_a_raspberry_pi_4() -> None:
    carries, words = judge_load(find_board("raspberry-pi-4"), [OPENL3])
    assert not carries
    assert words.startswith("Raspberry Pi 4 falls behind: 20.4 GMAC per second of sound are about 5.5 of real time")
    carries, words = judge_load(find_board("raspberry-pi-5"), [OPENL3._replace(quantization="int8")])
    assert "Raspberry Pi 5 has little to spare" in words
    assert not carries
    carries, words = judge_load(find_board("jetson-orin"), [OPENL3._replace(quantization="int8")])
    assert carries
    assert "Jetson Orin carries it" in words


def test_what_is_entered_is_said_at_once_and_added_up() -> None:
    said: list[str] = []
    ledger = Ledger(find_board("raspberry-pi-4"), said.append)
    small = Cost("small", "float16", 100_000_000, 10.0)
    ledger.enter(small)
    assert said[0] == small.describe()
    assert "Raspberry Pi 4 carries it: 1 GMAC" in said[1]
    ledger.enter(small)
    assert "Raspberry Pi 4 has little to spare: 2 GMAC" in said[3]
    assert said[3].endswith("a longer patch.hop or --quantize int8 costs less")
    quiet: list[str] = []
    Ledger(None, quiet.append).enter(small)
    assert len(quiet) == 1
