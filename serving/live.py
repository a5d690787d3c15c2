"""The catalog as it is now, in the server: fields, what may be recommended, and slates of the priors alone.

Immutable: an edit makes a new one, which takes the old one's place. Does not know the language model, HTTP or users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from genrec.answers import RecommendedItem
from genrec.bundle import Bundle
from genrec.catalog import Catalog
from genrec.changing import ItemChange, availability, changed_catalog, extended_mix
from genrec.chatting.rules import Bool
from genrec.chatting.understanding import Grammar
from genrec.following import detector_of
from genrec.interest.profile import Profiler
from genrec.interest.timeline import TimelineMaker
from genrec.interest.topics import Topics
from genrec.priors import Content, Mix
from genrec.priors.stored import load_mix
from genrec.ragged import Int64, Ragged
from serving.fields import fields_of
from serving.schemas.about import FieldSaid

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spoken:
    """The catalog as messages speak of it; built when the first message comes, and again only for other rows."""

    catalog: Catalog

    @cached_property
    def grammar(self) -> Grammar:
        return Grammar.of(self.catalog)

    @cached_property
    def fields(self) -> list[FieldSaid]:
        return fields_of(self.catalog)


@dataclass(frozen=True)
class Live:
    """available: bool [items]; profiler: of the bundle's catalog; edition: number of the last catalog edit, 0: none."""

    bundle: Bundle
    catalog: Catalog
    available: Bool
    mix: Mix
    profiler: Profiler
    spoken: Spoken
    edition: int = 0
    timelines: TimelineMaker | None = None
    """None where the bundle holds no detector."""
    beside: bool = False
    """Whether it is another bundle's catalog that this one speaks of."""

    @classmethod
    def open(cls, bundle: Bundle) -> Live:
        everything, profiler = np.ones(len(bundle.catalog), dtype=bool), Profiler.of(bundle.catalog)
        detector = detector_of(bundle)
        return cls(
            bundle,
            bundle.catalog,
            everything,
            load_mix(bundle.folder / "priors", bundle.manifest.prior_weights, bundle.manifest.model_ranks),
            profiler,
            Spoken(bundle.catalog),
            timelines=None if detector is None else TimelineMaker(detector, profiler),
        )

    @property
    def topics(self) -> Topics | None:
        """What interests are told by; None where the bundle holds no detector."""
        return None if self.timelines is None else self.timelines.detector.filter.topics

    @property
    def version(self) -> str:
        """Of the model."""
        return self.bundle.version

    def changed(self, changes: Sequence[ItemChange], edition: int) -> Live:
        """With these items as they are now; raises DataError."""
        catalog = changed_catalog(self.catalog, changes)
        mix = extended_mix(self.mix, len(catalog)) if len(catalog) > len(self.catalog) else self.mix
        mask = availability(catalog, self.available, changes)
        spoken = self.spoken if catalog is self.catalog else Spoken(catalog)
        return Live(self.bundle, catalog, mask, mix, self.profiler, spoken, edition, self.timelines)

    def over(self, main: Live) -> Live:
        """This bundle's model and priors over the catalog of another of the same items, as that is now."""
        more = len(main.catalog) > len(self.catalog)
        mix = extended_mix(self.mix, len(main.catalog)) if more else self.mix
        return replace(main, bundle=self.bundle, mix=mix, timelines=self.timelines, beside=True)

    def vectors(self, items: Int64) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Unit text vectors, float32 [items, dimensions]; without a content prior nothing is like anything."""
        content = next((prior for prior in self.mix.priors if isinstance(prior, Content)), None)
        return np.zeros((len(items), 1), dtype=np.float32) if content is None else content.vectors[items]

    def by_priors(
        self, history: Sequence[str], allowed: Bool, k: int, weights: Mapping[str, float] | None = None
    ) -> list[RecommendedItem]:
        """The k best items without the language model: the bundle's mix of priors, popularity without a history."""
        values = self._values(self.catalog.numbers(history), weights)
        held = np.where(allowed, values, -np.inf)
        best = np.lexsort((np.arange(len(held)), -held))[: min(k, int(allowed.sum()))]
        ids, titles = self.catalog.item_ids, self.catalog.titles
        return [
            RecommendedItem(id=ids[item], title=titles[item], score=float(held[item]), rank=rank + 1)
            for rank, item in enumerate(best.tolist())
        ]

    def _values(self, history: Int64, weights: Mapping[str, float] | None) -> Float64:
        mix = self.mix.with_weights(weights or {})
        names = mix.names()
        if not len(history) and "popularity" in names:
            mix = Mix(mix.priors, {"popularity": 1.0})
        elif not mix and names:
            mix = Mix(mix.priors, {"collaborative" if "collaborative" in names else names[0]: 1.0})
        if not mix:
            return np.zeros(len(self.catalog))
        return np.asarray(mix.values(Ragged.from_lists([history]))[0], dtype=np.float64)
