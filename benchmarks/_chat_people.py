"""People's own words: slots of IARD's annotated requests, and recommendations in OpenDialKG's dialogues."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rapidfuzz import fuzz

from benchmarks._chat_dialogues import Turn, catalog, learnable, trained, turns
from benchmarks._chat_encoder import EncoderReader
from genrec.benchmarking import Claim, claim
from genrec.catalog import Catalog
from genrec.chatting.conversation import Leaning
from genrec.chatting.linking import Links, normal
from genrec.chatting.phrasing import Phrasebook
from genrec.chatting.request import Language, Request
from genrec.chatting.rules import Rule
from genrec.chatting.understanding import Grammar
from genrec.evaluation.bootstrap import mean_interval
from genrec.items.text import encode_texts, item_texts
from genrec.ragged import Ragged
from genrec.reader import Reader
from genrec.recommender import Recommender

SLOTS = {"GENRE": "genres", "TITLE": "", "ACTOR": "cast", "KEYWORDS": ""}
KS = (1, 10, 50)
_ALIKE = 85.0
Said = list[tuple[str, str]]
Read = tuple[list[int], np.ndarray[Any, Any]]


def iard(reader: Reader, shared: Path, books: dict[Language, Phrasebook]) -> tuple[list[Claim], dict[str, Any]]:
    """F1 of slot values in people's requests, all trained on our own phrasings only; micro over slots, and each."""
    films = _films(shared / "redial")
    rows = [(text, gold) for file in sorted((shared / "iard").glob("*.json")) for text, gold in _annotated(file)]
    return _slots("chat.iard_f1", tuple(SLOTS), rows, reader.of(films), films, books)


def opendialkg_slots(
    reader: Reader, shared: Path, books: dict[Language, Phrasebook]
) -> tuple[list[Claim], dict[str, Any]]:
    """The same for the titles and other names that OpenDialKG marks in the first messages of its test part."""
    known, rows = catalog(shared), dict[str, Said]()
    for line in (shared / "eval_test_data_processed.jsonl").open(encoding="utf-8"):
        one = json.loads(line)
        if len(one["context"]) == 1:
            rows[one["context"][0]] = [("TITLE" if name in _titles(known) else "NAME", name) for name in one["entity"]]
    return _slots("chat.opendialkg_f1", ("TITLE", "NAME"), list(rows.items()), reader.of(known), known, books)


@cache
def _titles(known: Catalog) -> frozenset[str]:
    return frozenset(known.titles)


def _slots(
    name: str, slots: Sequence[str], rows: list[tuple[str, Said]], known: Reader, films: Catalog,
    books: dict[Language, Phrasebook],
) -> tuple[list[Claim], dict[str, Any]]:  # fmt: skip
    grammar, encoder = Grammar.of(films), EncoderReader.trained(known, books)
    readers: dict[str, Callable[[Sequence[str]], list[Request]]] = {
        "": lambda texts: known.read(texts, [()] * len(texts)),
        ".grammar": lambda texts: [grammar(text) for text in texts],
        ".encoder": lambda texts: encoder.read(texts, [()] * len(texts)),
    }
    claims, shares = [], {}
    for suffix, understand in readers.items():
        found = understand([text for text, _ in rows])
        counts = {slot: _counts(slot, rows, found, films, known.mentions.links) for slot in slots}
        shares[suffix or "genrec"] = {slot: round(_f1(one), 3) for slot, one in counts.items()}
        total = np.sum([*counts.values()], axis=0)
        claims.append(claim(f"{name}{suffix}", _f1(total), "F1", ">=", None, n=len(rows),
                            note=", ".join(f"{slot} {_f1(one):.3f}" for slot, one in counts.items())))  # fmt: skip
    return claims, {"f1": shares, "messages": len(rows)}


def _films(folder: Path) -> Catalog:
    """ReDial's films: what IARD's titles are linked to."""
    raw = json.loads((folder / "id2info.json").read_text(encoding="utf-8"))
    titles = [one["name"].rsplit("(", 1)[0].strip() or one["name"] for one in raw.values()]
    columns = {"item_id": list(raw), "title": titles, "genres": [one["genre"] for one in raw.values()],
               "director": [one["director"] for one in raw.values()],
               "cast": [one["star"] for one in raw.values()]}  # fmt: skip
    return Catalog.from_table(pl.DataFrame(columns))


def _annotated(file: Path) -> Iterable[tuple[str, Said]]:
    for one in json.loads(file.read_text(encoding="utf-8")):
        for turn in one["conversation"]:
            if turn["participant"] == "USER":
                slots = [("KEYWORDS" if slot[0] == "KEYWORD" else slot[0], slot[1])
                         for act in turn["dialogue_acts"] for slot in act["slot_values"] if slot[1]]  # fmt: skip
                yield turn["utterance"].strip(), slots


def _counts(
    slot: str, rows: Sequence[tuple[str, Said]], found: Sequence[Request], films: Catalog, links: Links
) -> np.ndarray[Any, Any]:
    """True positives, found, annotated."""
    total = np.zeros(3)
    for (_, gold), request in zip(rows, found, strict=True):
        wanted = {normal(value) for name, value in gold if name == slot}
        ours = set(map(normal, _values(slot, request, films)))
        hits = sum(any(_alike(slot, one, other, links) for other in wanted) for one in ours)
        total += (min(hits, len(wanted)), len(ours), len(wanted))
    return total


def _values(slot: str, request: Request, films: Catalog) -> list[str]:
    if slot == "TITLE":
        items = (*request.liked, *request.disliked, *request.seen)
        return [films.titles[int(number)] for number in films.numbers(items)]
    if slot == "KEYWORDS":
        return [*request.moods, *request.unwanted_moods, *request.unlinked]
    every = (*request.rules, *request.liked_traits, *request.disliked_traits)
    rules = [rule for rule in every if slot == "NAME" or rule.field == SLOTS[slot]]
    return [str(value) for rule in rules for value in (rule.value if isinstance(rule.value, tuple) else (rule.value,))]


def _alike(slot: str, one: str, other: str, links: Links) -> bool:
    meant = links.values.get(other, {}).get(SLOTS.get(slot, ""))
    return one == other or (meant is not None and normal(meant) == one) or fuzz.ratio(one, other) >= _ALIKE


def _f1(counts: np.ndarray[Any, Any]) -> float:
    hits, found, wanted = counts.tolist()
    return float(2 * hits / max(1.0, found + wanted))


def opendialkg(reader: Reader, shared: Path, folder: Path) -> tuple[list[Claim], dict[str, Any]]:
    """Recall of what was recommended in test turns; folder: keeps the bundle that is trained on learnable dialogues."""
    known = catalog(shared)
    recommender, own = Recommender.open(trained(shared, folder)), reader.of(known)
    texts = encode_texts(item_texts(known), cache=folder / "cache")
    system = _System(recommender, own, known)
    valid = turns(shared, "valid", known)[:200]
    scale = max(
        (1.0, 3.0, 9.0), key=lambda one: _recall(system.ranked(valid, one, masked=True), valid, known, 10).mean()
    )
    test, counts = (
        turns(shared, "test", known),
        Counter(item for one in learnable(shared, known) for item in one.answers),
    )
    popular = np.array([counts[item] for item in known.item_ids], dtype=np.float64)
    asked = encode_texts([" ".join(one.context)[-600:] for one in test], cache=folder / "cache") @ texts.T
    claims = []
    for masked in (True, False):
        ranked = {"": system.ranked(test, scale, masked=masked),
                  ".popularity": _best(np.tile(popular, (len(test), 1)), test, known, masked),
                  ".retriever": _best(asked.astype(np.float64), test, known, masked)}  # fmt: skip
        for suffix, found in ranked.items():
            for k in KS:
                one = mean_interval(_recall(found, test, known, k))
                name = f"chat.opendialkg_r{k}{suffix}{'' if masked else '.unmasked'}"
                claims.append(claim(name, one.mean, "Recall", ">=", None, n=len(test), low=one.low, high=one.high))
    return claims, {
        "trait weight, chosen on validation": scale,
        "masked": "items that the context names cannot come again",
    }


class _System:
    """Requests read by the chat's reader; items named are the history, values named lean the scores."""

    def __init__(self, recommender: Recommender, reader: Reader, known: Catalog) -> None:
        self.recommender, self.reader, self.known = recommender, reader, known
        self._kept: dict[Turn, Read] = {}
        self._find = cache(lambda text: reader.mentions.find(text).mentions)

    def ranked(self, asked: Sequence[Turn], scale: float, *, masked: bool) -> list[list[int]]:
        read = self._read(asked)
        out = []
        for start in range(0, len(asked), 32):
            part, these = asked[start : start + 32], read[start : start + 32]
            masks = [_mask(one, self.known, masked) for one in part]
            rankings = self.recommender.fusion.rank(
                Ragged.from_lists([history for history, _ in these]), max(KS), allowed=masks,
                nudges=[(scale * nudge).astype(np.float32) for _, nudge in these],
            )  # fmt: skip
            out += [one.items.tolist() for one in rankings]
        return out

    def _read(self, asked: Sequence[Turn]) -> list[Read]:
        """History and nudge of each turn; every message of a dialogue is read once, all together."""
        new = [one for one in dict.fromkeys(asked) if one not in self._kept]
        texts = list(dict.fromkeys(text for one in new for text in one.context[-1::-2]))
        said = dict(zip(texts, self.reader.read(texts, [()] * len(texts)), strict=True))
        self._kept |= {one: self._meant(one, [said[text] for text in one.context[-1::-2]]) for one in new}
        return [self._kept[one] for one in asked]

    def _meant(self, one: Turn, requests: Sequence[Request]) -> Read:
        found = [self._find(text) for text in one.context]
        items = [mention.items[0] for mentions in found for mention in mentions if mention.kind == "item"]
        unwanted = {item for request in requests for item in request.disliked}
        values = [
            Rule(field=mention.field, op="=", value=mention.value)
            for mentions in found[-3:]
            for mention in mentions
            if mention.value
        ]
        refused = [trait for request in requests for trait in request.disliked_traits]
        leaning = Leaning(tuple(value for value in dict.fromkeys(values) if value not in refused), tuple(refused))
        nudge = self.recommender.nudge(leaning)
        history = list(dict.fromkeys(reversed([item for item in items if item not in unwanted])))[::-1]
        return self.known.numbers(history).tolist(), np.zeros(len(self.known)) if nudge is None else nudge


def _mask(one: Turn, known: Catalog, masked: bool) -> np.ndarray[Any, Any]:
    mask = np.ones(len(known), dtype=bool)
    if masked:
        mask[known.numbers(one.named)] = False
    return mask


def _best(scores: np.ndarray[Any, Any], asked: Sequence[Turn], known: Catalog, masked: bool) -> list[list[int]]:
    held = np.stack([np.where(_mask(one, known, masked), row, -np.inf) for one, row in zip(asked, scores, strict=True)])
    best: list[list[int]] = np.argsort(-held, axis=1, kind="stable")[:, : max(KS)].tolist()
    return best


def _recall(ranked: Sequence[Sequence[int]], asked: Sequence[Turn], known: Catalog, k: int) -> np.ndarray[Any, Any]:
    """Share of each turn's answers among the first k, float64 [turns]."""
    wanted = [set(known.numbers(one.answers).tolist()) for one in asked]
    return np.array([len(want & set(row[:k])) / len(want) for want, row in zip(wanted, ranked, strict=True)])
