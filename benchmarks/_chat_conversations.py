"""Generated conversations, many at a time: what users say is drawn, the answers are
those of the terminal's chat.

Kept in parts on disk, so that a run that was broken off goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._chat_verify import Tally
from genrec.batching import recommend_many
from genrec.chatting.conversation import Conversation
from genrec.chatting.mentions import Marked, marked
from genrec.chatting.phrasing import Phrasebook, Use
from genrec.chatting.request import Language
from genrec.chatting.utterances import Drawer, Utterance
from genrec.reader import Reader
from genrec.recommender import Recommender
from genrec.talking import Talk

TURNS, PART = 5, 250
_USES: tuple[Use, ...] = ("train", "valid", "test")


def obeyed(
    recommender: Recommender, reader: Reader, books: Mapping[Language, Phrasebook], count: int, kept: Path
) -> Tally:
    """The tally over `count` conversations of five turns; kept: folder of the parts that are done."""
    kept.mkdir(parents=True, exist_ok=True)
    whole = Tally()
    for number in range(-(-count // PART)):
        file = kept / f"{number:04d}.json"
        if not file.is_file():
            tally = _part(recommender, reader, books, min(PART, count - number * PART), number)
            file.write_text(json.dumps(asdict(tally), ensure_ascii=False), encoding="utf-8")
            print(f"{number * PART + PART} of {count} conversations", flush=True)
        _add(whole, json.loads(file.read_text(encoding="utf-8")))
    return whole


def _add(whole: Tally, part: dict[str, Any]) -> None:
    for one in fields(Tally):
        setattr(whole, one.name, getattr(whole, one.name) + part[one.name])


def _part(
    recommender: Recommender, reader: Reader, books: Mapping[Language, Phrasebook], count: int, seed: int
) -> Tally:
    rng, tally, catalog = np.random.default_rng(seed), Tally(), recommender.catalog
    rows = {item: catalog.row(place) for place, item in enumerate(catalog.item_ids)}
    drawers = [Drawer(catalog, reader.mentions, book, language) for language, book in books.items()]
    ids, talks = np.array(catalog.item_ids), []
    for _ in range(count):
        history = tuple(rng.choice(ids, int(rng.integers(0, 12)), replace=False).tolist())
        talks.append(Talk(recommender, history, reader=reader))
    speakers = [drawers[int(rng.integers(len(drawers)))] for _ in talks]
    meant = [Conversation() for _ in talks]
    for _ in range(TURNS):
        said = [one.draw(rng, use=_USES[int(rng.integers(3))]) for one in speakers]
        meant = [_meant(reader, before, one, talk) for before, one, talk in zip(meant, said, talks, strict=True)]
        for talk, request in zip(
            talks, reader.read([one.text for one in said], [talk.slate for talk in talks]), strict=True
        ):
            talk.hear(request)
        _answer(talks, meant, rows, tally)
    return tally


def _meant(reader: Reader, before: Conversation, one: Utterance, talk: Talk) -> Conversation:
    """What the conversation comes to by what was meant, whatever was read."""
    whole = Marked(one.text, one.mentions, marked(one.text, one.mentions))
    return before.revised(reader.meaning.request(whole, one.reading, one.language, talk.slate), talk.shown)


def _answer(talks: list[Talk], meant: list[Conversation], rows: Mapping[str, Any], tally: Tally) -> None:
    tally.turns += len(talks)
    ready = [(talk, whole, talk.wish(explain=False)) for talk, whole in zip(talks, meant, strict=True) if _wants(talk)]
    feasible = [one for one in ready if one[2].allowed.any()]
    for talk, _, _ in (one for one in ready if not one[2].allowed.any()):
        found = talk.helped()
        banned = {*talk.whole.excluded, *talk.chosen}
        tally.nothing(rows, talk.whole.rules, banned, found.relax, found.would_leave)
    made = recommend_many(talks[0].recommender, [wish for _, _, wish in feasible])
    for (talk, whole, _), slate in zip(feasible, made, strict=True):
        items = [item.id for item in slate.items]
        tally.slate(rows, items, talk.whole.rules, {*talk.whole.excluded, *talk.chosen})
        _compare(rows, items, whole, tally)
        talk.show(items)


def _wants(talk: Talk) -> bool:
    """Whether this message gets a slate: not small talk, and not the one question."""
    if talk.whole.talk and not talk.whole.vague:
        return False
    ready = talk.ready
    talk.asked = talk.asked or not ready
    return ready


def _compare(rows: Mapping[str, Any], items: list[str], meant: Conversation, tally: Tally) -> None:
    """The same slate against the rules that were meant: what a misreading costs."""
    other = Tally()
    other.slate(rows, items, meant.rules, ())
    tally.meant += other.rules
    tally.meant_broken += other.broken
