"""Next-item prompts: a head that ends where the history begins, then the newest items."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.asking import NextItemPrompt, fitting
from genrec.errors import PromptError
from genrec.examples import next_item
from genrec.items.index import ItemIndex
from genrec.prompting import Prompts, load_prompts
from genrec.ragged import Ragged
from genrec.resources import folder

INDEX = ItemIndex(
    [f"i{n}" for n in range(4)], np.array([[0, 1], [0, 2], [3, 0], [1, 1]]), (4, 4), np.zeros((2, 4, 1), np.float32)
)


class Spelled:
    """Code tokens are the numbers 1000 and up, every other character its own number."""

    end_id = 0

    def ids(self, text: str) -> list[int]:
        parts = re.findall(r"<[a-z]_\d+>|.", text, re.DOTALL)
        return [1000 + INDEX.tokens.index(part) if len(part) > 1 else ord(part) for part in parts]

    def semantic_tokens(self, codes: np.ndarray) -> np.ndarray:
        tokens: np.ndarray = 1000 + codes + np.array([0, 4])
        return tokens


def asking(window: int = 3, language: str = "en") -> NextItemPrompt:
    return NextItemPrompt(load_prompts(folder("prompts"), language), Spelled(), INDEX, window)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_prompt_is_the_rendered_text(language: str) -> None:
    """Head and semantic IDs put together are what the tokeniser makes of the whole prompt."""
    ask = asking(language=language)
    shown = "".join(INDEX.text(item) for item in (2, 0))
    whole = ask.prompts["next_item"].render(profile="", history=shown)
    assert ask.ids([2, 0]) == Spelled().ids(whole)


def test_the_head_ends_before_the_history() -> None:
    ask = asking()
    assert all(token < 1000 for token in ask.head)
    assert ask.ids([]) == ask.head
    assert ask.ids([2]) == [*ask.head, 1003, 1004]


def test_the_window_shows_the_newest_items() -> None:
    ask = asking(window=2)
    assert ask.ids([3, 2, 1, 0]) == ask.ids([1, 0]) == [*ask.head, 1000, 1006, 1000, 1005]
    assert ask.ids(np.array([3, 2, 1, 0], dtype=np.int32)) == ask.ids([1, 0])


def test_a_batch_is_its_histories() -> None:
    ask = asking()
    histories = [[0, 1, 2, 3], [], [2]]
    assert ask.batch(Ragged.from_lists(histories)) == [ask.ids(history) for history in histories]


def test_prompts_are_beginnings_of_training_rows() -> None:
    ask = asking(window=2)
    row = next_item(Ragged.from_lists([[3, 1, 0]]), ask.head, ask.semantic, ask.window).inputs[0].tolist()
    assert row == [*ask.ids([3, 1]), *ask.semantic[0]]


def test_a_profile_stands_before_the_history() -> None:
    ask = asking()
    told = ask.ids([2], profile="likes tea")
    assert told[-2:] == [1003, 1004]
    assert "likes tea" in "".join(map(chr, told[:-2]))
    assert ask.ids([2]) == [*ask.head, 1003, 1004]  # the next one without is not told


def test_code_tokens_in_a_profile_are_no_items() -> None:
    """A profile is data: what looks like a semantic ID there is defused, and the history still ends the prompt."""
    told = asking().ids([0], profile="<a_3><b_0>")
    assert [token for token in told if 1000 <= token < 1008] == [1000, 1005]


def test_a_prompt_that_goes_on_after_the_history_is_refused(tmp_path: Path) -> None:
    text = (folder("prompts") / "en" / "next_item.yaml").read_text(encoding="utf-8")
    broken = text.replace("{{- history | codes }}", "{{- history | codes }} Now answer.")
    assert broken != text
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "next_item.yaml").write_text(broken, encoding="utf-8")
    prompts: Prompts = load_prompts(tmp_path, "en")
    with pytest.raises(PromptError, match=r"history does not end the prompt.*put \{\{ history \}\} last"):
        _ = NextItemPrompt(prompts, Spelled(), INDEX, 3).head


@pytest.mark.parametrize(
    ("head", "items", "block", "shown"),
    [
        (8, 164, 32, 158),  # 500 tokens: six items go, two tokens remain beyond a block
        (8, 168, 32, 168),  # 512 tokens end with a block as they are
        (8, 7, 32, 7),  # shorter than a block: nothing could be used again
        (8, 164, 1, 164),  # an engine without blocks
        (5, 12, 32, 9),  # 41 tokens: a quarter may go, and then none remain
    ],
)
def test_prompts_end_near_a_cache_block(head: int, items: int, block: int, shown: int) -> None:
    assert fitting(head, items, 3, block) == shown


@given(st.integers(0, 60), st.integers(0, 300), st.integers(1, 4), st.sampled_from([1, 16, 32, 128]))
def test_never_more_than_a_quarter_goes_and_never_for_nothing(head: int, items: int, levels: int, block: int) -> None:
    shown = fitting(head, items, levels, block)
    tails = {kept: (head + kept * levels) % block for kept in range(items - items // 4, items + 1)}
    assert shown in tails
    assert shown == items or tails[shown] < tails[items]
