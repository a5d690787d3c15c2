"""Logits → log-probabilities of the tokens that a request allows, −inf elsewhere: one pure function on tensors.

The torch engine and both of vLLM's logits-processor interfaces stand on it. Does not know tries, vLLM or requests'
history: what it does to a row depends on that row and its `Want` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from genrec.decoding.asks import Want

Counts = npt.NDArray[np.int64]


def logprobs_at(logits: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """log-softmax over the last dimension, read at `columns` (token numbers, int64 [n]): [..., n]."""
    return logits[..., columns] - logits.logsumexp(-1, keepdim=True)


def constrain(logits: torch.Tensor, wants: Mapping[int, Want]) -> torch.Tensor:
    """Overwrites the rows named in `wants` of float32 [rows, vocabulary] and returns the tensor; other rows stay.

    A row that asks for log-probabilities gets those of its allowed tokens (the best `most` by log-probability plus
    bound, where there are more), normalised over its columns, and −inf everywhere else. A row of free text only loses
    the tokens outside its columns. Token numbers beyond the vocabulary count as absent.
    """
    texts = {row: want for row, want in wants.items() if want.most == 0}
    beams = {row: want for row, want in wants.items() if want.most > 0}
    for row, want in texts.items():
        _forbid_outside(logits[row], want)
    if beams:
        _write(logits, beams)
    return logits


def _forbid_outside(row: torch.Tensor, want: Want) -> None:
    if not want.columns:
        return
    kept = [(low, row[low:high].clone()) for low, high in want.columns]
    row.fill_(-torch.inf)
    for low, values in kept:
        row[low : low + len(values)] = values


def _write(logits: torch.Tensor, wants: Mapping[int, Want]) -> None:
    rows = list(wants)
    norms = _norms(logits, wants)
    free = [row for row in rows if wants[row].allowed is None]
    for row in free:
        _forbid_outside(logits[row], wants[row])
        logits[row] -= norms[rows.index(row)]
    bound = [place for place, row in enumerate(rows) if wants[row].allowed is not None]
    if not bound:
        return
    size = logits.shape[-1]
    chosen = [_known(wants[rows[place]], size) for place in bound]
    counts = np.array([len(tokens) for tokens, _ in chosen])
    at = torch.from_numpy(np.repeat([rows[place] for place in bound], counts)).to(logits.device)
    tokens = torch.from_numpy(np.concatenate([tokens for tokens, _ in chosen])).to(logits.device)
    places = torch.from_numpy(np.repeat(bound, counts)).to(logits.device)
    values = logits[at, tokens] - norms[places]
    most = np.array([wants[rows[place]].most for place in bound])
    if (counts > most).any():
        _prune(values, [bounds for _, bounds in chosen], counts, most)
    if len(bound) == len(logits):  # a wave alone in its batch: no row is looked up
        logits.fill_(-torch.inf)
    else:
        logits[torch.tensor([rows[place] for place in bound], device=logits.device)] = -torch.inf
    logits[at, tokens] = values


def _norms(logits: torch.Tensor, wants: Mapping[int, Want]) -> torch.Tensor:
    """The logarithm of what the probabilities of each row's columns sum to, [wants]."""
    plain = [place for place, want in enumerate(wants.values()) if not want.columns]
    rows = list(wants)
    if len(plain) == len(rows) == len(logits) and rows == list(range(len(rows))):
        return logits.logsumexp(-1)
    norms = logits.new_empty(len(rows))
    if plain:
        norms[plain] = logits[[rows[place] for place in plain]].logsumexp(-1)
    for place, (row, want) in enumerate(wants.items()):
        if want.columns:
            norms[place] = torch.cat([logits[row, low:high] for low, high in want.columns]).logsumexp(0)
    return norms


def _known(want: Want, size: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], torch.Tensor | None]:
    """The allowed tokens that the vocabulary has, with their bounds."""
    assert want.allowed is not None
    known = want.allowed < size
    bounds = None if want.bounds is None else torch.from_numpy(want.bounds[known])
    return want.allowed[known], bounds


def _prune(values: torch.Tensor, bounds: Sequence[torch.Tensor | None], counts: Counts, most: Counts) -> None:
    """All but the best `most` of each row become −inf, in place; of equals the earlier stays. values: row after row."""
    size = len(counts)
    row = torch.from_numpy(np.repeat(np.arange(size), counts)).to(values.device)
    column = torch.from_numpy(np.concatenate([np.arange(count) for count in counts])).to(values.device)
    worth = values.double()
    for end, count, bound in zip(counts.cumsum(), counts, bounds, strict=True):
        if bound is not None:
            worth[end - count : end] += bound.to(values.device)
    table = worth.new_full((size, int(counts.max())), -torch.inf)  # what fills up a row stands last among equals
    table[row, column] = worth
    place = table.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    values[place[row, column] >= torch.from_numpy(most).to(values.device)[row]] = -torch.inf
