"""What a model that knew another catalog keeps for this one: its blocks, its words, and what texts meant to it.

Its codes stood for other items and go. Where both catalogs' texts were read by one encoder, this catalog's codes start
where the base would have stood such texts, by a ridge regression from its items' text vectors to their rows (as Hou et
al. 2022 carry a sequential recommender over by its items' texts); else where a fresh model's start. Does not know
trainers or data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from sklearn.linear_model import Ridge
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from genrec.bundle import Bundle, is_bundle
from genrec.errors import ConfigError
from genrec.items.codes import Float32
from genrec.items.index import ItemIndex
from genrec.items.text import TFIDF, encoder_name
from genrec.judging import Answers
from genrec.model.adapters import merged
from genrec.model.base import SCRATCH, is_quantised
from genrec.model.dropout import add_dropout
from genrec.model.loading import vocabulary_of, weights
from genrec.model.shared_rows import share_rows
from genrec.model.vocabulary import Vocabulary
from genrec.priors import text_vectors
from genrec.priors.stored import load_priors
from genrec.prompting import Prompts
from genrec.ragged import Int64
from genrec.tuning.model import as_asked, seed_codes, tokens_of
from genrec.tuning.settings import SftSettings

_CODE = re.compile(r"<[a-z]_\d+>")
_SHAPE = {
    "hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads",
    "feed_forward": "intermediate_size", "context": "max_position_embeddings", "tied": "tie_word_embeddings",
}  # fmt: skip


def base_bundle(settings: SftSettings) -> Bundle | None:
    """The bundle that the settings name as base; None where they name something else.

    Raises ConfigError where its weights cannot be what the settings ask for, BundleError for a damaged one.
    """
    if settings.base == SCRATCH or not is_bundle(Path(settings.base)):
        return None
    base = Bundle.open(settings.base)
    _refuse_language(settings, base)
    _refuse_shape(settings, base)
    if is_quantised(base.folder / "model") and base.manifest.adapter is None:
        raise ConfigError(
            "the base's weights are in 8 or 4 bits, which do not learn", value=settings.base, where="base",
            remedy="name the bundle that it was exported from",
        )  # fmt: skip
    return base


def _refuse_language(settings: SftSettings, base: Bundle) -> None:
    known = (base.manifest.language, *base.manifest.reasons_in)
    strange = [one for one in (settings.language, *settings.reasons_in) if one not in known]
    if strange:
        raise ConfigError(
            "the base's tokenizer has no words of a language that is asked for", value=", ".join(strange),
            where="language, reasons_in", allowed=", ".join(known),
            remedy="ask for what it knows, or train from nothing: base=scratch",
        )  # fmt: skip


def _refuse_shape(settings: SftSettings, base: Bundle) -> None:
    """Only what the settings name: a recipe may leave the shape to the base."""
    if base.manifest.base != SCRATCH:
        return
    config = json.loads((base.folder / "model" / "config.json").read_text(encoding="utf-8"))
    asked = settings.scratch.model_dump(include=settings.scratch.model_fields_set & _SHAPE.keys())
    there = {name: config[_SHAPE[name]] for name in asked}
    if asked != there:
        other = [name for name in asked if asked[name] != there[name]]
        raise ConfigError(
            "the base has another shape", value=", ".join(f"scratch.{name}={asked[name]}" for name in other),
            where="base", allowed=", ".join(f"scratch.{name}={there[name]}" for name in other),
            remedy="leave these out, give the base's, or train from nothing: base=scratch",
        )  # fmt: skip


def carried_model(
    settings: SftSettings,
    base: Bundle,
    index: ItemIndex,
    described: Float32,
    prompts: Prompts,
    dropout: float,
    answers: Sequence[Answers] = (),
) -> tuple[PreTrainedModel | PeftModel, Vocabulary]:
    """The model of a bundle of another catalog, an adapter merged, under this catalog's codes; with a fresh adapter if
    the settings say so.

    described: vectors of this catalog's texts, float32 [items, d]; dropout: of a model that began as a scratch one,
    where the settings leave it open; answers: which get a token each, and learn it anew.
    """
    found, before = weights(base), vocabulary_of(base)
    model = merged(found) if isinstance(found, PeftModel) else found
    vocabulary = Vocabulary.extend(words_alone(before.tokenizer), index, [*prompts.control_tokens, *tokens_of(answers)])
    known = text_vectors_of(base, settings.items.encoder)
    rows = []
    if known is not None and known.shape[1] == described.shape[1]:
        rows = read_rows(tables_of(model), before.code_ids, base.index, known, index, described)
    move_words(model, before, vocabulary, settings.optimiser.seed)
    seed_codes(model, vocabulary, index)
    for table, levels in zip(tables_of(model), rows, strict=False):
        for level, (codes, read) in enumerate(levels):
            table[torch.from_numpy(vocabulary.code_ids[level][codes])] = read
    if base.manifest.base == SCRATCH and settings.adapter == "full":
        if settings.scratch.shared and not model.config.tie_word_embeddings:
            share_rows(model, vocabulary, index, settings.scratch.shared, kept=bool(rows))
        dropped = dropout if settings.scratch.dropout is None else settings.scratch.dropout
        add_dropout(model, dropped)  # type: ignore[arg-type]
    return as_asked(settings, model, vocabulary, answers), vocabulary


def words_alone(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerFast:
    """The tokenizer without its code tokens; words and markers stay."""
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    told["added_tokens"] = [one for one in told["added_tokens"] if not _CODE.fullmatch(one["content"])]
    special = {name: str(one) for name, one in tokenizer.special_tokens_map.items() if isinstance(one, str)}
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(json.dumps(told)), clean_up_tokenization_spaces=False, **special
    )


def text_vectors_of(base: Bundle, encoder: str | None) -> Float32 | None:
    """Of the base's items, float32 [items, d]; None where they are not in the same space as `encoder`'s."""
    if encoder_name(encoder) != base.manifest.encoder or base.manifest.encoder == TFIDF:
        return None
    return text_vectors(load_priors(base.folder / "priors"))


def read_rows(
    tables: list[Tensor], before: tuple[Int64, ...], base: ItemIndex, known: Float32, index: ItemIndex, told: Float32
) -> list[list[tuple[Int64, Tensor]]]:
    """For each table and each level that both have: the codes of `index` that items use, and the rows that the base's
    tables would have for such texts.

    tables: the base's embedding and head, float32 [tokens, hidden]; before: its code tokens, level by level; known,
    told: text vectors of the base's items and of this catalog's, float32 [items, d]. What a code stands for is the mean
    of its items' vectors.
    """
    levels = range(min(len(base.codebooks), len(index.codebooks)))
    pairs = [(_means(base.codes[:, level], known), _means(index.codes[:, level], told)) for level in levels]
    found: list[list[tuple[Int64, Tensor]]] = []
    for table in tables:
        rows = []
        for level, ((theirs, meant), (ours, means)) in enumerate(pairs):
            read = Ridge(alpha=1.0).fit(meant, table[torch.from_numpy(before[level][theirs])].float().numpy())
            rows.append((ours, torch.from_numpy(read.predict(means).astype(np.float32))))
        found.append(rows)
    return found


def _means(codes: Int64, vectors: Float32) -> tuple[Int64, Float32]:
    """The codes in use, int64 [codes], and the mean vector of each, float32 [codes, d]."""
    used, place, many = np.unique(codes, return_inverse=True, return_counts=True)
    total = np.zeros((len(used), vectors.shape[1]), dtype=np.float64)
    np.add.at(total, place.reshape(-1), vectors)
    return used.astype(np.int64), (total / many[:, None]).astype(np.float32)


def move_words(model: PreTrainedModel, before: Vocabulary, vocabulary: Vocabulary, seed: int) -> None:
    """Embedding and head for `vocabulary`: rows of tokens that `before` has, too, move with their token, codes apart;
    the others start as a fresh model's."""
    old, now = before.tokenizer.get_vocab(), vocabulary.tokenizer.get_vocab()
    kept = [token for token in now if token in old and not _CODE.fullmatch(token)]
    sources, places = (torch.tensor([names[token] for token in kept]) for names in (old, now))
    rows = [table[sources].clone() for table in tables_of(model)]
    model.resize_token_embeddings(len(vocabulary), mean_resizing=False)
    torch.manual_seed(seed)
    for table, moved in zip(tables_of(model), rows, strict=True):
        table.normal_(0.0, getattr(model.config, "initializer_range", 0.02))
        table[places] = moved
    model.config.pad_token_id, model.config.eos_token_id = vocabulary.pad_id, vocabulary.end_id
    model.name_or_path = ""  # no longer the model of that name: peft would compare the two


def tables_of(model: PreTrainedModel) -> list[Tensor]:
    """Embedding and head, one where they are tied."""
    found = [model.get_input_embeddings().weight.data, model.get_output_embeddings().weight.data]  # type: ignore[no-untyped-call]
    return found[:1] if model.config.tie_word_embeddings else found
