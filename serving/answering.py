"""From a request to a slate: past, rules, cache, engine, and the priors where there is no engine. Knows no HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue

from genrec.answers import Recommendation, RecommendedItem, ToldItem
from genrec.chatting.conversation import Leaning
from genrec.chatting.rules import Bool, Rule, allowed, relaxed
from genrec.covering import CANDIDATES, covering
from genrec.diversity import spread
from genrec.errors import ConfigError
from genrec.explaining import Length
from genrec.fusing import Ranking
from genrec.learning import Arm
from serving import store
from serving.engine.messages import Rank, Tell, packed
from serving.engine.room import EngineDown
from serving.live import Live
from serving.past import Past
from serving.schemas.recommendations import NoMatch, Slate, SlateRequest
from serving.service import Service
from serving.store.tuned import ARM

_POOL = 4  # candidates for each place of a slate that is to be diverse
_NOTES = {
    "history": "no history to read: these are the items that most people chose",
    "engine": "the language model is not available: the order is that of the priors",
}


async def slate(service: Service, asked: SlateRequest, past: Past, leaning: Leaning | None = None) -> Slate:
    """The answer; leaning: what a conversation leans to, which moves scores.

    Raises EngineBusy where it has to be refused, and GenrecErrors for what does not fit."""
    live = service.of(asked.model)
    _check(service, live, asked)
    drawn = _drawn(service, live, asked, past)
    if drawn is not None and drawn[0].weights:
        asked = asked.model_copy(update={"weights": drawn[0].weights})
    said = (live.version, past.version, live.edition, past.shown, past.profile, asked.model_dump_json(), leaning)
    key = (asked.user_id or "", said)
    if (kept := service.cache.get(key)) is not None:
        return kept
    mask = _mask(live, asked, past)
    made = await _made(service, live, asked, past, mask, leaning) if mask.any() else _nothing(live, asked, past)
    if asked.user_id is not None:
        await service.stored(service.store.record, _record(asked, live, made, drawn))
    if not made.degraded or not past.shown:
        service.cache.put(key, made)
    return made


def _drawn(service: Service, live: Live, asked: SlateRequest, past: Past) -> tuple[Arm, float] | None:
    """The weights to try and their chance, where the request leaves the weights open and names a user; they are tried
    with the main bundle only."""
    if asked.user_id is None or asked.weights is not None or live.beside:
        return None
    return service.tuner.draw(asked.user_id, past.version)


def _record(asked: SlateRequest, live: Live, made: Slate, drawn: tuple[Arm, float] | None) -> store.Slate:
    """What the store keeps of a slate, so that feedback can be tied to it."""
    policy: dict[str, JsonValue] = {"degraded": made.degraded, "edition": live.edition, "diversity": asked.diversity}
    policy |= {"cover": asked.cover} if asked.cover else {}
    if drawn is not None:
        policy |= {ARM: drawn[0].name, "chance": round(drawn[1], 6)}
    return store.Slate(
        recommendation_id=made.id, user_id=asked.user_id or "", model=made.model, policy=policy,
        items=tuple(store.ShownItem(item_id=item.id, slot=item.rank) for item in made.items),
    )  # fmt: skip


async def reasons(
    service: Service,
    live: Live,
    past: Past,
    items: Sequence[str],
    length: Length = "normal",
    language: str | None = None,
) -> list[ToldItem]:
    """Why each item; raises UnknownItem, ConfigError without a history, EngineDown."""
    live.catalog.numbers(items)
    if not past.shown:
        raise ConfigError("no history to explain from", remedy="post events of this user first, or pass a history")
    version = _named(service, live)
    told: list[ToldItem] = await service.room.ask(
        "explain", lambda number, deadline: Tell(number, past.shown, tuple(items), deadline, length, language, version)
    )
    return told


def _check(service: Service, live: Live, asked: SlateRequest) -> None:
    most = service.settings.limits.k
    if asked.k > most:
        raise ConfigError("k is out of range", value=asked.k, where="k", allowed=f"1 to {most}")
    if asked.weights:
        live.mix.with_weights(asked.weights)
    if asked.cover and live.topics is None:
        raise ConfigError(
            "the bundle knows no topics to cover", value=asked.cover, where="cover",
            remedy="train it on a larger log, or leave cover out",
        )  # fmt: skip


def _mask(live: Live, asked: SlateRequest, past: Past) -> Bool:
    """Which items may come, bool [items]; raises ConfigError, UnknownItem."""
    mask = live.available & allowed(live.catalog, asked.filters)
    mask[live.catalog.numbers([*asked.exclude, *past.disliked])] = False
    if not asked.repeats:
        mask[live.catalog.numbers(past.seen)] = False
    return mask


async def _made(
    service: Service, live: Live, asked: SlateRequest, past: Past, mask: Bool, leaning: Leaning | None
) -> Slate:
    if not past.shown and not leaning:
        return _slate(live, asked, past, live.by_priors((), mask, asked.k, asked.weights), "history")
    try:
        items, read = await _ranked(service, live, asked, past, mask, leaning)
        if not past.shown:
            return _slate(live, asked, past, items, "history")
        return _slate(live, asked, past.cut(read), items)
    except EngineDown as down:
        service.metrics.degraded.labels(down.reason).inc()
        items = live.by_priors(past.shown, mask, _pool(asked), asked.weights)
        return _slate(live, asked, past, picks(live, items, asked, past), "engine")


async def _ranked(
    service: Service, live: Live, asked: SlateRequest, past: Past, mask: Bool, leaning: Leaning | None = None
) -> tuple[list[RecommendedItem], int]:
    """The items, and how many of the history's the prompt showed."""
    version = _named(service, live) or live.version
    found: Recommendation = await service.room.ask(
        "recommend",
        lambda number, deadline: Rank(
            number,
            past.shown,
            _pool(asked),
            packed(mask),
            len(mask),
            asked.weights,
            asked.explain and not asked.picked,
            deadline,
            live.edition,
            past.profile,
            leaning,
            asked.length,
            tuple(asked.filters),
            asked.language,
            version,
        ),
    )
    picked = picks(live, found.items, asked, past)
    if not asked.picked or not asked.explain or not past.shown or not picked:
        return picked, found.window.shown
    told = await reasons(service, live, past, [item.id for item in picked], asked.length, asked.language)
    reasoned = [
        item.model_copy(update={"explanation": why.explanation, "evidence": why.evidence})
        for item, why in zip(picked, told, strict=True)
    ]
    return reasoned, found.window.shown


def _named(service: Service, live: Live) -> str:
    """What the engine is to call the bundle, empty: the one in use. Raises EngineDown where it does not hold it."""
    if live.beside and not service.room.speaks(live.version):
        raise EngineDown("loading")
    return live.version if live.beside else ""


def _pool(asked: SlateRequest) -> int:
    if asked.cover:
        return max(asked.k, CANDIDATES)
    return asked.k if asked.diversity == 0 else min(200, _POOL * asked.k)


def picks(live: Live, items: list[RecommendedItem], asked: SlateRequest, past: Past) -> list[RecommendedItem]:
    """The slate out of its candidates, best first: the first k, unless they are to differ or to cover interests."""
    if not asked.picked or not items or (asked.cover and not past.shown):
        return items[: asked.k]
    numbers, scores = live.catalog.numbers(item.id for item in items), np.array([item.score for item in items])
    if asked.cover:
        chosen = live.catalog.numbers(past.shown)
        found = covering(live.topics, Ranking(numbers, scores, scores), chosen, asked.k, asked.cover).items
        places = [int(np.flatnonzero(numbers == one)[0]) for one in found]
    else:
        places = spread(scores, live.vectors(numbers), asked.k, asked.diversity).tolist()
    return [items[place].model_copy(update={"rank": rank + 1}) for rank, place in enumerate(places)]


def _nothing(live: Live, asked: SlateRequest, past: Past) -> Slate:
    """No item may come; where that is for the filters, what to relax."""
    without = _mask(live, asked.model_copy(update={"filters": []}), past)
    relax = relaxed(live.catalog, asked.filters, without)
    left = [rule for rule in asked.filters if rule not in relax]
    count = int((without & allowed(live.catalog, left)).sum())
    found = _slate(live, asked, past, [])
    return found.model_copy(update={"no_match": NoMatch(relax=relax, would_leave=count)})


def _slate(live: Live, asked: SlateRequest, past: Past, items: list[RecommendedItem], short: str = "") -> Slate:
    return Slate(
        id=_id(live, asked, past),
        items=items,
        window=past.window,
        constraints=constraints(asked.filters, asked.exclude, asked.repeats),
        model=live.version,
        degraded=bool(short),
        note=_NOTES.get(short, ""),
    )


def _id(live: Live, asked: SlateRequest, past: Past) -> str:
    parts = [live.version, live.edition, past.version, past.shown, asked.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def constraints(rules: Sequence[Rule], exclude: Sequence[str], repeats: bool) -> dict[str, str]:
    """What was asked of the items, in words."""
    said = {} if repeats else {"history": "not again"}
    for rule in rules:
        said[rule.field] = "; ".join(filter(None, [said.get(rule.field), str(rule).removeprefix(f"{rule.field} ")]))
    if exclude:
        said["exclude"] = ", ".join(exclude)
    return said
