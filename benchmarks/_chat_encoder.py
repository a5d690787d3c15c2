"""An encoder-only parser to compare with: each mention's role, and the act, by logistic regression on a frozen
sentence encoder's vector of the marked message. It learns from the same lessons; the mentions are the same, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.linear_model import LogisticRegression

from genrec.chatting.mentions import Marked, letters
from genrec.chatting.phrasing import Phrasebook
from genrec.chatting.request import Language, Request
from genrec.chatting.roles import ROLES, Reading
from genrec.chatting.understanding import language_of
from genrec.items.text import OFFLINE, encode_texts
from genrec.reader import Reader
from genrec.tuning.reading import ReadingSettings, lessons

_LESSONS = 1500


@dataclass(frozen=True)
class EncoderReader:
    """roles: kind of mention → classifier; act: of the whole message."""

    reader: Reader
    roles: dict[str, Any]
    act: Any

    @classmethod
    def trained(cls, reader: Reader, books: dict[Language, Phrasebook], count: int = _LESSONS) -> EncoderReader:
        settings = ReadingSettings(languages=("en",))
        taught = [one for one in lessons(reader.meaning.catalog, books, settings, count, 5, doubted=0) if one.reading]
        asked: dict[str, list[tuple[str, str]]] = {"act": []}
        for one in taught:
            assert one.reading is not None
            asked["act"].append((one.marked.text, one.reading.act))
            for text, mention, role in zip(_pointed(one.marked), one.marked.mentions, one.reading.roles, strict=True):
                asked.setdefault(mention.kind, []).append((text, role))
        fitted = {kind: _fitted(rows) for kind, rows in asked.items()}
        return cls(reader, fitted, fitted.pop("act"))

    def read(self, messages: Sequence[str], slates: Sequence[Sequence[str]]) -> list[Request]:
        found = [self.reader.mentions.find(message) for message in messages]
        acts = self.act.predict(encode_texts([one.text or " " for one in found], OFFLINE))
        texts = [text for one in found for text in _pointed(one)]
        vectors = iter(encode_texts(texts, OFFLINE)) if texts else iter(())
        out = []
        for marked, act, message, slate in zip(found, acts, messages, slates, strict=True):
            roles = tuple(self._role(mention.kind, next(vectors)) for mention in marked.mentions)
            out.append(self.reader.meaning.request(marked, Reading(roles, str(act)), language_of(message), slate))
        return out

    def _role(self, kind: str, vector: Any) -> str:
        if kind not in self.roles:
            return "none"
        role = str(self.roles[kind].predict(vector[None])[0])
        return role if role in ROLES[kind] else "none"  # type: ignore[index]


def _pointed(marked: Marked) -> list[str]:
    """The message once for each mention, which is called THIS; the others by their kind alone."""
    found = []
    for letter in letters(marked.mentions):
        words = [f"THIS {word[2:]}" if word.startswith(f"{letter}:") else word[2:] if word[1:2] == ":" else word
                 for word in marked.text.split()]  # fmt: skip
        found.append(" ".join(words))
    return found


class _Always:
    """Where the lessons know one answer only."""

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def predict(self, vectors: Any) -> list[str]:
        return [self._answer] * len(vectors)


def _fitted(rows: Sequence[tuple[str, str]]) -> Any:
    answers = [answer for _, answer in rows]
    if len(set(answers)) == 1:
        return _Always(answers[0])
    return LogisticRegression(C=30, max_iter=300).fit(encode_texts([text for text, _ in rows], OFFLINE), answers)
