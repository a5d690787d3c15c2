"""Sentences that leave their wording open: what they stand for, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.alternatives import spread


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("plain.", ("plain.",)),
        ("[a|b] c", ("a c", "b c")),
        ("x[|y]z", ("xz", "xyz")),
        ("[a|b][1|2]", ("a1", "a2", "b1", "b2")),
        ("[a [b|c]|d]!", ("a b!", "a c!", "d!")),
        ("[a|a]", ("a",)),
        ("", ("",)),
    ],
)
def test_what_a_text_stands_for(text: str, sentences: tuple[str, ...]) -> None:
    assert spread(text) == sentences


@pytest.mark.parametrize("text", ["[a|b", "a]", "a|b", "[a[b]", "]["])
def test_brackets_without_their_other_half_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="group"):
        spread(text)


@given(st.lists(st.lists(st.text("abc", max_size=3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_every_choice_of_parts_is_there_once(groups: list[list[str]]) -> None:
    found = spread("-".join(f"[{'|'.join(group)}]" for group in groups))
    count = 1
    for group in groups:
        count *= len(set(group))
    assert len(found) == len(set(found)) <= count
    assert all("[" not in one for one in found)
