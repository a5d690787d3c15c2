"""Text that obeys an automaton, by a causal model: only choices are sampled, text that has to follow is read at once.

Every row of a batch has an automaton of its own. Does not know schemas' meaning, items or tries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from genrec.decoding.automaton import Automaton
from genrec.decoding.tree import TokenTree
from genrec.decoding.writing import Writer
from genrec.errors import EngineError
from genrec.ragged import Int64

Draw = Callable[[torch.Tensor], Int64]


def write(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    automata: Sequence[Automaton],
    writer: Writer,
    draw: Draw,
    *,
    pad_id: int,
    most: int,
) -> list[list[int]]:
    """Tokens after each prompt, whose text its automaton accepts. Raises EngineError for more than `most` of them.

    draw: float32 [rows, vocabulary], −inf where a token may not come → token numbers, int64 [rows].
    """
    rows = [_Row(automaton, writer) for automaton in automata]
    tree = TokenTree(model, [[*prompt, *row.take()] for prompt, row in zip(prompts, rows, strict=True)], pad_id)
    logits, grown = tree.logits, _Grown(len(rows))
    _refuse_long(rows, most)
    while not all(row.done for row in rows):
        for row, token in zip(rows, draw(_masked(logits, rows)).tolist(), strict=True):
            row.choose(token)
        _refuse_long(rows, most)
        if not all(row.done for row in rows):
            logits = grown.read(tree, [row.take() for row in rows])
    return [row.tokens for row in rows]


def _refuse_long(rows: Sequence[_Row], most: int) -> None:
    if any(len(row.tokens) > most for row in rows):
        raise EngineError("the text did not end in time", value=most, allowed="a schema of shorter texts")


class _Row:
    """One text as it grows: all tokens so far, and of these the ones that the model has not read yet."""

    def __init__(self, automaton: Automaton, writer: Writer) -> None:
        self._automaton, self._writer = automaton, writer
        self.tokens, self._state = writer.forced(automaton, 0)
        self._unread = list(self.tokens)

    @property
    def done(self) -> bool:
        return not self._automaton.step(self._state)

    def allowed(self) -> Int64:
        return self._writer.options(self._automaton, self._state).tokens

    def choose(self, token: int) -> None:
        """Goes on with this token and what has to follow it; nothing where the text is finished."""
        if self.done:
            return
        options = self._writer.options(self._automaton, self._state)
        self._state = int(options.states[np.searchsorted(options.tokens, token)])
        forced, self._state = self._writer.forced(self._automaton, self._state)
        self.tokens += [token, *forced]
        self._unread += [token, *forced]

    def take(self) -> list[int]:
        new, self._unread = self._unread, []
        return new


class _Grown:
    """What each row has appended to its prompt in the token tree; rows of fewer tokens are padded, unseen by any."""

    def __init__(self, rows: int) -> None:
        self._seen = np.zeros((rows, 0), dtype=bool)

    def read(self, tree: TokenTree, new: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits after the last new token of each row, [rows, vocabulary]; of a row without any, meaningless ones."""
        counts = np.array([len(tokens) for tokens in new])
        width = int(counts.max())
        held = np.arange(width) < counts[:, None]
        tokens = np.zeros(held.shape, dtype=np.int64)
        tokens[held] = [token for one in new for token in one]
        depths = self._seen.sum(axis=1)[:, None] + np.arange(width)
        before = np.repeat(self._seen[:, None], width, axis=1)
        within = np.tril(np.ones((width, width), dtype=bool))[None] & held[:, None]
        self._seen = np.concatenate([self._seen, held], axis=1)
        logits = tree.extend(tokens, depths, np.concatenate([before, within], axis=2))
        return logits[torch.arange(len(new)), torch.from_numpy(np.maximum(counts - 1, 0))]


def _masked(logits: torch.Tensor, rows: Sequence[_Row]) -> torch.Tensor:
    """−inf wherever a row may not go on; a finished row is left with its first token."""
    allowed = torch.full_like(logits, -torch.inf)
    for place, row in enumerate(rows):
        at = torch.from_numpy(np.zeros(1, dtype=np.int64) if row.done else row.allowed()).to(logits.device)
        allowed[place, at] = logits[place, at]
    return allowed
