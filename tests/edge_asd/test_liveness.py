"""Where a recording is live, and what is read of it then."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile

from edge_asd.audio import read_blocks
from edge_asd.liveness import Live, Span, find_live, left_out_dead, live_pieces
from tests.handmade import RATE, hum, recipe


@pytest.fixture
def interrupted(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Twelve times: five seconds of hum, then a stretch that stands still."""
    pieces = [np.concatenate([hum(5, seed), np.full(2 * RATE, 0.01, np.float32)]) for seed in range(12)]
    samples = np.concatenate(pieces)
    soundfile.write(tmp_path / "interrupted.wav", samples, RATE, subtype="FLOAT")
    return tmp_path / "interrupted.wav", samples


def test_the_spans_are_what_is_live(interrupted: tuple[Path, np.ndarray]) -> None:
    path, _ = interrupted
    live = find_live(path, recipe())
    assert (len(live.spans), live.heard, sorted(live.faults)) == (12, 12 * 7 * RATE, ["dropout"])
    for number, span in enumerate(live.spans):
        begin = 7 * RATE * number
        # A dropout is known to be one a while after it has begun, and to be over a while after it is.
        assert begin <= span.start < begin + RATE
        assert begin + 4 * RATE < span.stop <= begin + 5 * RATE + RATE // 10


def test_a_note_tells_how_much_is_left_out() -> None:
    lives = {
        Path("a.wav"): Live([Span(0, 30 * RATE), Span(35 * RATE, 59 * RATE)], 60 * RATE, frozenset({"dropout"})),
        Path("b.wav"): Live([], 3 * RATE, frozenset({"clipped"})),
        Path("c.wav"): Live([Span(0, 5 * RATE)], 5 * RATE, frozenset()),
    }
    (note,) = left_out_dead(recipe(), lives)
    assert note.endswith(": a.wav (interrupted, 6.0 s), b.wav (clipped, all of it)")


def test_each_span_is_given_whole_and_the_recording_is_read_once(
    interrupted: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, samples = interrupted
    live = find_live(path, recipe())
    reading = Mock(side_effect=read_blocks)
    monkeypatch.setattr("edge_asd.liveness.read_blocks", reading)
    given = [(start, np.concatenate(list(blocks))) for start, blocks in live_pieces(path, recipe(), live)]
    assert [start for start, _ in given] == [span.start for span in live.spans]
    for (start, piece), span in zip(given, live.spans, strict=True):
        np.testing.assert_array_equal(piece, samples[start : span.stop])
    reading.assert_called_once()


@pytest.mark.parametrize("frames", [1, 7, 10, 100])
def test_blocks_may_be_cut_anywhere(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.arange(60, dtype=np.float32)
    blocks = [samples[start : start + frames] for start in range(0, 60, frames)]
    monkeypatch.setattr("edge_asd.liveness.read_blocks", lambda *_given, **_named: iter(blocks))
    spans = [Span(0, 3), Span(3, 10), Span(12, 13), Span(20, 45), Span(50, 60)]
    live = Live(spans, 60, frozenset())
    given = {start: np.concatenate(list(pieces)) for start, pieces in live_pieces(Path("any"), recipe(), live)}
    assert given.keys() == {span.start for span in spans}
    for start, stop in spans:
        np.testing.assert_array_equal(given[start], samples[start:stop])
