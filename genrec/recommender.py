"""The Recommender: a bundle that answers. History in, slate with reasons out. Knows no HTTP, stores or training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from genrec.adapting import AdaptiveFusion
from genrec.answers import (
    EvidenceShown,
    JudgedItem,
    PieceShown,
    Recommendation,
    RecommendedItem,
    StatementShown,
    ToldItem,
    WindowShown,
)
from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.chatting.conversation import Leaning
from genrec.chatting.rules import Rule
from genrec.covering import CANDIDATES, covering
from genrec.decoding.engine import Engine
from genrec.errors import ConfigError, EngineError
from genrec.explaining import Explainer, Explanation, Length
from genrec.exploring import Exploration, draw, uncertainty
from genrec.following import detector_of
from genrec.fusing import Bool, Fusion, Ranking, Slated, unseen
from genrec.interest.adapting import Adapter, AdaptPolicy
from genrec.interest.drift import Detector
from genrec.interest.timeline import Edit, edited
from genrec.judging import Judge, JudgingPrompt, Task, known_answers, told
from genrec.leaning import Leaner
from genrec.model.loading import load, vocabulary_of
from genrec.priors import text_vectors
from genrec.priors.mix import Float32, standardised
from genrec.priors.popularity import Popular
from genrec.priors.stored import load_mix
from genrec.ragged import Int64, Ragged

MOST = 200  # items of one slate

__all__ = [
    "MOST", "EvidenceShown", "JudgedItem", "Recommendation", "RecommendedItem", "Recommender", "ToldItem",
    "WindowShown",
]  # fmt: skip


@dataclass(frozen=True)
class Recommender:
    """Answers from an opened bundle. Thread-safe as far as its engine is."""

    bundle: Bundle
    fusion: Fusion
    popular: Popular | None
    explainer: Explainer
    live: Catalog | None = None
    """The catalog after edits, in place of the bundle's."""
    available: Bool | None = None
    """Items that may be recommended, bool [items]; None: all."""
    leaner: Leaner | None = None
    """What a conversation's leanings are read by; None: they are left aside."""
    edition: int = 0
    """Number of the last catalog edit; 0: the bundle's own catalog."""
    adapter: Adapter | None = None
    """What notices that interest moves; None: the whole window counts."""

    @classmethod
    def open(
        cls, bundle: Bundle | str | Path, *, device: str | None = None, width: int = 50, engine: Engine | None = None
    ) -> Recommender:
        """Loads a bundle with the torch engine; raises BundleError, CorruptBundle or NewerBundle.

        engine: another one that runs this bundle's model, as VllmEngine.open(folder); no weights are then loaded.
        """
        bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        vocabulary = vocabulary_of(bundle)
        engine = engine or load(bundle, device=device).engine
        block = getattr(engine, "block", 1)
        asking = NextItemPrompt(bundle.prompts, vocabulary, bundle.index, bundle.manifest.window, block)
        mix = load_mix(bundle.folder / "priors", bundle.manifest.prior_weights, bundle.manifest.model_ranks)
        popular = next((prior for prior in mix.priors if isinstance(prior, Popular)), None)
        explainer = Explainer(engine, asking, vocabulary, bundle.prompts, bundle.catalog)
        content = text_vectors(mix.priors)
        leaner = Leaner(bundle.catalog, content, bundle.manifest.encoder)
        fusion, detector = Fusion(engine, asking, mix, width), detector_of(bundle)
        opened = cls(bundle, fusion, popular, explainer, leaner=leaner)
        return opened if detector is None else opened.following(detector)

    def following(self, detector: Detector, policy: AdaptPolicy | None = None) -> Recommender:
        """One that follows changes of interest by this detector; policy: how readily, and whether at all."""
        return replace(self, adapter=Adapter(detector.filter, policy or AdaptPolicy()))

    @property
    def catalog(self) -> Catalog:
        return self.bundle.catalog if self.live is None else self.live

    @property
    def version(self) -> str:
        return self.bundle.version

    def recommend(
        self,
        history: Sequence[str],
        k: int = 10,
        *,
        exclude: Sequence[str] = (),
        allowed: Bool | None = None,
        repeats: bool = False,
        weights: Mapping[str, float] | None = None,
        explain: bool = True,
        length: Length = "normal",
        language: str | None = None,
        rules: Sequence[Rule] = (),
        profile: str = "",
        leaning: Leaning | None = None,
        edits: Sequence[Edit] = (),
        explore: Exploration | None = None,
        seed: int = 0,
        cover: float = 0.0,
        ranked: Ranking | None = None,
    ) -> Recommendation:
        """The k best items after a history of item ids, oldest first.

        exclude: ids never shown; allowed: bool [items], a hard filter; repeats: whether items of the history may come
        again; weights: of priors, in place of the bundle's; length, language: of explanations (the bundle's where it
        does not speak another); rules: those that `allowed` came of, for explanations to name; profile: words on what
        the history leaves out; leaning: what moves scores beside them; edits: what the person wants less of; explore:
        leaves places to chance, more where the interest is uncertain, and says with which chance; seed: of that chance;
        cover: 0 takes the best items, towards 1 those that cover the person's interests in proportion, .3 is a good
        trade; not together with explore; ranked: the ranking, where it is there already.
        Raises UnknownItem, ConfigError.
        """
        if not 1 <= k <= MOST:
            raise ConfigError("k is out of range", value=k, allowed=f"1 to {MOST}")
        chosen = self.catalog.numbers(history)
        mask = self._mask(chosen, exclude, allowed, repeats)
        fusion = self.weighted(weights)
        nudge = self.nudge(leaning, edits)
        mask = mask if nudge is None else mask & np.isfinite(nudge)
        if cover and explore is not None:
            raise ConfigError("cover and explore exclude each other", value=cover, remedy="leave one out")
        depth = max(k, CANDIDATES if cover else 0, explore.pool if explore is not None else 0)
        ranking = self._rank(fusion, chosen, depth, mask, profile, nudge) if ranked is None else ranked
        ranking, chances = (ranking, None) if explore is None else self._explored(ranking, chosen, k, explore, seed)
        if cover and len(chosen):
            topics = None if self.adapter is None else self.adapter.filter.topics
            ranking = covering(topics, ranking, chosen, k, cover)
        told: list[Explanation] = []
        if explain and len(chosen):
            judge = Slated(fusion, len(ranking.items), mask, profile, nudge)
            explainer = self.explainer.speaking(language)
            told = explainer.explain(chosen, ranking.items.tolist(), length=length, rules=rules, judge=judge)
        asked = {"history": list(history), "k": k, "exclude": sorted(exclude), "repeats": repeats}
        asked |= {"profile": profile} if profile else {}
        asked |= {"leaning": repr(leaning)} if leaning else {}
        asked |= {"length": length} if length != "normal" else {}
        asked |= {"language": language} if self.explainer.speaking(language) is not self.explainer else {}
        asked |= {"edition": self.edition} if self.edition else {}
        asked |= {"edits": [edit.model_dump() for edit in edits]} if edits else {}
        asked |= {"explore": [explore.model_dump(), seed]} if explore is not None else {}
        asked |= {"cover": cover} if cover else {}
        asked |= {"adapt": self.adapter.policy.model_dump()} if self.adapter is not None else {}
        asked |= {"weights": dict(fusion.mix.weights), "allowed": "" if allowed is None else allowed.tobytes().hex()}
        return Recommendation(
            id=hashlib.sha256(json.dumps([self.version, asked], sort_keys=True).encode()).hexdigest()[:24],
            items=[
                self._item(ranking, rank, told[rank] if told else None, None if chances is None else chances[rank])
                for rank in range(len(ranking.items))
            ],
            window=self._window(chosen, profile),
            constraints=_constraints(exclude, allowed, repeats),
            model=self.version,
            degraded=not len(chosen),
            note="" if len(chosen) else "no history to read: these are the items that most people chose",
        )

    def explain(
        self, history: Sequence[str], items: Sequence[str], length: Length = "normal", language: str | None = None
    ) -> list[Explanation]:
        """Why each item would be recommended after this history."""
        chosen, wanted = self.catalog.numbers(history), self.catalog.numbers(items).tolist()
        explainer = self.explainer.speaking(language)
        return explainer.explain(chosen, wanted, length=length, judge=Slated(self.fusion))

    def told(
        self, history: Sequence[str], items: Sequence[str], length: Length = "normal", language: str | None = None
    ) -> list[ToldItem]:
        """The same in the shape of an answer."""
        return [
            ToldItem(id=item, title=self.catalog.titles[one.item], explanation=one.text, evidence=self._evidence(one))
            for item, one in zip(items, self.explain(history, items, length, language), strict=True)
        ]

    def ratings(self, history: Sequence[tuple[str, float]], items: Sequence[str]) -> list[JudgedItem]:
        """What a person who gave these ratings, (item id, rating) oldest first, will rate each item. Raises ConfigError
        where the bundle has not learnt ratings, DataError for one that it does not know."""
        return self._judged("rating", history, items)

    def kinds(self, history: Sequence[tuple[str, str]], items: Sequence[str]) -> list[JudgedItem]:
        """Which kind of event each item will meet, after (item id, kind); raises as `ratings` does."""
        return self._judged("kind", history, items)

    def _judged(self, task: Task, history: Sequence[tuple[str, str | float]], items: Sequence[str]) -> list[JudgedItem]:
        answers = known_answers(task, self.bundle.manifest.answers)
        prompt = JudgingPrompt(self.fusion.asking, answers, self.bundle.manifest.context)
        chosen, said = self.catalog.numbers([item for item, _ in history]), answers.numbers(one for _, one in history)
        wanted = self.catalog.numbers(items).tolist()
        asked = [prompt.ids(chosen, said, item) for item in wanted]
        titles = [self.catalog.titles[item] for item in wanted]
        return told(answers, Judge(self.fusion.engine, prompt).chances(asked), items, titles)

    def find(self, titles: Sequence[str]) -> list[str]:
        """Item ids by fuzzy title; raises UnknownItem with the nearest titles."""
        return [self.catalog.item_ids[self.catalog.find(title)] for title in titles]

    def _mask(self, chosen: Int64, exclude: Sequence[str], allowed: Bool | None, repeats: bool) -> Bool:
        mask = np.ones(len(self.catalog), dtype=bool) if repeats else unseen(chosen, len(self.catalog))
        mask[self.catalog.numbers(exclude)] = False
        if self.available is not None:
            mask &= self.available
        if allowed is None:
            return mask
        if allowed.shape != mask.shape:
            raise EngineError("the filter does not fit the catalog", value=allowed.shape, allowed=f"{mask.shape}")
        return mask & allowed

    def weighted(self, weights: Mapping[str, float] | None) -> Fusion | AdaptiveFusion:
        """What ranks, with these weights of priors in place of the bundle's; raises ConfigError for unknown priors."""
        fusion = self.fusion if weights is None else replace(self.fusion, mix=self.fusion.mix.with_weights(weights))
        return fusion if self.adapter is None else AdaptiveFusion(fusion, self.adapter)

    def nudge(self, leaning: Leaning | None, edits: Sequence[Edit] = ()) -> Float32 | None:
        """What a leaning and edits add to the priors, in their unit, float32 [items], −inf: never; None: nothing."""
        parts: list[Float32] = [self.leaner.values(leaning)] if leaning and self.leaner is not None else []
        parts += [edited(self.explainer.facts, len(self.catalog), edits).astype(np.float32)] if edits else []
        return np.multiply(np.sum(parts, axis=0), self.fusion.mix.unit, dtype=np.float32) if parts else None

    def _explored(
        self, ranking: Ranking, chosen: Int64, k: int, explore: Exploration, seed: int
    ) -> tuple[Ranking, list[float]]:
        unsure = 1.0
        if self.adapter is not None and len(chosen):
            known = chosen[chosen < self.adapter.filter.topics.items]
            unsure = uncertainty(self.adapter.present(Ragged.from_lists([known]))[0].began)
        drawn = draw(ranking.scores, k, explore.rate(unsure), explore, seed)
        picked = Ranking(ranking.items[drawn.picks], ranking.logprobs[drawn.picks], ranking.scores[drawn.picks])
        return picked, drawn.propensities.tolist()

    def _rank(
        self,
        fusion: Fusion | AdaptiveFusion,
        chosen: Int64,
        k: int,
        mask: Bool,
        profile: str,
        nudge: Float32 | None = None,
    ) -> Ranking:
        if len(chosen):
            return fusion.rank(Ragged.from_lists([chosen]), k, allowed=[mask], profiles=[profile], nudges=[nudge])[0]
        counts = self.popular.counts if self.popular is not None else np.zeros(len(mask), dtype=np.float32)
        liked = np.log1p(counts) if nudge is None else standardised(np.log1p(counts)[None])[0] + nudge
        values = np.where(mask, liked, -np.inf).astype(np.float64)
        best = np.lexsort((np.arange(len(values)), -values))[: min(k, int(mask.sum()))]
        return Ranking(best.astype(np.int64), values[best], values[best])

    def _item(self, ranking: Ranking, rank: int, words: Explanation | None, chance: float | None) -> RecommendedItem:
        number = int(ranking.items[rank])
        return RecommendedItem(
            id=self.catalog.item_ids[number],
            title=self.catalog.titles[number],
            score=float(ranking.scores[rank]),
            rank=rank + 1,
            evidence=None if words is None else self._evidence(words),
            explanation=None if words is None else words.text,
            propensity=chance,
        )

    def _evidence(self, words: Explanation) -> EvidenceShown:
        facts: dict[str, list[str]] = {}
        for fact in words.evidence.facts:
            facts.setdefault(fact.field, []).append(fact.value)
        moved = words.evidence.interactions
        return EvidenceShown(
            interactions=[self.catalog.item_ids[one.item] for one in moved],
            drops=[float(one.drop) for one in moved],
            facts=facts,
            pieces=[PieceShown(**asdict(one)) for one in self.explainer.citing.pieces(words.evidence)],
            statements=[
                StatementShown(kind=one.part, text=one.text, evidence=list(one.cited)) for one in words.statements
            ],
        )

    def _window(self, chosen: Int64, profile: str) -> WindowShown:
        shown = len(self.fusion.asking.shown(chosen, profile))
        return WindowShown(shown=shown, left_out=len(chosen) - shown)


def _constraints(exclude: Sequence[str], allowed: Bool | None, repeats: bool) -> dict[str, str]:
    said = {} if repeats else {"history": "not again"}
    if exclude:
        said["exclude"] = ", ".join(exclude)
    if allowed is not None:
        said["allowed"] = f"{int(allowed.sum())} items"
    return said
