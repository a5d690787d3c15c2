"""Choosing among known texts: only they come out, by the model's own odds, with a question only where they part."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.choosing import Chooser, Paths, State, chosen
from genrec.decoding.engine import Float64, Prompt
from genrec.ragged import Int64

END = 99
TEXTS = [[1, 2, 3], [1, 2, 4], [1, 5], [1], [7, 8, 9, 9]]


class Odds:
    """p(token) ∝ the token's number, whatever went before; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []
        self.calls = 0

    def weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
        self.calls += 1
        self.asked += [tuple(prompt) for prompt in prompts]
        return [np.log(wanted.astype(np.float64)) for wanted in tokens]


def chooser(texts: Sequence[Sequence[int]] = TEXTS, prompt: tuple[int, ...] = (50,)) -> Chooser:
    return Chooser(prompt, Paths.of(texts), END)


def test_states_are_ranges_of_texts_that_begin_alike() -> None:
    paths = Paths.of(TEXTS)
    assert [TEXTS[text] for text in paths.texts] == [[1], [1, 2, 3], [1, 2, 4], [1, 5], [7, 8, 9, 9]]
    tokens, states = paths.nexts(paths.start, paths.depth(paths.start))
    assert tokens.tolist() == [1, 7]
    assert states == [State(0, 4), State(4, 5)]
    tokens, states = paths.nexts(states[0], paths.depth(states[0]))
    assert tokens.tolist() == [-1, 2, 5]  # the end comes first
    assert states == [State(0, 1), State(1, 3), State(3, 4)]


def test_texts_come_by_the_products_of_the_models_odds() -> None:
    one, engine = chooser(), Odds()
    drawn = Counter(chosen(engine, [one] * 4000, list(range(4000))))
    ends = 99 + 2 + 5
    wanted = [1 / 8 * 2 / ends * 3 / 7, 1 / 8 * 2 / ends * 4 / 7, 1 / 8 * 5 / ends, 1 / 8 * 99 / ends, 7 / 8]
    assert [drawn[text] / 4000 for text in range(5)] == pytest.approx(wanted, abs=0.02)


def test_breadth_counts_the_texts_that_lie_a_way() -> None:
    one = Chooser((50,), Paths.of(TEXTS), END, temperature=1e9, breadth=1.0)
    drawn = Counter(chosen(Odds(), [one] * 4000, list(range(4000))))
    assert [drawn[text] / 4000 for text in range(5)] == pytest.approx([0.2] * 5, abs=0.03)
    colder = Chooser((50,), Paths.of(TEXTS), END, temperature=2.0)
    drawn = Counter(chosen(Odds(), [colder] * 4000, list(range(4000))))
    assert drawn[4] / 4000 == pytest.approx(7**0.5 / (1 + 7**0.5), abs=0.03)


def test_the_model_is_asked_where_texts_part_and_once() -> None:
    one, engine = chooser(), Odds()
    chosen(engine, [one] * 500, list(range(500)))
    assert sorted(engine.asked) == [(50,), (50, 1), (50, 1, 2)]
    assert engine.calls == 3
    chosen(engine, [one] * 500, list(range(500, 1000)))
    assert engine.calls == 3


def test_a_draw_does_not_depend_on_what_else_is_drawn() -> None:
    alone = [chosen(Odds(), [chooser()], [seed])[0] for seed in range(40)]
    other = chooser([[1, 2], [3]], (51,))
    mixed = chosen(Odds(), [one for _ in range(40) for one in (chooser(), other)], [s for s in range(40) for _ in "ab"])
    assert mixed[::2] == alone


def test_a_single_text_asks_nothing() -> None:
    engine = Odds()
    assert chosen(engine, [chooser([[4, 4]])], [0]) == [0]
    assert chosen(engine, [], []) == []
    assert engine.calls == 0


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=30, unique_by=tuple),
    st.integers(0, 2**60),
)
def test_only_known_texts_come_out(texts: list[list[int]], seed: int) -> None:
    class Flat:
        def weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
            known = {tuple(text[:depth]) for text in texts for depth in range(len(text) + 1)}
            for prompt, wanted in zip(prompts, tokens, strict=True):
                written = tuple(prompt[1:])
                follow = {
                    text[len(written)] if len(text) > len(written) else END
                    for text in map(tuple, texts)
                    if text[: len(written)] == written
                }
                assert written in known
                assert set(wanted.tolist()) == follow
            return [np.zeros(len(wanted)) for wanted in tokens]

    (text,) = chosen(Flat(), [chooser(texts)], [seed])
    assert 0 <= text < len(texts)
