"""What a conversation leans to → one number per item that joins the priors. Forbids nothing. Knows no words' grammar.

Traits count where an item has them; words for a mood are compared with what the catalog says of the items, by the
encoder that the bundle's item texts were read with; what was disliked speaks against items like it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from genrec.catalog import Catalog
from genrec.chatting.conversation import Leaning
from genrec.chatting.lexicon import MOODS_ZH
from genrec.chatting.rules import allowed
from genrec.items.text import OFFLINE, encode_texts, offline_encoder_installed
from genrec.priors.mix import Float32, standardised

LIKED, DISLIKED, MOOD, UNLIKE = 1.0, 2.0, 1.0, 0.5
"""Log-weights: of a liked trait, against a disliked one, per deviation of likeness to a mood or a disliked item."""


@dataclass(frozen=True)
class Leaner:
    """vectors: unit text vectors, float32 [items, dimensions], by `encoder`; None: the bundle has none."""

    catalog: Catalog
    vectors: Float32 | None = None
    encoder: str = ""

    @property
    def feels(self) -> bool:
        """Whether words for a mood can be compared with items."""
        return self.vectors is not None and feels(self.encoder)

    def values(self, leaning: Leaning) -> Float32:
        """float32 [items], read-only; all 0 for no leaning. What was asked for lately is kept: a leaning holds for all
        turns of a conversation."""
        return self._kept(leaning)

    @cached_property
    def _kept(self) -> Callable[[Leaning], Float32]:
        return lru_cache(maxsize=256)(self._values)

    def _values(self, leaning: Leaning) -> Float32:
        total = np.zeros(len(self.catalog), dtype=np.float32)
        for traits, weight in ((leaning.liked, LIKED), (leaning.disliked, -DISLIKED)):
            for trait in traits:
                total += np.float32(weight) * allowed(self.catalog, [trait])
        if self.vectors is not None and leaning.unlike:
            places = self.catalog.places(leaning.unlike)
            near = (self.vectors @ self.vectors[places[places >= 0]].T).max(axis=1, initial=-1)
            total -= np.float32(UNLIKE) * standardised(near[None])[0]
        for words, weight in ((leaning.moods, MOOD), (leaning.unwanted_moods, -MOOD)):
            for mood in words if self.feels else ():
                total += np.float32(weight) * self._likeness(mood)
        total.flags.writeable = False
        return total

    def _likeness(self, mood: str) -> Float32:
        assert self.vectors is not None
        found: Float32 = standardised((self.vectors @ _vector(MOODS_ZH.get(mood, mood)))[None])[0]
        return found


def feels(encoder: str) -> bool:
    """Whether words can be compared with item texts that this encoder has read."""
    return encoder == OFFLINE and offline_encoder_installed()


@lru_cache(maxsize=2048)
def _vector(words: str) -> Float32:
    found: Float32 = encode_texts([words], OFFLINE)[0]
    return found
