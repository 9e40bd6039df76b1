from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from edge_asd.ulid import ALPHABET, LENGTH, PATTERN, UlidFactory, encode, new_ulid


def decode(text: str) -> int:
    number = 0
    for character in text:
        number = number * 32 + ALPHABET.index(character)
    return number


@given(st.integers(0, 2**128 - 1))
def test_encoding_keeps_all_128_bits(number: int) -> None:
    text = encode(number)
    assert len(text) == LENGTH
    assert re.fullmatch(PATTERN, text)
    assert decode(text) == number


def test_the_example_of_the_specification() -> None:
    # 1469918176385 ms is 01ARYZ6S41 in the specification's canonical example.
    assert UlidFactory(lambda: 1469918176.385, lambda bits: 0)()[:10] == "01ARYZ6S41"


@given(st.lists(st.floats(0, 4e9), min_size=1, max_size=60), st.data())
def test_each_is_greater_than_the_one_before_whatever_the_clock_does(times: list[float], data: st.DataObject) -> None:
    ticks = iter(times)
    made = UlidFactory(lambda: next(ticks), lambda bits: data.draw(st.sampled_from([0, 1, 2**bits - 1])))
    ids = [made() for _ in times]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_it_bears_the_time_it_was_made_at() -> None:
    before = int(time.time() * 1000)
    made = decode(UlidFactory()()) >> 80
    assert before <= made <= int(time.time() * 1000)
    assert new_ulid() < new_ulid()
