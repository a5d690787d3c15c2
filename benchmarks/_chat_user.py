"""A simulated user with a hidden target: says one true thing about it a turn, never its title, until it is shown.

Only what many films share is said (genres, decade, country, keywords, length); directors and cast, which would nearly
name the film, are kept back. Every message is checked for a leak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genrec.batching import recommend_many
from genrec.catalog import Catalog
from genrec.chatting.linking import Links, normal
from genrec.chatting.request import Language
from genrec.priors.sequence import Sequential
from genrec.ragged import Ragged
from genrec.reader import Reader
from genrec.recommender import Recommender
from genrec.splitting import Cases
from genrec.talking import Talk

TURNS, SLATE = 5, 10
_FIRST = {"en": ("I'd like a {} film", "Show me something {}", "I'm looking for a {} movie"),
          "zh": ("想看{}片", "推荐几部{}电影", "有没有{}电影")}  # fmt: skip
_MORE = {"en": "None of these. ", "zh": "不要这些。"}
_PAGE = {"en": "show me others", "zh": "换一批"}
_SAYS: dict[tuple[str, str], tuple[str, ...]] = {
    ("en", "decade"): ("It should be from the {}s", "It must be from the {}s"),
    ("en", "country"): ("It should be from {}", "Only films from {}"),
    ("en", "keyword"): ("Something about {}", "A film about {}"),
    ("en", "length"): ("At most {} minutes", "I have {} minutes"),
    ("en", "also"): ("It should also be {}", "Also a {} film"),
    ("en", "no"): ("No {}", "I don't want {} films"),
    ("zh", "decade"): ("要{}年代的", "必须是{}年代的"),
    ("zh", "country"): ("必须是{}的", "只要{}电影"),
    ("zh", "keyword"): ("关于{}的电影", "讲{}的电影"),
    ("zh", "length"): ("最多{}分钟", "我只有{}分钟"),
    ("zh", "also"): ("也要是{}片", "还要{}的"),
    ("zh", "no"): ("不要{}片", "不想看{}片"),
}


@dataclass
class Seeker:
    """Who looks for `target`; said: facts so far."""

    history: tuple[str, ...]
    target: str
    row: dict[str, Any]
    title: str
    language: Language
    names: Callable[[str, str], str]
    rng: np.random.Generator
    facts: list[tuple[str, str]] = field(default_factory=list)

    def first(self) -> str:
        """A request by one of the target's genres."""
        genres = list(self.row["genres"])
        genre = genres[int(self.rng.integers(len(genres)))]
        self.facts = self._true_facts(genre)
        return self._checked(self._pick(_FIRST[self.language]).format(self.names("genres", genre)))

    def next(self, shown: Sequence[dict[str, Any]]) -> str:
        """Another fact after a slate without the target; shown: the rows of that slate."""
        if not self.facts:
            return _PAGE[self.language]
        kind, value = self.facts.pop()
        if kind == "no":
            others = sorted({genre for row in shown for genre in row["genres"]} - set(self.row["genres"]))
            if not others:
                return self.next(shown)
            value = self.names("genres", others[int(self.rng.integers(len(others)))])
        return self._checked(_MORE[self.language] + self._pick(_SAYS[self.language, kind]).format(value))

    def _true_facts(self, genre: str) -> list[tuple[str, str]]:
        row, facts = self.row, [("no", "")]
        facts += [("also", self.names("genres", other)) for other in row["genres"] if other != genre][:1]
        facts += [("decade", str(row["year"] // 10 * 10)), ("country", self.names("country", row["country"]))]
        facts += [("length", str(-(-row["runtime"] // 10) * 10))]
        words = [one for one in row["keywords"] if not self._leaks(one)]
        facts += [("keyword", words[int(self.rng.integers(len(words)))])] if words else []
        return [facts[place] for place in self.rng.permutation(len(facts)).tolist()]

    def _leaks(self, text: str) -> bool:
        """Whether a text names the target: its title stands in it, or it in the title."""
        return normal(self.title) in normal(text) or normal(text) in normal(self.title)

    def _checked(self, message: str) -> str:
        assert normal(self.title) not in normal(message), (self.title, message)
        return message

    def _pick(self, among: Sequence[str]) -> str:
        return among[int(self.rng.integers(len(among)))]


def seekers(catalog: Catalog, cases: Cases, links: Links, most: int, seed: int = 0) -> list[Seeker]:
    """One for each of `most` cases, English and Chinese in turn; films named by a common word ("Her") are passed over,
    because any message would name them."""
    rng, found = np.random.default_rng(seed), list[Seeker]()
    said = _sayings(links)
    for place in rng.permutation(len(cases)).tolist():
        target = int(cases.targets[place][0])
        row, title = catalog.row(target), catalog.titles[target]
        if len(normal(title)) < 5 or not row["genres"] or not len(cases.histories[place]):
            continue
        language: Language = "zh" if len(found) % 2 else "en"
        history = tuple(catalog.item_ids[item] for item in cases.histories[place].tolist())
        own = np.random.default_rng([seed, place])
        found.append(Seeker(history, catalog.item_ids[target], row, title, language, said[language], own))
        if len(found) == most:
            break
    return found


def _sayings(links: Links) -> dict[str, Callable[[str, str], str]]:
    """Language → how a value of a field is said."""
    chinese = {(field, value): name.replace(" ", "") for name, fields in links.values.items()
               if not name.isascii() for field, value in fields.items()}  # fmt: skip
    return {"en": lambda field, value: value.lower() if field == "genres" else value,
            "zh": lambda field, value: chinese.get((field, value), value)}  # fmt: skip


def told(
    recommender: Recommender, reader: Reader, people: list[Seeker], *, silent: bool, rank: Sequential | None = None
) -> list[int]:
    """The turn in which each found the target, 0 for never. silent: only the first request, then pages of the same;
    rank: a SASRec that ranks in the engine's place, under the same rules."""
    talks = [Talk(recommender, one.history, reader=reader) for one in people]
    turns, rows = (
        [0] * len(people),
        {item: recommender.catalog.row(place) for place, item in enumerate(recommender.catalog.item_ids)},
    )
    for turn in range(1, TURNS + 1):
        looking = [place for place, found in enumerate(turns) if not found]
        said = [_said(people[place], talks[place], turn, silent, rows) for place in looking]
        for place, request in zip(looking, reader.read(said, [talks[place].slate for place in looking]), strict=True):
            talks[place].hear(request.model_copy(update={"count": SLATE}))
        wishes = {place: wish for place in looking if (wish := talks[place].wish(explain=False)).allowed.any()}
        slates = _engine(recommender, wishes) if rank is None else _sasrec(recommender.catalog, rank, wishes)
        for place, items in slates.items():
            talks[place].show(items)
            turns[place] = turn if people[place].target in items else 0
    return turns


def _said(one: Seeker, talk: Talk, turn: int, silent: bool, rows: dict[str, Any]) -> str:
    if turn == 1:
        return one.first()
    return _PAGE[one.language] if silent else one.next([rows[item] for item in talk.slate])


def _engine(recommender: Recommender, wishes: dict[int, Any]) -> dict[int, list[str]]:
    made = recommend_many(recommender, list(wishes.values()))
    return {place: [item.id for item in slate.items] for place, slate in zip(wishes, made, strict=True)}


def _sasrec(catalog: Catalog, rank: Sequential, wishes: dict[int, Any]) -> dict[int, list[str]]:
    histories = Ragged.from_lists([catalog.numbers(wish.history) for wish in wishes.values()])
    scores = rank.values(histories)
    found = {}
    for (place, wish), row in zip(wishes.items(), scores, strict=True):
        held = np.where(wish.allowed, row, -np.inf)
        best = np.lexsort((np.arange(len(held)), -held))[: min(SLATE, int(wish.allowed.sum()))]
        found[place] = [catalog.item_ids[item] for item in best.tolist()]
    return found
