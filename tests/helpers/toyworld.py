"""A catalog of a few items, a vocabulary without a tokenizer and a model whose opinions are written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from genrec.asking import NextItemPrompt
from genrec.decoding.engine import Float64
from genrec.fusing import Fusion
from genrec.items.index import ItemIndex
from genrec.priors import Mix, Prior
from genrec.prompting import load_prompts
from genrec.ragged import Int64, Ragged
from genrec.resources import folder
from tests.helpers.scripted import ScriptedEngine, liking

_CODES = 1 << 21  # above every character

Opinion = Callable[[list[int]], Sequence[float]]
"""History (item numbers) → probability of every item."""


class Letters:
    """Every character is its own number; code tokens lie above."""

    end_id = 0

    def ids(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def all_ids(self, texts: Iterable[str]) -> list[list[int]]:
        return [self.ids(text) for text in texts]

    def text(self, ids: Iterable[int]) -> str:
        return "".join(chr(token) for token in ids if token < _CODES)

    def semantic_tokens(self, codes: Int64) -> Int64:
        return np.asarray(_CODES + codes + 1000 * np.arange(codes.shape[1]), dtype=np.int64)


@dataclass(frozen=True)
class Said:
    """A prior that says the same to every history."""

    name: str
    row: tuple[float, ...]

    def values(self, histories: Ragged) -> np.ndarray:
        return np.tile(np.array(self.row, dtype=np.float32), (len(histories), 1))


def grid(*sizes: int) -> ItemIndex:
    """One item for every semantic ID, in their order."""
    codes = np.stack(np.unravel_index(np.arange(int(np.prod(sizes))), sizes), axis=1).astype(np.int64)
    books = np.zeros((len(sizes), max(sizes), 1), dtype=np.float32)
    return ItemIndex([f"i{item}" for item in range(len(codes))], codes, sizes, books)


def fusion(
    index: ItemIndex,
    opinion: Opinion,
    priors: Sequence[Prior] = (),
    weights: dict[str, float] | None = None,
    *,
    width: int = 50,
    rescued: int = 50,
) -> Fusion:
    """The model of this opinion with these priors."""
    asking = NextItemPrompt(load_prompts(folder("prompts"), "en"), Letters(), index, 20)
    items = {tuple(row): item for item, row in enumerate(asking.semantic.tolist())}

    def logprobs(prompt: Sequence[int]) -> Float64:
        codes = np.array([token for token in prompt if token >= _CODES], dtype=np.int64).reshape(-1, index.levels)
        return np.asarray(np.log(opinion([items[tuple(row)] for row in codes.tolist()])), dtype=np.float64)

    code_ids = [_CODES + 1000 * level + np.arange(size) for level, size in enumerate(index.sizes)]
    engine = ScriptedEngine(liking(index.codes, index.sizes, logprobs), code_ids)
    return Fusion(engine, asking, Mix(tuple(priors), weights or {}), width, rescued)
