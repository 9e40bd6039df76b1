from __future__ import annotations

import math

from edge_asd.publish.ceiling import Ceiling


def test_nothing_is_too_large_until_it_is_known() -> None:
    ceiling = Ceiling(again_s=100.0)
    assert ceiling.most(0.0) == math.inf
    ceiling.begin(2000)
    assert ceiling.most(0.0) == 2000
    assert ceiling.again_at() == math.inf
    ceiling.begin(None)
    assert ceiling.most(0.0) == math.inf


def test_what_connections_end_at_in_a_row_is_too_large_for_a_while() -> None:
    ceiling = Ceiling(again_s=100.0)
    for now in (1.0, 2.0, 3.0):
        assert ceiling.most(now) == math.inf
        ceiling.lost_at("event", 500, now)
        ceiling.passed(499)
    assert ceiling.most(102.0) == 499
    assert ceiling.again_at() == 103.0
    assert ceiling.most(103.0) == math.inf


def test_as_large_a_packet_that_gets_through_or_another_one_begins_the_count_anew() -> None:
    ceiling = Ceiling(again_s=100.0)
    for _ in range(5):
        ceiling.lost_at("event", 500, 0.0)
        ceiling.lost_at("event", 500, 0.0)
        ceiling.passed(500)
    for packet in "abababab":
        ceiling.lost_at(packet, 500, 0.0)
    assert ceiling.most(0.0) == math.inf


def test_a_broker_that_has_said_so_is_believed() -> None:
    ceiling = Ceiling(again_s=100.0)
    ceiling.lost_at("event", 500, 0.0, certain=True)
    assert ceiling.most(0.0) == 499
    ceiling.begin(300)
    assert ceiling.most(0.0) == 300
