"""Choosing one of many known texts token by token: the model decides where they part, and only there.

The texts are an automaton over tokens: sorted rows, in which every state is a range of rows that begin alike, so that a
chain of tokens that nothing else could follow is never asked about. What a model thinks at a state is asked once and
kept. Does not know what the texts say. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from genrec.decoding.engine import Float64, Prompt
from genrec.ragged import Int64

Int32 = npt.NDArray[np.int32]
END = -1
"""Stands behind the last token of a row."""


class Weighs(Protocol):
    """What choosing needs of an engine."""

    def weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
        """log p(token | prompt) of tokens[i], int64 [n], after prompts[i], less a constant of the prompt."""
        ...


class State(NamedTuple):
    """Rows low to high − 1, which agree in their first tokens."""

    low: int
    high: int


@dataclass(frozen=True)
class Paths:
    """Different texts as rows of tokens, sorted. rows: int32 [texts, longest + 1], END behind the last token; texts:
    which text each row is, int64 [texts]."""

    rows: Int32
    texts: Int64

    @classmethod
    def of(cls, tokens: Sequence[Sequence[int]]) -> Paths:
        """The automaton of these texts, one or more."""
        rows = np.full((len(tokens), max(map(len, tokens)) + 1), END, dtype=np.int32)
        for row, text in enumerate(tokens):
            rows[row, : len(text)] = text
        order = np.lexsort(rows.T[::-1])
        return cls(rows[order], order.astype(np.int64))

    @property
    def start(self) -> State:
        return State(0, len(self.rows))

    def depth(self, state: State) -> int:
        """How many tokens all rows of a state begin with: in sorted rows, those that the first and last do."""
        differ = self.rows[state.low] != self.rows[state.high - 1]
        return int(differ.argmax()) if differ.any() else self.rows.shape[1]

    def nexts(self, state: State, depth: int) -> tuple[Int64, list[State]]:
        """The tokens that may follow where rows part, ascending, int64 [n], and the state that each leads to."""
        tokens, first = np.unique(self.rows[state.low : state.high, depth], return_index=True)
        edges = [*(state.low + first).tolist(), state.high]
        return tokens.astype(np.int64), [State(low, high) for low, high in pairwise(edges)]


class Fork(NamedTuple):
    """What follows a state and how likely: chances float64 [n], summing to one."""

    states: list[State]
    chances: Float64


@dataclass(frozen=True)
class Chooser:
    """What one model would write after one prompt, out of these texts. end: the token that stands for END.

    A way's chance is its probability to the power 1/temperature, times how many texts lie that way to the power
    breadth: with breadth 1 and a high temperature all texts are about equally likely, with 0 and 1 the model's odds.
    """

    prompt: tuple[int, ...]
    paths: Paths
    end: int
    temperature: float = 1.0
    breadth: float = 0.0
    forks: dict[State, Fork] = field(default_factory=dict)

    def asks(self, state: State) -> tuple[list[int], Int64]:
        """What to ask the model at a state that is not known yet: everything before, and what may follow."""
        depth = self.paths.depth(state)
        tokens, _ = self.paths.nexts(state, depth)
        before = [*self.prompt, *self.paths.rows[state.low, :depth].tolist()]
        return before, np.where(tokens == END, self.end, tokens)

    def learn(self, state: State, logprobs: Float64) -> None:
        """What the model said to `asks`."""
        _, states = self.paths.nexts(state, self.paths.depth(state))
        beyond = np.array([one.high - one.low for one in states], dtype=np.float64)
        worth = logprobs / self.temperature + self.breadth * np.log(beyond)
        weights = np.exp(worth - worth.max())
        self.forks[state] = Fork(states, weights / weights.sum())

    def step(self, state: State, lot: float) -> State:
        """The state that a lot in [0, 1) draws."""
        fork = self.forks[state]
        place = int(np.searchsorted(fork.chances.cumsum(), lot * fork.chances.sum(), side="right"))
        return fork.states[min(place, len(fork.states) - 1)]


def chosen(engine: Weighs, choosers: Sequence[Chooser], seeds: Sequence[int]) -> list[int]:
    """The text (its number in `Paths.of`) that each chooser draws by its own seed, all in step with each other.

    A draw depends on model, prompt, texts and seed alone, not on what else is drawn. At most one pass of the engine for
    each place where texts part, none for places where the model was asked before.
    """
    dice = [np.random.default_rng(seed) for seed in seeds]
    states = [one.paths.start for one in choosers]
    while running := [row for row, state in enumerate(states) if state.high - state.low > 1]:
        _ask(engine, [(choosers[row], states[row]) for row in running])
        for row in running:
            states[row] = choosers[row].step(states[row], float(dice[row].random()))
    return [int(one.paths.texts[state.low]) for one, state in zip(choosers, states, strict=True)]


def _ask(engine: Weighs, places: Sequence[tuple[Chooser, State]]) -> None:
    """One pass for the states that are not known, each once."""
    new = {(id(one), state): (one, state) for one, state in places if state not in one.forks}
    if not new:
        return
    asks = [one.asks(state) for one, state in new.values()]
    found = engine.weigh([prompt for prompt, _ in asks], [tokens for _, tokens in asks])
    for (one, state), logprobs in zip(new.values(), found, strict=True):
        one.learn(state, logprobs)
