"""What goes over the wire comes back the same, and what is no request is refused in words."""

import base64
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.decoding.asks import Want, pack, unpack
from genrec.errors import EngineError

TOKENS = st.integers(0, 2**31 - 1)


@st.composite
def wants(draw: st.DrawFn) -> Want:
    allowed = draw(st.none() | st.lists(TOKENS, max_size=20))
    bounds = None
    if allowed is not None and draw(st.booleans()):
        bounds = np.array(draw(st.lists(st.floats(width=32), min_size=len(allowed), max_size=len(allowed))), np.float32)
    columns = tuple(draw(st.lists(st.tuples(TOKENS, TOKENS), max_size=3)))
    tokens = None if allowed is None else np.array(allowed, dtype=np.int64)
    return Want(tokens, draw(st.integers(0, 1000)), bounds, columns)


@given(wants(), st.booleans())
def test_what_is_packed_comes_back(want: Want, as_text: bool) -> None:
    packed: object = pack(want)
    back = unpack(base64.b64encode(pack(want)).decode() if as_text else packed)
    assert (back.most, back.columns) == (want.most, want.columns)
    for mine, theirs in ((want.allowed, back.allowed), (want.bounds, back.bounds)):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            np.testing.assert_array_equal(mine, theirs)


@given(st.binary(max_size=64) | st.text(max_size=64) | st.integers() | st.none() | st.lists(st.integers()))
def test_anything_else_is_refused(junk: object) -> None:
    with pytest.raises(EngineError):
        unpack(junk)


@given(wants(), st.integers(0, 200), st.integers(0, 2**31 - 1))
def test_a_request_with_a_changed_word_is_refused_or_read(want: Want, place: int, word: int) -> None:
    """No length in it is trusted: nothing but EngineError comes of a request that was tampered with."""
    words = np.frombuffer(pack(want), dtype="<i4").copy()
    words[place % len(words)] = word
    with suppress(EngineError):
        unpack(words.tobytes())


def test_how_many_come_back() -> None:
    assert Want(np.arange(3), 5).returned == 3
    assert Want(np.arange(9), 5).returned == 5
    assert Want(None, 5).returned == 5
