"""Mel scales and filter banks against librosa, and the fast product against the plain one."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librosa.filters import mel
from numpy.typing import NDArray

from edge_asd.features.mel import ROW_GROUP, MelBank, hz_to_mel, mel_filters, mel_to_hz

ROWS = 8 * ROW_GROUP


@pytest.mark.parametrize("htk", [False, True])
def test_scales(htk: bool) -> None:
    hertz = np.linspace(0.0, 24000.0, 997)
    np.testing.assert_allclose(hz_to_mel(hertz, htk=htk), librosa.hz_to_mel(hertz, htk=htk), rtol=1e-12)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hertz, htk=htk), htk=htk), hertz, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize("norm", ["slaney", None])
@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "fmin", "fmax"),
    [
        (16000, 1024, 128, 0.0, None),
        (48000, 2048, 256, 0.0, None),
        (32000, 1024, 64, 50.0, 14000.0),
        (16000, 512, 64, 125.0, 7500.0),
        (22050, 1000, 40, 20.0, 9000.0),
        (8000, 255, 10, 300.0, 1000.0),
    ],
)
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_filters_as_librosa_has_them(
    rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None, htk: bool, norm: str | None
) -> None:
    options: dict[str, Any] = {"n_mels": n_mels, "fmin": fmin, "fmax": fmax, "htk": htk, "norm": norm}
    expected = mel(sr=rate, n_fft=n_fft, dtype=np.float64, **options)
    np.testing.assert_allclose(mel_filters(rate, n_fft, **options), expected, rtol=1e-9, atol=1e-12)


def random_spectra(count: int, bins: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((count, bins), dtype=np.float32) ** 2


def make_bank(n_mels: int = 40, n_fft: int = 512) -> tuple[MelBank, NDArray[np.float32], NDArray[np.float64]]:
    filters = mel_filters(16000, n_fft, n_mels)
    memory = np.zeros((ROWS, 272 if n_fft == 512 else 1040), np.float32)[:, : n_fft // 2 + 1]
    return MelBank(filters, memory), memory, filters


@pytest.mark.parametrize("n_mels", [1, 2, 11, 12, 13, 25, 40, 61])
@pytest.mark.parametrize("alike", [True, False], ids=["rows in groups", "row by row"])
def test_product(n_mels: int, alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not alike:
        monkeypatch.setattr(MelBank, "_treats_rows_alike", lambda _: False)
    bank, memory, filters = make_bank(n_mels)
    for count in (1, 11, 12, 50, ROWS):
        memory[:count] = random_spectra(count, memory.shape[1], count)
        bank.apply(count)
        expected = memory[:count].astype(np.float64) @ filters.T
        np.testing.assert_allclose(bank.values[:count], expected, rtol=2e-6)


@pytest.mark.parametrize("n_fft", [512, 2048])
@pytest.mark.parametrize("n_mels", [5, 16, 64, 81])
@pytest.mark.parametrize("alike", [True, False], ids=["as this machine has it", "row by row"])
@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(30)), count=st.integers(1, 30))
def test_a_row_gives_the_same_bits_wherever_it_stands(
    n_fft: int, n_mels: int, alike: bool, order: list[int], count: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not alike:
            patch.setattr(MelBank, "_treats_rows_alike", lambda _: False)
        bank, memory, _ = make_bank(n_mels, n_fft)
    rows = random_spectra(30, memory.shape[1])
    memory[:30] = rows
    bank.apply(30)
    together = bank.values[:30].copy()
    memory[:count] = rows[order[:count]]
    bank.apply(count)
    np.testing.assert_array_equal(bank.values[:count], together[order[:count]])


def test_a_difference_between_rows_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if BLAS added up the last row of a product in another order than the others."""
    real = np.matmul

    def uneven(a: Any, b: Any, out: Any) -> None:
        real(a, b, out=out)
        if a.ndim == 2:
            out[-1] = (a[-1, ::-1].astype(np.float64) @ b[::-1].astype(np.float64) * (1 + 2e-7)).astype(np.float32)

    monkeypatch.setattr(np, "matmul", uneven)
    bank, memory, filters = make_bank()
    memory[:5] = random_spectra(5, memory.shape[1])
    bank.apply(5)
    np.testing.assert_allclose(bank.values[:5], memory[:5].astype(np.float64) @ filters.T, rtol=2e-6)
    assert bank._group == 1


def test_spectra_are_left_at_zero_by_the_trial() -> None:
    _, memory, _ = make_bank()
    assert not memory.any()
