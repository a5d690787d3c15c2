"""Understands messages by the bundle's model: mentions are linked to the catalog, the model says what is meant of them.

What the model writes is JSON under a schema made for the message: a role for each of its mentions, and an act. So it
can neither name what the message does not nor miss a form, and the same message always gets the same reading. Knows
no conversation beyond the slate shown last, and no ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.chatting.mentions import Mentions
from genrec.chatting.phrasing import Phrasebook, phrasebook
from genrec.chatting.reading import Meaning
from genrec.chatting.request import Request
from genrec.chatting.roles import Reading, schema_of
from genrec.chatting.understanding import language_of
from genrec.decoding.engine import TextRule
from genrec.leaning import feels
from genrec.model.loading import Loaded
from genrec.model.reading import PHRASINGS, load_reading

_MOST = 600  # tokens of a reading: far more than `MOST` mentions take


@dataclass(frozen=True)
class Reader:
    """An `Understands` that reads by a model. Thread-safe as far as the engine is."""

    voice: Loaded
    book: Phrasebook
    mentions: Mentions
    meaning: Meaning

    @classmethod
    def open(cls, bundle: Bundle, catalog: Catalog | None = None, *, device: str | None = None) -> Reader | None:
        """The bundle's reader for this catalog (default: the bundle's); None where it has not learnt to read."""
        voice = load_reading(bundle, device=device)
        if voice is None:
            return None
        folder, catalog = bundle.folder / PHRASINGS, catalog if catalog is not None else bundle.catalog
        books = [phrasebook(folder, path.name) for path in sorted(folder.iterdir())]
        cues = frozenset[str]().union(*(book.cues for book in books))
        return cls(voice, books[0], Mentions.of(catalog, cues), Meaning(catalog, feels(bundle.manifest.encoder)))

    def of(self, catalog: Catalog) -> Reader:
        """The same voice for another state of the catalog."""
        if catalog is self.meaning.catalog:
            return self
        return replace(
            self, mentions=Mentions.of(catalog, self.mentions.cues), meaning=replace(self.meaning, catalog=catalog)
        )

    def __call__(self, message: str, slate: Sequence[str] = ()) -> Request:
        return self.read([message], [slate])[0]

    def read(self, messages: Sequence[str], slates: Sequence[Sequence[str]]) -> list[Request]:
        """Many messages in one pass, each with the slate that it was said to."""
        found = [self.mentions.find(message) for message in messages]
        prompts = [self.voice.vocabulary.ids(self.book.asked(one.text)) for one in found]
        written = self.voice.engine.write(
            prompts, [schema_of(one.mentions) for one in found], TextRule(max_tokens=_MOST)
        )
        readings = [
            Reading.of_json(self.voice.vocabulary.text(one), marked.mentions)
            for one, marked in zip(written, found, strict=True)
        ]
        parts = zip(found, readings, messages, slates, strict=True)
        return [
            self.meaning.request(marked, reading, language_of(message), slate)
            for marked, reading, message, slate in parts
        ]
