"""A recommender over a changed catalog, the model as it is. Does not know who keeps the changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.linear_model import Ridge

from genrec.asking import NextItemPrompt
from genrec.catalog import Catalog
from genrec.changing import ItemChange, availability, changed_catalog, extended_mix
from genrec.explaining import Explainer
from genrec.fusing import Fusion
from genrec.indexing import placed
from genrec.items.codes import Float32
from genrec.items.text import TFIDF, encode_texts, encoder_name, item_texts, unit
from genrec.leaning import Leaner
from genrec.priors import Content, Popular, text_vectors
from genrec.recommender import Recommender


def changed(recommender: Recommender, changes: Sequence[ItemChange], edition: int) -> Recommender:
    """A recommender of the changed catalog with the same model; the old one goes on serving whoever holds it.

    New items get free semantic IDs near their text and stand in every prior. Raises DataError, IndexingError.
    """
    catalog = changed_catalog(recommender.catalog, changes)
    fusion, explainer = recommender.fusion, recommender.explainer
    if len(catalog) > len(recommender.catalog):
        fusion = _wider(recommender, catalog)
    if catalog is not recommender.catalog:
        explainer = Explainer(
            fusion.engine, fusion.asking, explainer.vocabulary, explainer.prompts, catalog, explainer.kept
        )
    popular = next((prior for prior in fusion.mix.priors if isinstance(prior, Popular)), recommender.popular)
    content = text_vectors(fusion.mix.priors)
    leaner = Leaner(catalog, content, recommender.bundle.manifest.encoder)
    mask = availability(catalog, recommender.available, changes)
    return replace(
        recommender, live=catalog, fusion=fusion, explainer=explainer, popular=popular, available=mask, leaner=leaner,
        edition=edition,
    )  # fmt: skip


def _wider(recommender: Recommender, catalog: Catalog) -> Fusion:
    old, asking = recommender.fusion, recommender.fusion.asking
    known = len(recommender.catalog)
    content = next((prior for prior in old.mix.priors if isinstance(prior, Content)), None)
    vectors, described = _new_vectors(recommender, catalog, content)
    index = asking.index.add(catalog.item_ids[known:], vectors)
    wider = NextItemPrompt(asking.prompts, asking.vocabulary, index, asking.window, asking.block)
    return Fusion(old.engine, wider, extended_mix(old.mix, len(catalog), described), old.width, old.rescued)


def _new_vectors(recommender: Recommender, catalog: Catalog, content: Content | None) -> tuple[Float32, Float32]:
    """Of the new items: where they stand in the item space, and their text vectors for the content prior."""
    bundle, index, known = recommender.bundle, recommender.fusion.asking.index, len(recommender.catalog)
    if encoder_name(bundle.manifest.encoder or None) != TFIDF:
        fresh = encode_texts(item_texts(catalog.select(np.arange(known, len(catalog)))), bundle.manifest.encoder)
        return bundle.space.vectors(fresh), fresh
    described = encode_texts(item_texts(catalog), TFIDF)
    places = np.concatenate([np.arange(known), np.full(len(catalog) - known, -1)])
    vectors = placed(index, places, described)
    if content is None:
        return vectors, np.zeros((len(vectors), 0), dtype=np.float32)
    read = Ridge(alpha=0.1).fit(described[:known], content.vectors)
    return vectors, unit(np.asarray(read.predict(described[known:])).reshape(len(vectors), -1))
