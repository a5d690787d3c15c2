"""The film world as training/sft.py would learn it: examples, cases, fresh models. Does not know what is measured."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers import DataCollatorForSeq2Seq, PreTrainedModel, Trainer, TrainingArguments

from genrec.asking import NextItemPrompt
from genrec.examples import Examples, last_item
from genrec.indexing import build_index
from genrec.items.index import ItemIndex
from genrec.items.text import item_texts
from genrec.model.base import ScratchConfig
from genrec.model.vocabulary import Vocabulary
from genrec.prompting import load_prompts
from genrec.resources import folder
from genrec.splitting import Cases
from genrec.tuning.mixture import mixture
from genrec.tuning.model import starting_model
from genrec.tuning.result import sample
from genrec.tuning.settings import ItemSettings, MixtureSettings, SftSettings
from genrec.tuning.splits import split_of
from genrec.world import WorldConfig, load_films, simulate

MIXTURE = MixtureSettings(item_to_id=0.25, id_to_item=0.1, explain=200, variants=1)


@dataclass(frozen=True)
class Films:
    """model: fresh weights; train: one epoch; valid: cases and the same as examples."""

    model: PreTrainedModel
    vocabulary: Vocabulary
    index: ItemIndex
    asking: NextItemPrompt
    train: Examples
    cases: Cases
    valid: Examples

    def fresh(self) -> PreTrainedModel:
        return copy.deepcopy(self.model)


def films(users: int, cases: int, shape: ScratchConfig) -> Films:
    """An epoch of so many viewers, and so many validation cases."""
    catalog = load_films()
    settings = SftSettings(scratch=shape.model_copy(update={"shared": 0, "dropout": 0.0}), items=ItemSettings())
    world = simulate(catalog, WorldConfig(users=users))
    split = split_of(settings.split, world.interactions, catalog.item_ids)
    histories = split.train.histories(split.item_ids)
    index = build_index(catalog, histories.items, settings.items).index
    prompts = load_prompts(folder("prompts"), "en")
    torch.manual_seed(0)
    model, vocabulary = starting_model(settings, index, prompts, item_texts(catalog, None), 0.0)
    assert isinstance(model, PreTrainedModel)
    asking = NextItemPrompt(prompts, vocabulary, index, 30)
    learnt = mixture(asking, catalog, histories, MIXTURE, 0)
    seen = sample(split.valid, cases, 0)
    valid = last_item(seen.histories, seen.targets, asking.head, asking.semantic, asking.window)
    return Films(model, vocabulary, index, asking, learnt, seen, valid)


def plain_trainer(world: Films, model: PreTrainedModel, batch: int, run: str, **chosen: Any) -> Trainer:
    """transformers' Trainer as its documentation shows it: the model's own loss, padded batches in random order.

    run: a folder; chosen: further training arguments."""
    arguments = TrainingArguments(
        output_dir=run, num_train_epochs=1, per_device_train_batch_size=batch, learning_rate=1e-3, report_to="none",
        save_strategy="no", disable_tqdm=True, **chosen,
    )  # fmt: skip
    tokenizer = world.vocabulary.tokenizer
    return Trainer(
        model, arguments, train_dataset=Dataset.from_dict(world.train.columns()), processing_class=tokenizer,
        data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True),
    )  # fmt: skip
