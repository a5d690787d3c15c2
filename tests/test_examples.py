"""Training examples, token by token, from a vocabulary small enough to write out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.errors import DataError
from genrec.examples import IGNORED, Examples, answered, chunked, joined, judged_items, last_item, next_item
from genrec.ragged import Ragged

# Item i is written as the tokens 10 + i, 20 + i; the prompt's head is 7, 8.
SEMANTIC = np.array([[10 + item, 20 + item] for item in range(6)])
HEAD = [7, 8]
NO = IGNORED

histories_of = st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=8)


class Letters:
    """Every character is a token."""

    end_id = 0

    def ids(self, text: str) -> list[int]:
        return [ord(letter) - ord("a") + 1 for letter in text]

    def semantic_tokens(self, codes: np.ndarray) -> np.ndarray:
        return codes


def rows(examples: Examples) -> list[tuple[list[int], list[int]]]:
    return [(examples.inputs[row].tolist(), examples.labels[row].tolist()) for row in range(len(examples))]


def test_next_item_learns_every_item() -> None:
    found = next_item(Ragged.from_lists([[2, 0], [], [5]]), HEAD, SEMANTIC, window=4)
    assert rows(found) == [
        ([7, 8, 12, 22, 10, 20], [NO, NO, 12, 22, 10, 20]),
        ([7, 8, 15, 25], [NO, NO, 15, 25]),
    ]


def test_rows_hold_a_full_window_and_its_target() -> None:
    """In use a prompt shows `window` items and asks for one more: rows of that length are what is trained."""
    found = next_item(Ragged.from_lists([[0, 1, 2, 3, 4]]), [], SEMANTIC, window=2)
    assert [row for row, _ in rows(found)] == [[10, 20, 11, 21], [12, 22, 13, 23, 14, 24]]


def test_last_item_learns_the_first_target_alone() -> None:
    histories, targets = Ragged.from_lists([[0, 1, 2], [], [4]]), Ragged.from_lists([[5, 0], [3], [4]])
    assert rows(last_item(histories, targets, HEAD, SEMANTIC, window=2)) == [
        ([7, 8, 11, 21, 12, 22, 15, 25], [NO] * 6 + [15, 25]),
        ([7, 8, 13, 23], [NO, NO, 13, 23]),
        ([7, 8, 14, 24, 14, 24], [NO] * 4 + [14, 24]),
    ]


def test_what_was_said_of_an_item_is_learnt_behind_it() -> None:
    """Answers 0 to 2 are the tokens 30 to 32; the newest piece is full, and items are read, not learnt."""
    histories, said = Ragged.from_lists([[2, 0, 1], [], [5]]), np.array([0, 2, 2, 1])
    assert rows(judged_items(histories, said, HEAD, SEMANTIC, np.array([30, 31, 32]), window=1)) == [
        ([7, 8, 12, 22, 30], [NO] * 4 + [30]),
        ([7, 8, 10, 20, 32, 11, 21, 32], [NO] * 4 + [32, NO, NO, 32]),
        ([7, 8, 15, 25, 31], [NO] * 4 + [31]),
    ]


def test_a_case_without_target_is_an_error() -> None:
    with pytest.raises(DataError, match="case 1: a case has no target"):
        last_item(Ragged.from_lists([[0], [1]]), Ragged.from_lists([[2], []]), HEAD, SEMANTIC, window=2)


@pytest.mark.parametrize(("length", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [1, 3]), (6, [3, 3]), (7, [1, 3, 3])])
def test_chunks_are_full_but_for_the_oldest(length: int, sizes: list[int]) -> None:
    pieces = chunked(Ragged.from_lists([list(range(length))]), 3)
    assert pieces.lengths.tolist() == sizes
    assert pieces.items.tolist() == list(range(length))


@given(histories_of, st.integers(1, 5))
def test_chunks_keep_users_apart(lists: list[list[int]], longest: int) -> None:
    expected = []
    for history in lists:
        first = len(history) % longest
        expected += [history[:first]] if first else []
        expected += [history[at : at + longest] for at in range(first, len(history), longest)]
    pieces = chunked(Ragged.from_lists(lists), longest)
    assert [pieces[row].tolist() for row in range(len(pieces))] == expected


@given(histories_of, st.integers(1, 5), st.integers(0, 3))
def test_each_event_is_a_target_exactly_once(lists: list[list[int]], window: int, before: int) -> None:
    found = next_item(Ragged.from_lists(lists), [1] * before, SEMANTIC, window)
    learnt = found.labels.items[found.labels.items != IGNORED].reshape(-1, 2)
    events = [item for history in lists for item in history]
    assert learnt.tolist() == SEMANTIC[events].tolist() if events else not len(learnt)
    assert found.inputs.offsets.tolist() == found.labels.offsets.tolist()
    assert all(length <= before + 2 * (window + 1) for length in found.inputs.lengths)
    shown = found.labels.items != IGNORED
    assert (found.inputs.items[shown] == found.labels.items[shown]).all()


def test_answers_are_learnt_and_end() -> None:
    found = answered(Letters(), ["abc", "a"], ["de", ""], longest=10)
    assert rows(found) == [([1, 2, 3, 4, 5, 0], [NO, NO, NO, 4, 5, 0]), ([1, 0], [NO, 0])]


@pytest.mark.parametrize(("longest", "prompt"), [(9, "abcdefg"), (8, "abcefg"), (7, "abefg"), (4, "ag"), (1, "ag")])
def test_long_prompts_lose_their_middle(longest: int, prompt: str) -> None:
    """The completion `x` and the end token stay whole, and two tokens of the prompt at the least."""
    inputs = answered(Letters(), ["abcdefg"], ["x"], longest).inputs[0].tolist()
    assert inputs == [*Letters().ids(prompt), 24, 0]


def test_mixtures_and_selections() -> None:
    one = next_item(Ragged.from_lists([[0], [1, 2]]), HEAD, SEMANTIC, 4)
    other = answered(Letters(), ["ab"], ["c"], 10)
    both = joined([one, other])
    assert rows(both) == rows(one) + rows(other)
    assert rows(both.take(np.array([2, 0]))) == [rows(other)[0], rows(one)[0]]


def test_columns_are_what_trl_reads() -> None:
    found = next_item(Ragged.from_lists([[0], [1]]), HEAD, SEMANTIC, 4)
    assert found.columns() == {
        "input_ids": [[7, 8, 10, 20], [7, 8, 11, 21]],
        "labels": [[NO, NO, 10, 20], [NO, NO, 11, 21]],
    }
