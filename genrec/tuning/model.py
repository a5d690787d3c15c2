"""The model that training starts from, with its vocabulary. Does not know examples or trainers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from genrec.alternatives import spread
from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle
from genrec.errors import ConfigError
from genrec.items.codes import FAR
from genrec.items.index import ItemIndex
from genrec.judging import Answers
from genrec.model.adapters import adapted, merged
from genrec.model.base import SCRATCH, ScratchConfig, make_room, pretrained, scratch
from genrec.model.dropout import add_dropout
from genrec.model.loading import weights
from genrec.model.prefixed import virtual_of
from genrec.model.quantising import in_bits, rule
from genrec.model.shared_rows import share_rows
from genrec.model.vocabulary import Vocabulary, train_tokenizer
from genrec.prompting import Prompts
from genrec.tuning.settings import SftSettings


def starting_model(
    settings: SftSettings,
    index: ItemIndex,
    prompts: Prompts,
    texts: Sequence[str],
    dropout: float,
    answers: Sequence[Answers] = (),
) -> tuple[PreTrainedModel | PeftModel, Vocabulary]:
    """A scratch model, or a pretrained one with rows for the codes; with an adapter if the settings say so.

    dropout: of a scratch model whose settings leave it open; answers: which get a token each.
    """
    marks = [*prompts.control_tokens, *tokens_of(answers)]
    vocabulary = Vocabulary.extend(_tokenizer(settings, prompts, texts), index, marks)
    seed = settings.optimiser.seed
    model: PreTrainedModel
    if settings.base == SCRATCH:
        dropped = dropout if settings.scratch.dropout is None else settings.scratch.dropout
        model = small_model(settings.scratch, vocabulary, index, dropped, seed)
    else:
        bits = rule("nf4", _compute(settings)) if settings.adapter == "qlora" else None
        model = pretrained(settings.base, revision=settings.revision, quantised=bits)
        make_room(model, len(vocabulary), seed)
    return as_asked(settings, model, vocabulary, answers), vocabulary


def small_model(
    config: ScratchConfig, vocabulary: Vocabulary, index: ItemIndex, dropout: float, seed: int, rows: int | None = None
) -> PreTrainedModel:
    """From nothing; codes that mean the like start out alike. rows: of its embedding; None: a token each."""
    ends = {"pad_id": vocabulary.pad_id, "end_id": vocabulary.end_id}
    model = scratch(config, rows or len(vocabulary), **ends, seed=seed)
    if config.shared and not config.tied:
        share_rows(model, vocabulary, index, config.shared)
    else:
        seed_codes(model, vocabulary, index)
    add_dropout(model, dropout)
    return model


def seed_codes(model: PreTrainedModel, vocabulary: Vocabulary, index: ItemIndex) -> None:
    """Rows of code tokens from their centroids, in embedding and head: codes that mean the like start out alike.

    A fixed random projection keeps the centroids' distances (Johnson & Lindenstrauss 1984); the rows of a level get
    the spread that the model was initialised with. Suffix codes mean nothing and stay as they are.
    """
    draw = torch.Generator().manual_seed(0)
    projection = torch.randn(index.codebooks.shape[2], model.config.hidden_size, generator=draw)
    tables = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]  # type: ignore[no-untyped-call]
    for level, book in enumerate(index.codebooks):
        used = np.abs(book).max(axis=1) < FAR
        rows = torch.from_numpy(book[used] - book[used].mean(axis=0)) @ projection
        rows *= model.config.initializer_range / torch.clamp(rows.std(), min=1e-9)
        for table in tables:  # the same one where they are tied
            table.data[torch.from_numpy(vocabulary.code_ids[level][used])] = rows


def continued_model(
    settings: SftSettings, bundle: Bundle, index: ItemIndex, answers: Sequence[Answers] = ()
) -> tuple[PreTrainedModel | PeftModel, Vocabulary]:
    """A bundle's model, an adapter of its own merged, with a fresh adapter if the settings say so."""
    tokenizer = AutoTokenizer.from_pretrained(bundle.folder / "model", trust_remote_code=False)
    vocabulary = Vocabulary(tokenizer, index.sizes)
    found = weights(bundle)
    model = merged(found) if isinstance(found, PeftModel) else found
    return as_asked(settings, model, vocabulary, answers), vocabulary


def tokens_of(answers: Sequence[Answers]) -> list[str]:
    """What stands for them in prompts."""
    return [token for one in answers for token in one.tokens]


def as_asked(
    settings: SftSettings, model: PreTrainedModel, vocabulary: Vocabulary, answers: Sequence[Answers] = ()
) -> PreTrainedModel | PeftModel:
    """With a fresh adapter, if the settings say so; rows of codes and answers learn with it."""
    rows = [int(token) for level in vocabulary.code_ids for token in level]
    rows += [token for text in tokens_of(answers) for token in vocabulary.ids(text)]
    if settings.adapter == "qlora" and not getattr(model, "is_quantized", False):
        model = in_bits(model, "nf4", _compute(settings))
    return adapted(model, settings.adapter, settings.lora, settings.virtual, rows)


def _compute(settings: SftSettings) -> torch.dtype:
    return torch.bfloat16 if settings.optimiser.bf16 else torch.float32


def _tokenizer(settings: SftSettings, prompts: Prompts, texts: Sequence[str]) -> PreTrainedTokenizerBase:
    if settings.base != SCRATCH:
        return _pretrained_tokenizer(settings.base, settings.revision)
    # The prompts' words stand several times, so that an instruction becomes few tokens.
    tasks = [prompt for one in prompts.every for prompt in one.by_name.values() if one is prompts or prompt.phrasings]
    groups = [group for prompt in tasks for group in prompt.phrasings]
    sentences = [
        one for group in groups for text in group.texts for one in spread(text)[:: max(1, len(spread(text)) // 4)]
    ]
    templates = [prompt.prompt + prompt.completion for prompt in tasks]
    return train_tokenizer([*texts, *(templates * 50), *(sentences * 5)], settings.scratch.text_vocabulary)


def _pretrained_tokenizer(name: str, revision: str | None) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            name, revision=revision, trust_remote_code=False
        )
    except (OSError, ValueError) as cause:
        raise ConfigError(
            "the base model's tokenizer cannot be loaded",
            value=name,
            allowed=f"'{SCRATCH}', a bundle, a folder of model and tokenizer.json, a hub name such as Qwen/Qwen3-0.6B",
            remedy=f"check the name and the network ({type(cause).__name__})",
        ) from cause
    return tokenizer


def refuse_overlong(asking: NextItemPrompt, context: int) -> None:
    """Raises ConfigError when a full window and the answer do not fit into what the model reads."""
    levels, head = asking.index.levels, len(asking.head)
    if head + (asking.window + 1) * levels > context:
        raise ConfigError(
            "the window is too long for the model", value=asking.window, where="window",
            allowed=f"up to {(context - head) // levels - 1} items of {levels} codes beside {head} tokens in {context}",
            remedy="show fewer items, or take a model that reads more",
        )  # fmt: skip


def context_of(model: torch.nn.Module) -> int:
    """Tokens that the model reads at most, beside what an adapter puts before them."""
    return int(getattr(model.config, "max_position_embeddings", 1024)) - virtual_of(model)
