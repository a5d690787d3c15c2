"""Choosing a baseline's settings on validation cases. Does not know any baseline, nor the test cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from genrec.errors import ConfigError
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.evaluation.ranker import Scorer, ScoreRanker
from genrec.splitting import Cases

Model = TypeVar("Model", bound=Scorer)
Config = TypeVar("Config", bound=BaseModel)


@dataclass(frozen=True)
class Tuned(Generic[Model, Config]):
    """The best model, its settings, and every trial as (settings, validation NDCG)."""

    model: Model
    config: Config
    trials: list[tuple[Config, float]]


def validation_ndcg(model: Scorer, valid: Cases, *, k: int = 10, mask_seen: bool = True) -> float:
    """Mean NDCG@k over the validation cases, the whole catalog ranked."""
    k = min(k, model.n_items)
    return float(ndcg(ScoreRanker(model).rank(valid.histories, k, mask_seen=mask_seen), valid.targets, k).mean())


def choose(
    fit: Callable[[Config], Model], grid: Sequence[Config], valid: Cases, *, k: int = 10, mask_seen: bool = True
) -> Tuned[Model, Config]:
    """Fits every setting and keeps the one with the highest validation NDCG@k; the earlier one wins a tie."""
    if not grid:
        raise ConfigError("no settings to choose from", value=[], allowed="one config or more", remedy="pass a grid")
    best: tuple[float, Model, Config] | None = None
    trials: list[tuple[Config, float]] = []
    for config in grid:
        model = fit(config)
        trials.append((config, validation_ndcg(model, valid, k=k, mask_seen=mask_seen)))
        if best is None or trials[-1][1] > best[0]:
            best = (trials[-1][1], model, config)
    assert best is not None
    return Tuned(best[1], best[2], trials)
