"""Histories and catalog → training examples as token numbers. Does not know files, trainers or weights.

An example is a sequence and its labels; −100 marks tokens that are read but not learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from genrec.ragged import Int64, Ragged

IGNORED = -100


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
    return (flat[low:high] for low, high in zip(offsets[:-1], offsets[1:], strict=True))


def joined(parts: Sequence[Examples]) -> Examples:
    """Several tasks as one mixture."""
    return Examples(_joined([part.inputs for part in parts]), _joined([part.labels for part in parts]))


def _joined(parts: Sequence[Ragged]) -> Ragged:
    lengths = np.concatenate([part.lengths for part in parts])
    items = np.concatenate([part.items for part in parts])
    return Ragged(np.concatenate([[0], lengths.cumsum()]).astype(np.int64), items)


def chunked(histories: Ragged, window: int) -> Ragged:
    """Every history cut into pieces of at most `window` items, the newest piece full; each event stands in one."""
    lengths = histories.lengths[histories.lengths > 0]
    pieces = -(-lengths // window)
    first = lengths - (pieces - 1) * window
    sizes = np.full(int(pieces.sum()), window, dtype=np.int64)
    sizes[np.concatenate([[0], pieces.cumsum()[:-1]])] = first
    return Ragged(np.concatenate([[0], sizes.cumsum()]).astype(np.int64), histories.items)


def next_item(histories: Ragged, head: Sequence[int], semantic: Int64, window: int) -> Examples:
    """Causal next-item examples in which every item of a history is a target.

    head: the prompt's tokens before the history; semantic: token numbers of semantic IDs, int64 [items, levels].
    """
    pieces = chunked(histories, window)
    return _headed(head, pieces, semantic, _all_learnt(pieces))


def last_item(histories: Ragged, targets: Ragged, head: Sequence[int], semantic: Int64, window: int) -> Examples:
    """Examples in which only the target that follows a history is learnt: validation's, as it is asked in use."""
    shown = histories.last(window - 1)
    whole = Ragged.from_lists([np.append(shown[row], targets[row][:1]) for row in range(len(shown))])
    learnt = whole.places == np.repeat(whole.lengths - 1, whole.lengths)
    return _headed(head, whole, semantic, learnt)


def _all_learnt(pieces: Ragged) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(len(pieces.items), dtype=bool)


def _headed(
    head: Sequence[int], items: Ragged, semantic: Int64, learnt: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Examples:
    """head + the semantic IDs of each row; labels where `learnt` [events] holds."""
    levels, before = semantic.shape[1], len(head)
    lengths = items.lengths * levels + before
    offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
    inputs = np.empty(offsets[-1], dtype=np.int32)
    labels = np.full(offsets[-1], IGNORED, dtype=np.int32)
    inputs[(offsets[:-1, None] + np.arange(before)).ravel()] = np.tile(np.asarray(head, dtype=np.int32), len(items))
    places = (offsets[items.rows] + before + items.places * levels)[:, None] + np.arange(levels)
    tokens = semantic[items.items]
    inputs[places] = tokens
    labels[places] = np.where(learnt[:, None], tokens, IGNORED)
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
