"""Types, values and meanings in words."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from edge_asd.configuration.meanings import first_clause, meanings
from edge_asd.configuration.words import expected, shown
from edge_asd.settings import PositiveInt, Settings

DASH = "\N{EN DASH}"
plain_text = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc", "Cs"]), max_size=20)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=12,
)


class Ladder(Settings, tag_field="kind", tag="ladder"):
    rungs: PositiveInt
    """Number of rungs."""


class Tall(Ladder, tag_field="kind", tag="tall"):
    hooks: int = 2
    """Hooks
    at its top."""
    silent: int = 0


def test_long_values_are_cut_and_control_characters_escaped() -> None:
    assert shown("x" * 1000) == f"'{'x' * 39}…'"
    assert shown(10**5000) == "an integer of about 5000 digits"
    assert shown("a\nb") == r"'a\nb'"


@given(plain_values)
def test_what_is_found_is_shown_in_one_short_line(value: Any) -> None:
    assert len(shown(value)) <= 90
    assert "\n" not in shown(value)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "an integer"),
        (Annotated[int, Meta(ge=1, le=5, multiple_of=2)], f"an integer 1{DASH}5, a multiple of 2"),
        (Annotated[float, Meta(ge=0.5, lt=1)], "a number ≥ 0.5 and below 1"),
        (Annotated[str, Meta(max_length=3)], "text of at most 3 characters"),
        (Annotated[str, Meta(min_length=2)], "text of at least 2 characters"),
        (Annotated[str, Meta(min_length=2, max_length=2)], "text of 2 characters"),
        (Annotated[str, Meta(pattern="^a$")], "text that matches ^a$"),
        (Annotated[list[int], Meta(min_length=2, max_length=4)], f"a list of 2{DASH}4 entries, each an integer"),
        (tuple[int, ...], "a list, each an integer"),
        (dict[str, int], "a mapping of names, each with an integer"),
        (int | None, "an integer"),
        (type(None), "nothing"),
        (Any, "any value"),
        (Ladder, "a mapping with any of kind, rungs"),
    ],
)
def test_types_in_words(annotation: Any, words: str) -> None:
    assert expected(annotation) == words


def test_the_string_after_a_field_is_its_meaning() -> None:
    class Local(Tall, tag_field="kind", tag="local"):
        extra: int = 0
        """Another one."""

    assert meanings(Local) == {"rungs": "Number of rungs.", "hooks": "Hooks at its top.", "extra": "Another one."}


@pytest.mark.parametrize(
    ("meaning", "clause"),
    [
        ("Name or address of the broker.", "the name or address of the broker"),
        ("The broker.", "the broker"),
        ("TCP port; 8883 is usual with TLS.", "TCP port"),
        ("Where the sound comes from: `mic`.", "where the sound comes from"),
        ("", ""),
        ("Exit level of 0.8 or so. More.", "the exit level of 0.8 or so"),
    ],
)
def test_a_meaning_stands_inside_a_sentence(meaning: str, clause: str) -> None:
    assert first_clause(meaning) == clause
