"""ItemIndex: items ↔ semantic IDs, versioned and hashed. Does not know vectors, tokens' numbers or models."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from genrec.errors import IndexingError, UnknownItem
from genrec.items.codes import Float32, Quantizer, separate
from genrec.items.trie import Trie
from genrec.ragged import Int64

_TOKEN = re.compile(r"<([a-z])_(\d+)>")


def code_token(level: int, code: int) -> str:
    """The vocabulary token of a code: `<a_12>` is code 12 of the first level."""
    return f"<{chr(ord('a') + level)}_{code}>"


@dataclass(frozen=True)
class ItemIndex:
    """codes: int64 [items, levels], row i the semantic ID of item_ids[i]; sizes: codes per level of the vocabulary;
    codebooks: what new items are assigned with, float32 [levels without suffix, codes, dimensions].
    """

    item_ids: list[str]
    codes: Int64
    sizes: tuple[int, ...]
    codebooks: Float32

    @classmethod
    def fit(
        cls, item_ids: Sequence[str], vectors: Float32, quantizer: Quantizer, *, suffixed: bool = False
    ) -> ItemIndex:
        """vectors: float32 [items, dimensions]; item_ids: as many, all different."""
        if not len(item_ids):
            raise IndexingError("the catalog is empty", value=0, remedy="give at least one item")
        _check_new(item_ids, vectors)
        codes = separate(*quantizer.encode(vectors), quantizer, suffixed=suffixed)
        sizes = [quantizer.size] * len(quantizer.codebooks)
        if suffixed:  # room for as many again, so that new items find a suffix
            sizes.append(max(16, 2 * (int(codes[:, -1].max()) + 1)))
        return cls(list(item_ids), codes, tuple(sizes), quantizer.codebooks)

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def levels(self) -> int:
        return len(self.sizes)

    @property
    def suffixed(self) -> bool:
        return self.levels > len(self.codebooks)

    @cached_property
    def trie(self) -> Trie:
        return Trie.build(self.codes)

    @cached_property
    def version(self) -> str:
        """A hash of which item has which semantic ID."""
        names = json.dumps([self.item_ids, self.sizes]).encode()
        return hashlib.sha256(names + self.codes.astype("<i8").tobytes()).hexdigest()[:16]

    @property
    def tokens(self) -> list[str]:
        """All code tokens, level by level."""
        return [code_token(level, code) for level, size in enumerate(self.sizes) for code in range(size)]

    def text(self, item: int) -> str:
        """The semantic ID of an item as code tokens: `<a_3><b_17><c_9>`."""
        return "".join(code_token(level, int(code)) for level, code in enumerate(self.codes[item]))

    def parse(self, text: str) -> list[int]:
        """The items whose semantic IDs stand in a text, in order."""
        flat = [(ord(level) - ord("a"), int(code)) for level, code in _TOKEN.findall(text)]
        if len(flat) % self.levels or any(level != i % self.levels for i, (level, _) in enumerate(flat)):
            whole = f"{self.levels} code tokens each, such as {self.text(0)}"
            raise IndexingError("code tokens do not form whole semantic IDs", value=text, allowed=whole)
        ids = [tuple(code for _, code in flat[i : i + self.levels]) for i in range(0, len(flat), self.levels)]
        try:
            return [self._items[one] for one in ids]
        except KeyError as missing:
            remedy = f"decode under the trie of index {self.version}, or look for an older index in the bundle"
            raise UnknownItem("no item has this semantic ID", value=missing.args[0], remedy=remedy) from None

    @cached_property
    def _items(self) -> dict[tuple[int, ...], int]:
        return {tuple(row): item for item, row in enumerate(self.codes.tolist())}

    def add(self, item_ids: Sequence[str], vectors: Float32) -> ItemIndex:
        """A new index with more items; those that were there keep their semantic IDs, nothing is refitted."""
        _check_new(item_ids, vectors, self.item_ids)
        if not len(item_ids):
            return self
        quantizer = Quantizer(self.codebooks)
        fresh = separate(*quantizer.encode(vectors), quantizer, taken=self.codes, suffixed=self.suffixed)
        if self.suffixed and int(fresh[:, -1].max()) >= self.sizes[-1]:
            raise IndexingError("no suffix code is left", value=int(fresh[:, -1].max()), remedy="refit the index")
        return ItemIndex([*self.item_ids, *item_ids], np.concatenate([self.codes, fresh]), self.sizes, self.codebooks)

    def select(self, items: Int64) -> ItemIndex:
        """The index of fewer items, in the order given."""
        return ItemIndex([self.item_ids[i] for i in items], self.codes[items], self.sizes, self.codebooks)

    def save(self, folder: Path) -> None:
        """`item_index.safetensors` and `item_index.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"codes": self.codes.astype(np.int32), "codebooks": np.ascontiguousarray(self.codebooks)}
        save_file(arrays, str(folder / "item_index.safetensors"))
        facts = {"version": self.version, "sizes": list(self.sizes), "item_ids": self.item_ids}
        (folder / "item_index.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ItemIndex:
        arrays = load_file(str(folder / "item_index.safetensors"))
        facts = json.loads((folder / "item_index.json").read_text(encoding="utf-8"))
        index = cls(facts["item_ids"], arrays["codes"].astype(np.int64), tuple(facts["sizes"]), arrays["codebooks"])
        if index.version != facts["version"]:
            raise IndexingError(
                "the item index does not match its version",
                value=facts["version"],
                where=str(folder),
                allowed=index.version,
                remedy="take both files from one save",
            )
        return index


def _check_new(item_ids: Sequence[str], vectors: Float32, known: Sequence[str] = ()) -> None:
    if len(item_ids) != len(vectors):
        found = (len(item_ids), len(vectors))
        raise IndexingError("ids and vectors differ in number", value=found, remedy="give one vector for each item id")
    twice = [item_id for item_id, times in Counter([*known, *item_ids]).items() if times > 1]
    if twice:
        raise IndexingError("an item is there already", value=twice[:3], remedy="give each item id once")
