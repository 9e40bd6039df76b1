from __future__ import annotations

from typing import Any

import pytest

from edge_asd.errors import InputError
from edge_asd.recipe.models import InterpolationAutoencoder
from edge_asd_export.boards import board_names, find_board
from edge_asd_export.quantization import choice
from edge_asd_export.quantization.choice import choose


@pytest.fixture
def embedding(monkeypatch: pytest.MonkeyPatch) -> InterpolationAutoencoder:
    """A model that counts as one that embeds."""
    monkeypatch.setattr(choice, "RECONSTRUCTION", ())
    return InterpolationAutoencoder()


def test_what_is_asked_for_is_tried_alone() -> None:
    for wanted in ("float32", "float16", "dynamic", "int8"):
        found = choose(InterpolationAutoencoder(quantize=wanted), find_board("raspberry-pi-5"), gmac_per_s=1.0)
        assert found.candidates == [wanted]


@pytest.mark.parametrize("name", board_names())
def test_nets_that_predict_stay_in_floating_point_everywhere(name: str) -> None:
    assert choose(InterpolationAutoencoder(), find_board(name), gmac_per_s=100.0).candidates == ["float16", "float32"]


@pytest.mark.parametrize(
    ("board", "gmac_per_s", "first", "said"),
    [
        (None, 100.0, "float16", "--board NAME"),
        ("raspberry-pi-5", 0.1, "int8", "Raspberry Pi 5 multiply 8-bit numbers"),
        ("jetson-orin", 0.1, "int8", "Jetson Orin multiply 8-bit numbers"),
        ("raspberry-pi-4", 0.1, "float16", "gain little from 8 bits"),
        ("raspberry-pi-4", 10.0, "int8", "would spend 271% of its time"),
        ("raspberry-pi-zero-2w", 0.1, "float16", "gain little from 8 bits"),
    ],
)
def test_embedding_nets_go_by_the_board(
    embedding: InterpolationAutoencoder, board: str | None, gmac_per_s: float, first: str, said: str
) -> None:
    found: Any = choose(embedding, find_board(board) if board else None, gmac_per_s=gmac_per_s)
    assert found.candidates[0] == first
    assert found.candidates[-1] == "float32"
    assert "dynamic" not in found.candidates
    assert said in found.reason


def test_load_is_cost_over_what_the_threads_sustain() -> None:
    # MobileNet v1, 0.569 GMAC, 77 ms on four threads of a Raspberry Pi 4: on the two of its configuration 154 ms.
    board = find_board("raspberry-pi-4")
    assert board.threads == 2
    assert board.load("float32", 0.569) == pytest.approx(0.154)
    assert board.load("int8", 0.569) == pytest.approx(0.048)


def test_every_board_has_a_shipped_configuration_and_others_are_refused() -> None:
    assert all(find_board(name).threads >= 1 for name in board_names())
    with pytest.raises(InputError, match="--board: expected one of jetson-orin, raspberry-pi-4"):
        find_board("raspberry-pi-9")
