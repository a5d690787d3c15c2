"""Every kind of adapter on one small base and one task: what it reaches, holds, takes, and whether it merges.

The base has learnt viewers who know one half of the films only. The task: other viewers, who know the other half; some
of them are learnt, the last choices of the rest are the test. Base and adapters share one index of all films, in three
codes each, by their texts alone, as a large catalog would have.
Every kind has the same steps and the best of the same rates, chosen on validation; the test is looked at once.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from genrec.asking import NextItemPrompt
from genrec.benchmarking import Claim, claim
from genrec.catalog import Catalog
from genrec.evaluation.generative import GenerativeRanker
from genrec.evaluation.protocol import Result, evaluate
from genrec.examples import Examples, last_item, next_item
from genrec.fusing import Fusion
from genrec.indexing import build_index
from genrec.interactions import Interactions
from genrec.items.codes import CodesConfig
from genrec.items.text import TFIDF, item_texts
from genrec.model.adapters import UNMERGED, Kind, LoraSettings, adapted, finish, merged
from genrec.model.base import ScratchConfig, pretrained
from genrec.model.loading import engine_of
from genrec.model.quantising import in_bits
from genrec.model.shared_rows import merge_rows
from genrec.model.vocabulary import Vocabulary
from genrec.priors import Mix
from genrec.prompting import load_prompts
from genrec.ragged import Ragged
from genrec.resources import folder
from genrec.splitting import Cases, Split, leave_last_out
from genrec.tuning.learnt import NDCG, cross_entropy, flattened
from genrec.tuning.model import context_of, starting_model
from genrec.tuning.result import sample
from genrec.tuning.settings import ItemSettings, OptimiserSettings, SftSettings
from genrec.tuning.splits import split_of
from genrec.tuning.trainer import trainer
from genrec.world import WorldConfig, load_films, simulate

Figures = dict[str, Any]
SHAPE = ScratchConfig(hidden=128, layers=3, heads=4, feed_forward=384, text_vocabulary=1024, dropout=0.1)
LORA, VIRTUAL, WINDOW = LoraSettings(rank=8, alpha=16, dropout=0.0), 10, 30
RATES = (2e-3, 1e-2)
ROWS = "rows of the codes alone"
KINDS: dict[str, tuple[Kind, LoraSettings]] = {
    ROWS: ("ia3", LORA), "full": ("full", LORA), "lora": ("lora", LORA),
    "rsLoRA": ("lora", LORA.model_copy(update={"rslora": True})),
    "DoRA": ("lora", LORA.model_copy(update={"dora": True})), "qlora": ("qlora", LORA), "adalora": ("adalora", LORA),
    "ia3": ("ia3", LORA), "prefix": ("prefix", LORA), "prompt": ("prompt", LORA),
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """viewers: of the base's half, and of the other one those that are learnt, that choose the rate, and that test;
    epochs: of the base and of an adapter."""

    viewers: tuple[int, int, int, int] = (200, 60, 100, 300)
    epochs: tuple[int, int] = (8, 3)


@dataclass(frozen=True)
class Task:
    """base: where the model lies; known, asked: what each half's viewers did; ranking all films."""

    base: Path
    vocabulary: Vocabulary
    asking: NextItemPrompt
    asked: Split
    size: Size

    @property
    def rows(self) -> list[int]:
        return [int(token) for level in self.vocabulary.code_ids for token in level]

    def model(self, kind: Kind, settings: LoraSettings) -> PreTrainedModel | PeftModel:
        """A fresh adapter over the base."""
        torch.manual_seed(0)
        base = pretrained(str(self.base))
        return adapted(in_bits(base, "nf4") if kind == "qlora" else base, kind, settings, VIRTUAL, self.rows)


def kinds(size: Size, kept: Path) -> tuple[Figures, list[Claim]]:
    """kept: folder of what was measured before, which is not measured again."""
    task = _task(size, kept / "base")
    base = measured(kept / "base.json", lambda: tested(task.asking, task.asked.test, pretrained(str(task.base))))
    found = {}
    for name in KINDS:
        found[name] = measured(kept / f"{name}.json", partial(_kind, task, name))
        print(name, {key: value for key, value in found[name].items() if not isinstance(value, list)}, flush=True)
    rows = {"base as it is": base, **found}
    for row in rows.values():
        row |= {"over_base": over(row["each"], base["each"], row["users"])}
    lora = found["lora"]["over_base"]
    errors = [row["merge_error"] for row in found.values() if row.get("merge_error") is not None]
    figures = {
        "size": {"viewers": size.viewers, "epochs": size.epochs, "rates": RATES},
        "rows": {name: without_cases(row) for name, row in rows.items()},
    }
    note = "other viewers and films than the base learnt; NDCG@10 of LoRA less that of the base, one seed"
    return figures, [
        claim("finetune.lora_over_base_low", lora["low"], "NDCG@10", ">=", 0, n=len(base["each"]), note=note),
        claim("finetune.merge_error", max(errors), "nats", "<=", 1e-3, n=len(errors), note="largest of all kinds"),
    ]  # fmt: skip


def without_cases(row: Figures) -> Figures:
    return {name: value for name, value in row.items() if name not in ("each", "users")}


def measured(path: Path, measure: Callable[[], Figures]) -> Figures:
    if not path.exists():
        path.write_text(json.dumps(measure()), encoding="utf-8")
    found: Figures = json.loads(path.read_text("utf-8"))
    return found


def _task(size: Size, place: Path) -> Task:
    catalog = load_films()
    halves = [catalog.select(np.arange(first, len(catalog), 2)) for first in (0, 1)]
    counts = (size.viewers[0], sum(size.viewers[1:]))
    logs = [_log(half, viewers, seed) for seed, (half, viewers) in enumerate(zip(halves, counts, strict=True))]
    known = split_of(SftSettings().split, logs[0], catalog.item_ids)
    asked = _among_others(logs[1], catalog.item_ids, size)
    items = ItemSettings(encoder=TFIDF, collaborative=0, codes=CodesConfig(levels=3, size=64))
    index = build_index(catalog, Ragged.from_lists([]), items).index
    prompts = load_prompts(folder("prompts"), "en")
    model, vocabulary = starting_model(SftSettings(scratch=SHAPE), index, prompts, item_texts(catalog, None), 0.1)
    asking = NextItemPrompt(prompts, vocabulary, index, WINDOW)
    if not (place / "config.json").exists():
        assert isinstance(model, PreTrainedModel)
        learn(asking, _next(asking, known), known.valid, model, learning(2e-3, size.epochs[0]))
        merge_rows(model)
        model.save_pretrained(str(place))
    return Task(place, vocabulary, asking, asked, size)


def _among_others(log: Interactions, item_ids: list[str], size: Size) -> Split:
    """Some viewers are learnt from; the last choices of others, whom no adapter has seen, choose the rate and test."""
    whole = leave_last_out(log, item_ids)
    learnt, choosing, _ = size.viewers[1:]
    train = Interactions(log.table.filter(pl.col("user_id").is_in(whole.test.users[:learnt])))
    rows = np.arange(len(whole.test))
    valid, test = rows[learnt : learnt + choosing], rows[learnt + choosing :]
    return Split("other viewers", train, whole.test.take(valid), whole.test.take(test), item_ids)


def _log(half: Catalog, viewers: int, seed: int) -> Interactions:
    return simulate(half, WorldConfig(users=viewers, seed=seed)).interactions


def learning(rate: float, epochs: int) -> OptimiserSettings:
    return OptimiserSettings(batch_size=16, learning_rate=rate, epochs=epochs, evaluations=epochs, patience=epochs)


def _next(asking: NextItemPrompt, split: Split) -> Examples:
    return next_item(split.train.histories(split.item_ids).items, asking.head, asking.semantic, asking.window)


def learn(
    asking: NextItemPrompt, train: Examples, cases: Cases, model: Any, settings: OptimiserSettings, variants: int = 1
) -> Figures:
    """Validation NDCG@10 of the best codes, and seconds of the processor. variants: epochs that `train` holds."""
    assert isinstance(asking.vocabulary, Vocabulary)
    valid, passes = _examples(asking, sample(cases, 400, 0)), settings.epochs / variants
    with tempfile.TemporaryDirectory() as run, flattened(model):
        made = trainer(
            model, asking.vocabulary.tokenizer, train, valid, settings, Path(run), passes=passes, loss=cross_entropy
        )
        start = time.process_time()
        made.train()
        seconds = time.process_time() - start
    finish(model)
    return {"valid": made.state.best_metric, "seconds": seconds, "metric": NDCG}


def _examples(asking: NextItemPrompt, cases: Cases) -> Examples:
    return last_item(cases.histories, cases.targets, asking.head, asking.semantic, asking.window)


def _kind(task: Task, name: str) -> Figures:
    """The best of the rates."""
    tried = [_run(task, name, rate) for rate in RATES]
    best = max(tried, key=lambda one: one[0]["valid"])
    figures, model = best
    seconds = statistics.median(one["seconds"] for one, _ in tried)
    tests = tested(task.asking, task.asked.test, model)
    return figures | {"seconds": seconds} | tests | _kept_and_merged(task, name, model)


def _run(task: Task, name: str, rate: float) -> tuple[Figures, PreTrainedModel | PeftModel]:
    kind, settings = KINDS[name]
    model = task.model(kind, settings)
    if name == ROWS:
        for part, weight in model.named_parameters():
            weight.requires_grad_("trainable_tokens_delta" in part)
    learnt = {part: weight.numel() for part, weight in model.named_parameters() if weight.requires_grad}
    rows = sum(count for part, count in learnt.items() if "trainable_tokens_delta" in part)
    counts = {"trained": sum(learnt.values()) - rows, "rows": rows, "rate": rate}
    train, optimiser = _next(task.asking, task.asked), learning(rate, task.size.epochs[1])
    return counts | learn(task.asking, train, task.asked.valid, model, optimiser), model


def tested(asking: NextItemPrompt, cases: Cases, model: PreTrainedModel | PeftModel) -> Figures:
    """Recall and NDCG of the model alone over all items, with each case's NDCG."""
    assert isinstance(asking.vocabulary, Vocabulary)
    engine = engine_of(model.eval(), asking.vocabulary, context_of(model))
    ranker = GenerativeRanker(Fusion(engine, asking, Mix((), {})))
    result = evaluate(ranker, cases, (10,), mask_seen=True)
    found = result.intervals(["recall@10", "ndcg@10"])
    shown = {name: {"value": one.mean, "low": one.low, "high": one.high} for name, one in found.items()}
    return {**shown, "each": result.per_case["ndcg@10"].tolist(), "users": result.users}


def over(mine: list[float], theirs: list[float], users: list[str]) -> Figures:
    """The paired interval of one NDCG@10 less the other."""
    one, other = (
        Result("", True, users, np.zeros((0, 0), dtype=np.int32), {"ndcg@10": np.array(values)}, 0.0)
        for values in (mine, theirs)
    )
    gain = one.difference(other, "ndcg@10")
    return {"value": gain.mean, "low": gain.low, "high": gain.high}


def _kept_and_merged(task: Task, name: str, model: PreTrainedModel | PeftModel) -> Figures:
    """bytes: of the file to keep, with rows that some kinds leave in the base; merge_error: nats, None: no merge."""
    if not isinstance(model, PeftModel):
        return {"bytes": sum(weight.nbytes for weight in model.parameters()), "merge_error": None}
    with tempfile.TemporaryDirectory() as place:
        model.save_pretrained(place)
        size = (Path(place) / "adapter_model.safetensors").stat().st_size
    kind = KINDS[name][0]
    if kind in ("ia3", "prefix", "prompt"):
        size = (0 if name == ROWS else size) + 2 * len(task.rows) * model.config.hidden_size * 4
    if kind in UNMERGED or name == ROWS:
        return {"bytes": size, "merge_error": None}
    before = list(_says(task, model))
    after = list(_says(task, merged(model)))
    return {"bytes": size, "merge_error": max(abs(one - other).max() for one, other in zip(before, after, strict=True))}


def _says(task: Task, model: PreTrainedModel | PeftModel) -> Iterator[np.ndarray[Any, Any]]:
    """Log-probabilities of every film after some histories."""
    few = sample(task.asked.valid, 20, 1)
    fusion = Fusion(engine_of(model.eval(), task.vocabulary, context_of(model)), task.asking, Mix((), {}))
    films = np.arange(len(task.asking.index))
    for row in range(len(few)):
        yield fusion.scores(few.histories.take(np.array([row])), films)[0]
