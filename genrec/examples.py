"""Histories and catalog → training examples as token numbers. Does not know files, trainers or weights.

An example is a sequence and its labels; −100 marks tokens that are read but not learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from genrec.errors import DataError
from genrec.ragged import Int64, Ragged

IGNORED = -100
Bool = npt.NDArray[np.bool_]


class Tokens(Protocol):
    """What examples need of a vocabulary."""

    def ids(self, text: str) -> list[int]: ...

    def semantic_tokens(self, codes: Int64) -> Int64: ...

    @property
    def end_id(self) -> int: ...


@dataclass(frozen=True)
class Examples:
    """inputs, labels: token numbers of equal shape, row by row."""

    inputs: Ragged
    labels: Ragged

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Int64) -> Examples:
        return Examples(self.inputs.take(rows), self.labels.take(rows))

    def columns(self) -> dict[str, list[list[int]]]:
        """`input_ids` and `labels` as trl.SFTTrainer reads them."""
        return {"input_ids": list(_lists(self.inputs)), "labels": list(_lists(self.labels))}


def _lists(rows: Ragged) -> Iterator[list[int]]:
    flat, offsets = rows.items.tolist(), rows.offsets.tolist()
    return (flat[low:high] for low, high in pairwise(offsets))


def joined(parts: Sequence[Examples]) -> Examples:
    """Several tasks as one mixture."""
    return Examples(_joined([part.inputs for part in parts]), _joined([part.labels for part in parts]))


def _joined(parts: Sequence[Ragged]) -> Ragged:
    lengths = np.concatenate([part.lengths for part in parts])
    items = np.concatenate([part.items for part in parts])
    return Ragged(np.concatenate([[0], lengths.cumsum()]).astype(np.int64), items)


def chunked(histories: Ragged, longest: int) -> Ragged:
    """Every history cut into pieces of at most `longest` items, the newest piece full; each event stands in one."""
    lengths = histories.lengths[histories.lengths > 0]
    pieces = -(-lengths // longest)
    first = lengths - (pieces - 1) * longest
    sizes = np.full(int(pieces.sum()), longest, dtype=np.int64)
    sizes[pieces.cumsum() - pieces] = first
    return Ragged(np.concatenate([[0], sizes.cumsum()]).astype(np.int64), histories.items)


def next_item(histories: Ragged, head: Sequence[int], semantic: Int64, window: int) -> Examples:
    """Causal next-item examples in which every item of a history is a target.

    head: the prompt's tokens before the history; semantic: token numbers of semantic IDs, int64 [items, levels];
    window: items that a prompt shows in use, so a row holds one more: the target after a full window.
    """
    pieces = chunked(histories, window + 1)
    return _headed(head, pieces, semantic, np.ones(len(pieces.items), dtype=bool))


def chosen_items(histories: Ragged, learnt: Bool, head: Sequence[int], semantic: Int64, window: int) -> Examples:
    """The same where only some events are targets, those before them in the window being read.

    learnt: bool [events]; pieces of a history that hold no target are left out.
    """
    pieces = chunked(histories, window + 1)
    holds = np.bincount(pieces.rows, weights=learnt, minlength=len(pieces)) > 0
    return _headed(head, pieces.take(np.flatnonzero(holds)), semantic, learnt[holds[pieces.rows]])


def last_item(histories: Ragged, targets: Ragged, head: Sequence[int], semantic: Int64, window: int) -> Examples:
    """Examples in which only the first target after a history is learnt: validation's, as it is asked in use.

    Raises DataError for a history without a target.
    """
    if not targets.lengths.all():
        raise DataError("a case has no target", where=f"case {int(targets.lengths.argmin())}", remedy="leave it out")
    shown = histories.last(window)
    whole = Ragged(shown.offsets + np.arange(len(shown) + 1), np.empty(len(shown.items) + len(shown), dtype=np.int32))
    learnt = whole.places == whole.lengths[whole.rows] - 1
    whole.items[~learnt] = shown.items
    whole.items[learnt] = targets.items[targets.offsets[:-1]]
    return _headed(head, whole, semantic, learnt)


def judged_items(
    histories: Ragged, said: Int64, head: Sequence[int], semantic: Int64, answers: Int64, window: int
) -> Examples:
    """Causal examples in which every item of a history is followed by what was said of it, which alone is learnt.

    said: for every event its place in `answers`, int64 [events]; answers: token numbers, one for each answer; window:
    judged items that a prompt shows in use, so a row holds one more.
    """
    pieces = chunked(histories, window + 1)
    tokens = np.column_stack([semantic[pieces.items], answers[said]])
    learnt = np.zeros(tokens.shape, dtype=bool)
    learnt[:, -1] = True
    return _laid(head, pieces, tokens, learnt)


def _headed(head: Sequence[int], items: Ragged, semantic: Int64, learnt: Bool) -> Examples:
    """head + the semantic IDs of each row; labels where `learnt` [events] holds."""
    return _laid(head, items, semantic[items.items], np.repeat(learnt[:, None], semantic.shape[1], axis=1))


def _laid(head: Sequence[int], rows: Ragged, tokens: Int64, learnt: Bool) -> Examples:
    """head + the tokens of each row's events, [events, width]; labels where `learnt` holds."""
    width, before = tokens.shape[1], len(head)
    lengths = rows.lengths * width + before
    offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
    inputs = np.empty(offsets[-1], dtype=np.int32)
    labels = np.full(offsets[-1], IGNORED, dtype=np.int32)
    inputs[(offsets[:-1, None] + np.arange(before)).ravel()] = np.tile(np.asarray(head, dtype=np.int32), len(rows))
    places = (offsets[rows.rows] + before + rows.places * width)[:, None] + np.arange(width)
    inputs[places] = tokens
    labels[places] = np.where(learnt, tokens, IGNORED)
    return Examples(Ragged(offsets, inputs), Ragged(offsets, labels))


def answered(vocabulary: Tokens, prompts: Sequence[str], completions: Sequence[str], longest: int) -> Examples:
    """Prompt → completion examples; the completion and an end token are learnt, over-long prompts lose their middle."""
    pairs = [
        _pair(vocabulary.ids(prompt), [*vocabulary.ids(completion), vocabulary.end_id], longest)
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    inputs = Ragged.from_lists([prompt + completion for prompt, completion in pairs])
    labels = Ragged.from_lists([[IGNORED] * len(prompt) + completion for prompt, completion in pairs])
    return Examples(inputs, labels)


def _pair(prompt: list[int], completion: list[int], longest: int) -> tuple[list[int], list[int]]:
    room = max(longest - len(completion), 2)
    if len(prompt) <= room:
        return prompt, completion
    return prompt[: room // 2] + prompt[len(prompt) - (room - room // 2) :], completion
