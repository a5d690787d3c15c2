"""Cases of preference: choices out of training histories, each with candidates that it is held against.

Candidates are what the model itself would put in the choice's place, under the trie and with seen items left out, so
every one is an item of the catalog; and what the user turned down. Looks at training events only. Does not know losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from genrec.decoding.engine import Engine, Float64
from genrec.fusing import Bool, Fusion, unseen
from genrec.interactions import Interactions
from genrec.priors.mix import Float32
from genrec.progress import along
from genrec.ragged import Int64, Ragged
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.preferring import Compared

_ROWS = 512  # cases whose candidates are found at once


@dataclass(frozen=True)
class Choices:
    """What was chosen after which history, and what the user had turned down since the choice before.

    events: training histories; places: where in their flat array the choices stand, int64 [choices]; times: UTC seconds
    of the choices, int64 [choices].
    """

    events: Ragged
    places: Int64
    times: Int64
    refused: Ragged

    def __len__(self) -> int:
        return len(self.places)

    @classmethod
    def of(
        cls, train: Interactions, item_ids: Sequence[str], recent: float, refused: Interactions | None = None
    ) -> Choices:
        """Every choice among the newest share of the training events that has a history. refused: what was turned down
        and when, of any time: it counts only before a choice of training."""
        histories = train.histories(item_ids)
        items, times = histories.items, histories.times
        since = np.quantile(times, 1 - recent, method="higher")
        places = np.flatnonzero((items.places > 0) & (times >= since))
        turned = _turned_down(histories.users, items, times, item_ids, refused)
        return cls(items, places, times[places], turned.take(places))

    @property
    def chosen(self) -> Int64:
        """Item numbers, int64 [choices]."""
        return self.events.items[self.places].astype(np.int64)

    @property
    def histories(self) -> Ragged:
        """What came before each."""
        before = self.events.places[self.places]
        offsets = np.concatenate([[0], before.cumsum()]).astype(np.int64)
        first = np.repeat(self.places - before - offsets[:-1], before)
        return Ragged(offsets, self.events.items[first + np.arange(offsets[-1])])

    def take(self, rows: Int64) -> Choices:
        return Choices(self.events, self.places[rows], self.times[rows], self.refused.take(rows))

    def drawn(self, most: int, seed: int) -> Choices:
        """At most so many, those first before which something was turned down, else by chance; in their order."""
        chance = np.random.default_rng(seed).random(len(self))
        return self.take(np.sort(np.lexsort((chance, self.refused.lengths == 0))[:most]))


def _turned_down(
    users: Sequence[str], items: Ragged, times: Int64, item_ids: Sequence[str], refused: Interactions | None
) -> Ragged:
    """Of every training event what its user turned down since the event before, that event's own item left out."""
    if refused is None or not len(refused):
        return Ragged(np.zeros(len(items.items) + 1, dtype=np.int64), np.empty(0, dtype=np.int32))
    schema = {"user_id": pl.String}
    names = pl.Series(users, dtype=schema["user_id"])[items.rows]
    events = pl.DataFrame({"user_id": names, "timestamp": times, "place": np.arange(len(times)), "item": items.items})
    numbers = pl.DataFrame({"item_id": list(item_ids), "other": np.arange(len(item_ids), dtype=np.int32)})
    found = (
        refused.table.select("user_id", "item_id", "timestamp").join(numbers, on="item_id", how="inner")
        .sort("timestamp").join_asof(
            events.sort("timestamp"), on="timestamp", by="user_id", strategy="forward", check_sortedness=False
        )
        .filter(pl.col("place").is_not_null() & (pl.col("other") != pl.col("item")))
        .unique(["place", "other"], keep="first", maintain_order=True).sort("place", maintain_order=True)
    )  # fmt: skip
    counts = np.bincount(found["place"].to_numpy(), minlength=len(times))
    return Ragged(np.concatenate([[0], counts.cumsum()]).astype(np.int64), found["other"].to_numpy().astype(np.int32))


def compared(
    choices: Choices, now: Fusion, reference: Engine | None, settings: AlignSettings, seed: int = 0
) -> Compared:
    """The choices with candidates as the model now is. reference: of the bundle that is aligned; None: the same."""
    parts = [choices.take(rows) for rows in _chunks(len(choices))]
    rng = np.random.default_rng(seed)
    rewarded = settings.method == "rewards"
    found = [_rollouts(part, now, settings, rng) if rewarded else _beam(part, now, settings) for part in parts]
    items, values = (np.concatenate([one[place] for one in found]) for place in (0, 1))
    prompts, there = now.asking.batch(choices.histories), items >= 0
    codes = [now.asking.index.codes[row[held]] for row, held in zip(items, there, strict=True)]
    said = _filled((reference or now.engine).score(prompts, codes), there)
    if rewarded:
        ranked = reference is not None and settings.penalty  # else nobody asks how the model ranks them now
        spoken = _filled(now.engine.score(prompts, codes), there) if ranked else said
        values = values + rewards(spoken, settings.penalty)
    tokens = now.asking.semantic[np.where(there, items, items[:, :1])]
    return Compared(Ragged.from_lists(prompts), tokens, said, values)


def _chunks(cases: int) -> list[Int64]:
    return [np.arange(start, min(start + _ROWS, cases)) for start in along("candidates", cases, _ROWS)]


def _beam(choices: Choices, now: Fusion, settings: AlignSettings) -> tuple[Int64, Float32]:
    """Item numbers, int64 [choices, 1 + rejected], −1 filling up: the chosen one, what was turned down, the model's
    best; and no rewards."""
    found = now.alone().rank(choices.histories, settings.rejected, allowed=_allowed(choices, now))
    items = _laid(choices, [one.items for one in found], settings.rejected)
    return items, np.zeros(items.shape, dtype=np.float32)


def _rollouts(
    choices: Choices, now: Fusion, settings: AlignSettings, rng: np.random.Generator
) -> tuple[Int64, Float32]:
    """The same with items drawn from what model and priors say together, and what the priors reward each with.

    Drawn without replacement by the Gumbel trick (Kool et al. 2019): noise of an item is a prior of it.
    """
    items, histories = len(now.asking.index), choices.histories
    judge = replace(now, mix=replace(now.mix, model=True)) if settings.priors else now.alone()
    noise = list(rng.gumbel(size=(len(choices), items)).astype(np.float32))
    found = judge.rank(histories, settings.rejected, allowed=_allowed(choices, now), nudges=noise)
    laid = _laid(choices, [one.items for one in found], settings.rejected)
    if not judge.mix:
        return laid, np.zeros(laid.shape, dtype=np.float32)
    values = np.take_along_axis(judge.mix.values(histories), np.maximum(laid, 0), axis=1)
    return laid, np.where(laid >= 0, settings.priors * values, 0).astype(np.float32)


def _laid(choices: Choices, found: Sequence[Int64], rejected: int) -> Int64:
    out = np.full((len(choices), 1 + rejected), -1, dtype=np.int64)
    for row, (items, chosen) in enumerate(zip(found, choices.chosen.tolist(), strict=True)):
        turned = choices.refused[row].astype(np.int64)
        whole = np.concatenate([[chosen], turned, items[~np.isin(items, turned)]])[: 1 + rejected]
        out[row, : len(whole)] = whole
    return out


def _allowed(choices: Choices, now: Fusion) -> list[Bool]:
    """Neither what was seen nor what was then chosen."""
    histories, masks = choices.histories, []
    for row, chosen in enumerate(choices.chosen.tolist()):
        masks.append(unseen(histories[row], len(now.asking.index)))
        masks[-1][chosen] = False
    return masks


def _filled(scores: Sequence[Float64], there: Bool) -> Float32:
    out = np.full(there.shape, -np.inf, dtype=np.float32)
    out[there] = np.concatenate(scores)
    return out


def rewards(spoken: Float32, penalty: float) -> Float32:
    """1 for the chosen one, which stands first; the others share −penalty by 1 / log2(1 + rank), ranks being those that
    the model gives them among themselves. spoken: float32 [cases, candidates], −inf where there is none."""
    out = np.zeros_like(spoken)
    out[:, 0] = 1
    wrong = spoken[:, 1:]
    rank = np.argsort(np.argsort(-wrong, axis=1, kind="stable"), axis=1, kind="stable") + 1
    share = np.where(np.isfinite(wrong), 1 / np.log2(1 + rank), 0)
    out[:, 1:] = -penalty * share / np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    return out
