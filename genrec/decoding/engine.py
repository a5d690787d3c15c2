"""The engine port: what every engine does, whoever runs the model. Knows no engine and no torch.

Contract (tests/decoding/contract.py): a forbidden item is never returned; log-probabilities are those of the whole
vocabulary's softmax, summed over the codes of a semantic ID; min(width, allowed) candidates come back, never fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from genrec.errors import EngineError
from genrec.items.trie import View
from genrec.ragged import Int64

Float64 = npt.NDArray[np.float64]
Prompt = Sequence[int]


class Candidates(NamedTuple):
    """The survivors of a beam, best (log-probability + prior) first.

    items: item numbers, int64 [found]; logprobs: log p(semantic ID | prompt), float64 [found].
    """

    items: Int64
    logprobs: Float64


@dataclass(frozen=True)
class TextRule:
    """When free text ends, and how it is drawn."""

    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    schema: str | None = None
    """A JSON schema, as JSON, that the text obeys: an engine that cannot says so (EngineError)."""


class Engine(Protocol):
    """Scores and generates under a trie."""

    def beam(self, prompts: Sequence[Prompt], views: Sequence[View], width: int) -> list[Candidates]:
        """The best items of each prompt under its view; with width ≥ the catalog's size this is exhaustive."""
        ...

    def score(self, prompts: Sequence[Prompt], codes: Sequence[Int64]) -> list[Float64]:
        """log p(semantic ID | prompt) of the rows of codes[i], int64 [items, levels], after prompts[i]."""
        ...

    def generate(self, prompts: Sequence[Prompt], rule: TextRule) -> list[list[int]]:
        """Free text after each prompt as token numbers, without the end token and without code tokens."""
        ...

    def weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
        """log p(token | prompt) of tokens[i], int64 [n], after prompts[i], less a constant of the prompt."""
        ...


def check(prompts: Sequence[Prompt], others: int, most: int) -> None:
    """What every engine refuses (EngineError): prompts that are empty or longer than `most` tokens, or that do not
    match the number of their views or items.
    """
    if len(prompts) != others:
        raise EngineError("prompts and their views or items differ in number", value=(len(prompts), others))
    if any(not len(prompt) for prompt in prompts):
        raise EngineError("a prompt is empty", value=[], allowed="one token or more")
    longest = max((len(prompt) for prompt in prompts), default=0)
    if prompts and longest > most:
        raise EngineError(
            "a prompt is longer than the model's context leaves room for",
            value=longest,
            allowed=f"at most {most} tokens",
            remedy="show a shorter window of the history",
        )


class Step(NamedTuple):
    """parents: which beam each survivor continues; nodes, codes, scores: what it became. All [survivors]."""

    parents: Int64
    nodes: Int64
    codes: Int64
    scores: Float64


def widen(view: View, level: int, nodes: Int64, scores: Float64, logprobs: npt.NDArray[np.float32], width: int) -> Step:
    """One step of a beam under a view: the shared, pure mask function of every engine.

    nodes, scores: the beams at `level`, [beams]; logprobs: log-softmax of the next level's codes, [beams, codes].
    Keeps the `width` best children by log-probability plus the best prior below; ties go to the earlier leaf.
    """
    children = view.trie.children(level, nodes)
    kept = view.permits(level + 1, children.nodes)
    rows, below, codes = (part[kept] for part in children)
    found = scores[rows] + logprobs[rows, codes]
    promise = found + view.bound(level + 1, below)
    best = _top(promise, below, width)
    return Step(rows[best], below[best], codes[best], found[best])


def _top(promise: Float64, nodes: Int64, width: int) -> Int64:
    if len(promise) > 4 * width:  # partition first: a full sort of all children costs more than the model's step
        edge = np.partition(promise, len(promise) - width)[len(promise) - width]
        near = np.flatnonzero(promise >= edge)
        best: Int64 = near[np.lexsort((nodes[near], -promise[near]))][:width]
        return best
    ranked: Int64 = np.lexsort((nodes, -promise))[:width]
    return ranked
