"""Teaching a bundle to read requests: its words, its weights beside the ranker's, its examples, its training.

The ranker's own weights stay as they are: reading is a voice of its own, of the ranker's shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from datasets import Dataset
from peft import PeftModel
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AddedToken,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.chatting.mentions import Marked, Mentions
from genrec.chatting.phrasing import Phrasebook, Use
from genrec.chatting.request import Language
from genrec.chatting.roles import Reading, schema_of
from genrec.chatting.utterances import Drawer, Utterance, aligned
from genrec.decoding.automaton import automaton
from genrec.examples import IGNORED, Examples
from genrec.model.adapters import LoraSettings, merged, with_lora
from genrec.model.loading import vocabulary_of, weights
from genrec.model.vocabulary import END, PAD, Vocabulary
from genrec.ragged import Int64, Ragged
from genrec.tuning import watching
from genrec.tuning.learnt import Padded, cross_entropy, flattened
from genrec.tuning.muon import muon
from genrec.tuning.tracking import trackers
from genrec.tuning.trainer import Deadline, refuse_several

_HAN = Regex("[\u4e00-\u9fff]")


class ReadingOptimiser(BaseModel):
    """How long and how fast to learn to read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float = Field(3.8, gt=0)
    """Passes over the examples at most."""
    batch_size: int = Field(64, ge=1)
    """Requests per step."""
    learning_rate: float = Field(3e-3, gt=0)
    """Peak learning rate; it warms up, then falls along a cosine."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of the steps that warm up."""
    weight_decay: float = Field(0.05, ge=0)
    """Weight decay."""
    max_seconds: float | None = Field(None, gt=0)
    """Training stops after this time at the latest, the learning rate having fallen with it."""
    seed: int = 0
    """Seed of requests, weights and order."""


class ReadingSettings(BaseModel):
    """One run of training/chat.py."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: tuple[Language, ...] = ("en", "zh")
    """Languages whose phrasings are learnt, all by one voice."""
    examples: int = Field(12_000, ge=100)
    """Requests to draw for each language."""
    doubted: float = Field(0.1, ge=0, lt=1)
    """Share of the known cue words that are taken for unknown ones, drawn anew for parts of the examples: people will
    use words that no phrasing has, and the voice learns to read on beside them."""
    adapter: Literal["full", "lora"] = "full"
    """Weights of its own with words of its own, for a small model; or a LoRA adapter, for a large one."""
    words: int = Field(1600, ge=300)
    """Text tokens of its own (adapter full)."""
    lora: LoraSettings = LoraSettings(rank=32, alpha=64)
    """Shape of the adapter."""
    start: Literal["fresh", "bundle"] = "fresh"
    """Blocks to begin from (adapter full): freshly drawn ones, or the ranker's, which read no better (docs/log.md)."""
    optimiser: ReadingOptimiser = ReadingOptimiser()


class Lesson(NamedTuple):
    """A request with its mentions as they are found, and its reading in terms of these; None: not all were found."""

    utterance: Utterance
    marked: Marked
    reading: Reading | None


def lessons(
    catalog: Catalog, books: dict[Language, Phrasebook], settings: ReadingSettings, count: int, seed: int,
    *, use: Use = "train", doubted: float | None = None,
) -> list[Lesson]:  # fmt: skip
    """`count` requests of each language; doubted: in place of the settings'."""
    rng = np.random.default_rng(seed)
    finders = _finders(catalog, books, settings.doubted if doubted is None else doubted, rng)
    found = []
    for language in settings.languages:
        drawer = Drawer(catalog, finders[0], books[language], language)
        for place in range(count):
            one = drawer.draw(rng, use=use)
            marked = finders[place % len(finders)].find(one.text)
            found.append(Lesson(one, marked, aligned(one, marked.mentions)))
    return found


def cues_of_books(books: dict[Language, Phrasebook]) -> frozenset[str]:
    return frozenset().union(*(book.cues for book in books.values()))


def _finders(
    catalog: Catalog, books: dict[Language, Phrasebook], doubted: float, rng: np.random.Generator
) -> list[Mentions]:
    """The mention finder, and others that lack some cue words."""
    whole = Mentions.of(catalog, cues_of_books(books))
    known = sorted(whole.cues)
    others = [
        frozenset(np.array(known)[rng.random(len(known)) >= doubted].tolist()) for _ in range(5 if doubted else 0)
    ]
    return [whole, *(Mentions(whole.links, whole.numbers, whole.fields, cues) for cues in others)]


def reading_vocabulary(bundle: Bundle, settings: ReadingSettings, taught: Sequence[Lesson]) -> Vocabulary:
    """The bundle's own vocabulary, or one of words of its own: those of marked messages, Chinese by the character."""
    if settings.adapter == "lora":
        return vocabulary_of(bundle)
    texts = [one.marked.text for one in taught]
    texts += [one.reading.json(one.marked.mentions) for one in taught if one.reading is not None]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(_HAN, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.words, special_tokens=[PAD, END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, clean_up_tokenization_spaces=False
    )
    fast.add_tokens([AddedToken(mark, special=True, normalized=False) for mark in bundle.prompts.control_tokens])
    return Vocabulary(fast, ())


def reading_model(bundle: Bundle, settings: ReadingSettings, vocabulary: Vocabulary) -> PreTrainedModel | PeftModel:
    """The ranker's shape under rows for these words; or the ranker with a fresh adapter. The bundle stays as it is."""
    found = weights(bundle)
    ranker = merged(found) if isinstance(found, PeftModel) else found
    if settings.adapter == "lora":
        codes = {int(token) for level in vocabulary.code_ids for token in level}
        return with_lora(ranker, settings.lora, [token for token in range(len(vocabulary)) if token not in codes])
    config = ranker.config.__class__.from_dict({**ranker.config.to_dict(), "vocab_size": len(vocabulary),
        "pad_token_id": vocabulary.pad_id, "eos_token_id": vocabulary.end_id})  # fmt: skip
    torch.manual_seed(settings.optimiser.seed)
    own: PreTrainedModel = ranker.__class__(config)
    if settings.start == "bundle":
        rows = {id(module.weight) for module in (ranker.get_input_embeddings(), ranker.get_output_embeddings())}  # type: ignore[no-untyped-call]
        blocks = {name: part for name, part in ranker.state_dict(keep_vars=True).items() if id(part) not in rows}
        own.load_state_dict({name: part.detach() for name, part in blocks.items()}, strict=False)
    return own


def reading_examples(vocabulary: Vocabulary, book: Phrasebook, taught: Sequence[Lesson]) -> Examples:
    """Marked message → reading; only what is a choice under the schema is learnt."""
    kept = [(one.marked, one.reading) for one in taught if one.reading is not None]
    heads = vocabulary.tokenizer([book.asked(marked.text) for marked, _ in kept], add_special_tokens=False)["input_ids"]
    written = cache(partial(_written, vocabulary))
    rows, labels = [], []
    for head, (marked, reading) in zip(heads, kept, strict=True):
        tokens, learnt = written(schema_of(marked.mentions), reading.json(marked.mentions))
        rows.append([*head, *tokens])
        labels.append([*([IGNORED] * len(head)), *learnt])
    return Examples(Ragged.from_lists(rows), Ragged.from_lists(labels))


def _written(vocabulary: Vocabulary, schema: str, text: str) -> tuple[list[int], list[int]]:
    """Tokens and labels; what follows the last choice is not read by anybody and left out."""
    tokens, chosen = vocabulary.writer.parts(automaton(schema), text)
    end = max(place for place, one in enumerate(chosen) if one) + 1
    return tokens[:end], [token if one else IGNORED for token, one in zip(tokens, chosen, strict=True)][:end]


def teach(model: PreTrainedModel | PeftModel, examples: Examples, settings: ReadingSettings, run: Path) -> int:
    """Trains on choices alone, for `epochs` or `max_seconds`; returns the steps made. run: folder of its logs.

    Logits are computed where a choice is learnt and nowhere else: a twentieth of the places. Batches hold rows of like
    length, in an order drawn anew each epoch.
    """
    optimiser = settings.optimiser
    arguments = TrainingArguments(
        output_dir=str(run), seed=optimiser.seed, data_seed=optimiser.seed, num_train_epochs=1,
        per_device_train_batch_size=optimiser.batch_size, train_sampling_strategy="sequential",
        learning_rate=optimiser.learning_rate, warmup_steps=optimiser.warmup, weight_decay=optimiser.weight_decay,
        adam_beta2=0.98, lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr_rate": 0.03},
        save_strategy="no", report_to="none", logging_steps=0.1, remove_unused_columns=False, disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )  # fmt: skip
    refuse_several(arguments)
    callbacks: list[TrainerCallback] = [*trackers("tensorboard", run)]
    callbacks += [Deadline(optimiser.max_seconds)] if optimiser.max_seconds is not None else []
    rates = (optimiser.learning_rate, optimiser.weight_decay, arguments.adam_beta2)
    stepped = None if isinstance(model, PeftModel) else muon(model, *rates)
    taught = Trainer(
        model, arguments, optimizers=(stepped, None), data_collator=Padded(0),
        compute_loss_func=cross_entropy, callbacks=callbacks,
        train_dataset=Dataset.from_dict(examples.take(_order(examples, optimiser)).columns()),
    )  # fmt: skip
    with flattened(model):
        watching.run(taught, "reading requests", optimiser.max_seconds)
    model.eval()
    return taught.state.global_step


def _order(examples: Examples, optimiser: ReadingOptimiser) -> Int64:
    """Rows of all epochs, batch after batch, int64 [steps · batch_size].

    transformers groups by length, too, but runs from long rows to short ones over and over: requests of one length are
    of one kind, and the loss was nearly twice as high (docs/log.md).
    """
    rng, size = np.random.default_rng(optimiser.seed), optimiser.batch_size
    lengths, found = examples.inputs.lengths, list[Int64]()
    for _ in range(math.ceil(optimiser.epochs)):
        rows = rng.permutation(len(examples))
        rows = rows[: len(rows) // size * size] if len(rows) > size else rows
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        found += rng.permutation(rows.reshape(-1, min(size, len(rows)))).tolist()
    steps = math.ceil(optimiser.epochs * len(examples) / size)
    return np.array(found[:steps], dtype=np.int64).reshape(-1)
