"""The tokenizer with one token per code, and code ↔ token number. Does not know weights or histories.

A scratch model gets a byte-level BPE trained on catalog and prompts; a pretrained one keeps its own and gets
the code tokens and prompt markers added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AddedToken, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from genrec.decoding.writing import Writer, spelling_of
from genrec.errors import IndexingError
from genrec.items.index import ItemIndex, code_token
from genrec.ragged import Int64

PAD, END = "<|pad|>", "<|end|>"
_MARKER = re.compile(r"<\|[a-z_]+\|>")


def markers(sources: Iterable[str]) -> list[str]:
    """The markers `<|name|>` that stand in prompt templates, sorted."""
    return sorted({mark for source in sources for mark in _MARKER.findall(source)} - {PAD, END})


def train_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most `size` tokens that loses no character of any language."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[PAD, END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, clean_up_tokenization_spaces=False
    )


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer that holds every code token of an item index of these `sizes`."""

    tokenizer: PreTrainedTokenizerBase
    sizes: tuple[int, ...]

    @classmethod
    def extend(cls, tokenizer: PreTrainedTokenizerBase, index: ItemIndex, marks: Iterable[str]) -> Vocabulary:
        """Adds code tokens and prompt markers, and a padding token where there is none (the model's own end)."""
        plain = [AddedToken(token, special=False, normalized=False) for token in index.tokens]
        special = [AddedToken(mark, special=True, normalized=False) for mark in marks]
        tokenizer.add_tokens([*special, *plain])
        if tokenizer.eos_token is None:
            tokenizer.add_special_tokens({"eos_token": END})
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return cls(tokenizer, index.sizes)

    def __len__(self) -> int:
        return len(self.tokenizer)

    @cached_property
    def code_ids(self) -> tuple[Int64, ...]:
        """Per level the token number of every code, int64 [codes]."""
        numbers = self.tokenizer.get_vocab()
        wanted = [[code_token(level, code) for code in range(size)] for level, size in enumerate(self.sizes)]
        missing = [token for level in wanted for token in level if token not in numbers]
        if missing:
            raise IndexingError(
                "the tokenizer lacks code tokens", value=missing[0], remedy="use the tokenizer of the same bundle"
            )
        return tuple(np.array([numbers[token] for token in level], dtype=np.int64) for level in wanted)

    @cached_property
    def writer(self) -> Writer:
        """How text under a schema is spelt: without code tokens and markers."""
        aside = set(self.tokenizer.get_added_vocab())
        names: list[str | None] = [None] * len(self.tokenizer)
        for token, number in self.tokenizer.get_vocab().items():
            names[number] = None if token in aside else token
        return Writer(spelling_of(names), self.ids)

    @property
    def pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id)

    @property
    def end_id(self) -> int:
        return int(self.tokenizer.eos_token_id)

    def ids(self, text: str) -> list[int]:
        """Token numbers of a text, without a beginning or end of sequence."""
        return [int(token) for token in self.tokenizer.encode(text, add_special_tokens=False)]

    def all_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The same of many texts, faster than one by one."""
        found: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
        return found

    def text(self, ids: Iterable[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def semantic_tokens(self, codes: Int64) -> Int64:
        """Token numbers of semantic IDs: int64 [items, levels] → the same shape."""
        return np.stack([self.code_ids[level][codes[:, level]] for level in range(len(self.sizes))], axis=1)
