"""How well each stretch of a history predicts what came next: the evidence for and against a change at every place.

For every place `since` where a stretch may begin, the person's topics are counted from there on; each choice is then
predicted from the counts before it, by the mixture of `topics`. The counts are those of a filter: every choice adds to
the topics that explain it given the counts so far, so that one odd choice adds next to nothing. Knows arrays only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec.interest.topics import Float64, Topics, likeness
from genrec.ragged import Int64, Ragged

_ROWS = 64  # histories filtered at once
_LEFT = 0.05


@dataclass(frozen=True)
class Filter:
    """prior: choices that equal shares of all topics weigh, before anything is known of a stretch."""

    topics: Topics
    prior: float = 4.0

    def evidence(self, histories: Ragged) -> list[Float64]:
        """Of each history float64 [n, n]: at [since, place] the log of how many times likelier than usual the choice
        at `place` is, as predicted by those from `since` to before it; 0 where `since` is later.

        A loop over places, not over histories.
        """
        out: list[Float64] = [np.empty((0, 0))] * len(histories)
        order = np.argsort(histories.lengths, kind="stable")
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            found = self._filtered(histories.take(rows))
            for row, one, length in zip(rows.tolist(), found, histories.lengths[rows].tolist(), strict=True):
                out[row] = one[:length, :length].astype(np.float64)
        return out

    def _filtered(self, histories: Ragged) -> Float64:
        n, config, lift = int(histories.lengths.max(initial=0)), self.topics.config, self.topics.lift
        member = self.topics.of_items()
        common = member.T @ self.topics.usual
        counts = np.zeros((len(histories), n, len(self.topics)))
        seen, anywhere = np.zeros((len(histories), len(self.topics))), np.zeros(len(histories))
        found = np.zeros((len(histories), n, n))
        items, known = _left_aligned(histories, n)
        for place in range(n):
            item, there = items[:, place], known[:, place]
            before = likeness(member, common, items[:, place - 1], item) if place else np.ones(len(items))
            fits = lift[:, item].T / np.maximum(1.0 - seen, _LEFT)
            so_far = counts[:, : place + 1]
            weights = (so_far + self.prior / len(self.topics)) / (so_far.sum(axis=2, keepdims=True) + self.prior)
            part = (1 - config.anywhere - config.follow) * weights * fits[:, None]
            other = config.anywhere / np.maximum(1.0 - anywhere, _LEFT) + config.follow * before
            whole = part.sum(axis=2) + other[:, None]
            found[:, : place + 1, place] = np.where(there[:, None], np.log(whole), 0.0)
            counts[:, : place + 1] += part / whole[:, :, None]
            seen += self.topics.chances[:, item].T
            anywhere += self.topics.usual[item]
        return found


def _left_aligned(histories: Ragged, n: int) -> tuple[Int64, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Item numbers, 0 where a row has ended, int64 [rows, n], and where there is one."""
    items = np.zeros((len(histories), n), dtype=np.int64)
    items[histories.rows, histories.places] = histories.items
    return items, np.arange(n) < histories.lengths[:, None]
