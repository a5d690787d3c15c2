"""Histories → next-item prompts as token numbers, the way training saw them. Does not know engines or models.

The history stands last in the prompt, so the tokens before it are the same for everybody without a profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genrec.errors import PromptError
from genrec.examples import Tokens
from genrec.items.index import ItemIndex
from genrec.prompting import Prompts
from genrec.ragged import Int32, Int64, Ragged


@dataclass(frozen=True)
class NextItemPrompt:
    """window: how many of the newest items a prompt shows; block: tokens of the engine's cache block.

    An engine uses a prompt again in whole blocks only, so the oldest items of a long history are left out where that
    lets the prompt end nearer to the end of a block: never more than a quarter of them, and none of a prompt shorter
    than a block.
    """

    prompts: Prompts
    vocabulary: Tokens
    index: ItemIndex
    window: int
    block: int = 1

    @cached_property
    def head(self) -> list[int]:
        """The tokens before the history."""
        return self._head("")

    @cached_property
    def semantic(self) -> Int64:
        """Token numbers of every item's semantic ID, int64 [items, levels]."""
        return self.vocabulary.semantic_tokens(self.index.codes)

    def shown(self, history: Sequence[int] | Int32 | Int64, profile: str = "") -> Int64:
        """The part of a history (item numbers, oldest first) that its prompt shows."""
        window = np.asarray(history, dtype=np.int64)[-self.window :]
        head = self._head(profile) if profile else self.head
        return window[len(window) - fitting(len(head), len(window), self.index.levels, self.block) :]

    def ids(self, history: Sequence[int] | Int32 | Int64, profile: str = "") -> list[int]:
        """The prompt of one history, of what of it is shown."""
        return self.whole(self.shown(history, profile), profile)

    def whole(self, items: Sequence[int] | Int32 | Int64, profile: str = "") -> list[int]:
        """The prompt that shows exactly these items."""
        head = self._head(profile) if profile else self.head
        return [*head, *self.semantic[np.asarray(items, dtype=np.int64)].ravel().tolist()]

    def batch(self, histories: Ragged) -> list[list[int]]:
        """The prompts of many histories."""
        return [self.ids(histories[row]) for row in range(len(histories))]

    def opening(self, task: str, **values: str) -> list[int]:
        """The tokens of a task's prompt before its history, which has to stand last (PromptError)."""
        mark = self.index.text(0)
        rendered = self.prompts[task].render(history=mark, **values)
        if not rendered.endswith(mark):
            raise PromptError("the history does not end the prompt", value=rendered, remedy="put {{ history }} last")
        return self.vocabulary.ids(rendered.removesuffix(mark))

    def _head(self, profile: str) -> list[int]:
        return self.opening("next_item", profile=profile)


def fitting(head: int, items: int, levels: int, block: int) -> int:
    """How many of the newest items leave less than an item's tokens in a last, partial block: as many as can be.

    head: tokens before the items, of `levels` tokens each. Where none do, those that leave the fewest tokens there.
    """
    if head + items * levels < block:
        return items
    tried = np.arange(items, items - items // 4 - 1, -1)
    tails = (head + tried * levels) % block
    return int(tried[np.flatnonzero(tails < max(levels, int(tails.min()) + 1))[0]])
