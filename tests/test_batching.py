"""Slates made together are the slates made alone."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.batching import Ask, recommend_many
from genrec.errors import UnknownItem
from genrec.recommender import Recommender
from tests.helpers.running import Tiny


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Recommender:
    return Recommender.open(tiny.bundle)


def asks(model: Recommender) -> list[Ask]:
    ids, rng = model.catalog.item_ids, np.random.default_rng(0)
    masks = rng.random((6, len(ids))) < 0.7
    weights = [None, None, {"popularity": 3.0}, None, {"popularity": 3.0}, None]
    ks = [3, 10, 5, 70, 5, 1]  # 70 is wider than the beam
    starts = [0, 5, 9, 20, 30, None]
    return [
        Ask(tuple(ids[start : start + 4 + place]) if start is not None else (), ks[place], masks[place], weights[place])
        for place, start in enumerate(starts)
    ]


def test_together_as_alone(model: Recommender) -> None:
    wanted = asks(model)
    together = recommend_many(model, wanted)
    for ask, slate in zip(wanted, together, strict=True):
        alone = model.recommend(
            ask.history, ask.k, allowed=ask.allowed, repeats=True, weights=ask.weights, explain=False
        )
        assert [item.id for item in slate.items] == [item.id for item in alone.items]
        np.testing.assert_allclose(
            [item.score for item in slate.items], [item.score for item in alone.items], atol=1e-4
        )
        assert slate.id == alone.id


def test_nothing_is_asked(model: Recommender) -> None:
    assert recommend_many(model, []) == []


def test_one_that_is_wrong_is_an_error(model: Recommender) -> None:
    wrong = Ask(("nope",), 3, np.ones(len(model.catalog), dtype=bool))
    with pytest.raises(UnknownItem):
        recommend_many(model, [*asks(model), wrong])
