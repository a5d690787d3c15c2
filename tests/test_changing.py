"""A catalog that changes under a recommender: numbers hold, new items come, what is gone stays readable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genrec.changing import ItemChange, availability, changed_catalog, checked_row, extended
from genrec.errors import DataError
from genrec.ragged import Ragged
from genrec.recommender import Recommender
from genrec.renewing import changed
from tests.helpers.running import Tiny


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Recommender:
    return Recommender.open(tiny.bundle)


def new(title: str = "Fresh", **fields: Any) -> ItemChange:
    return ItemChange("fresh", {"title": title, "genres": ["Drama"], "year": 1999, **fields})


def test_rows_are_replaced_in_place_and_new_ones_come_last(model: Recommender) -> None:
    catalog = model.catalog
    patch = ItemChange(catalog.item_ids[7], {"year": 1900}, whole=False)
    found = changed_catalog(catalog, [new(), patch])
    assert found.item_ids == [*catalog.item_ids, "fresh"]
    assert found.row(7) == {**catalog.row(7), "year": 1900}
    assert found.row(6) == catalog.row(6)
    assert found.row(len(catalog))["director"] is None
    assert changed_catalog(catalog, []) is catalog


def test_whole_rows_forget_what_they_do_not_say(model: Recommender) -> None:
    found = changed_catalog(model.catalog, [ItemChange(model.catalog.item_ids[0], {"title": "Other"})])
    assert found.row(0)["title"] == "Other"
    assert found.row(0)["year"] is None


def test_what_was_deleted_before_it_was_known_is_nothing(model: Recommender) -> None:
    gone = ItemChange("never", {}, available=False)
    assert changed_catalog(model.catalog, [gone]) is model.catalog
    assert availability(model.catalog, None, [gone]).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"title": "T", "colour": 1}, "no such fields"), ({"title": "T", "item_id": "x"}, "no such fields"),
     ({"title": " "}, "needs a title"), ({"title": "T", "year": "x"}, "does not fit"),
     ({"title": "T", "year": 10**30}, "does not fit"), ({"title": 5}, "does not fit"),
     ({"title": "T", "genres": "Drama"}, "does not fit")],
)  # fmt: skip
def test_what_is_no_row(model: Recommender, fields: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        checked_row(model.catalog, "fresh", fields)


def test_a_new_item_is_recommended_and_read_without_training(model: Recommender) -> None:
    twin = {name: value for name, value in model.catalog.row(30).items() if name != "item_id"}
    wider = changed(model, [ItemChange("fresh", {**twin, "title": "Fresh"})], 1)
    ids = [item.id for item in wider.recommend(model.catalog.item_ids[:3], 80, explain=False).items]
    assert "fresh" in ids
    assert wider.recommend(["fresh"], 3).items[0].explanation
    assert len(model.catalog) == 80  # whoever holds the old one goes on with it
    assert model.recommend(model.catalog.item_ids[:3], 3, explain=False).items
    for item in model.catalog.item_ids[:80:9]:
        old, now = (one.fusion.asking.index for one in (model, wider))
        assert old.text(old.item_ids.index(item)) == now.text(now.item_ids.index(item))


def test_out_of_stock_is_never_recommended_and_can_be_read(model: Recommender) -> None:
    gone = model.catalog.item_ids[5]
    fewer = changed(model, [ItemChange(gone, {}, available=False, whole=False)], 1)
    ids = {item.id for item in fewer.recommend(model.catalog.item_ids[:3], 80, explain=False).items}
    assert gone not in ids
    assert fewer.recommend([gone], 3, explain=False).items
    back = changed(fewer, [ItemChange(gone, {}, available=True, whole=False)], 2)
    assert gone in {item.id for item in back.recommend(model.catalog.item_ids[:3], 80, explain=False).items}
    assert len({one.recommend([gone], 3, explain=False).id for one in (model, fewer, back)}) == 3


def test_every_prior_grows(model: Recommender) -> None:
    history = Ragged.from_lists([np.array([1, 2, 3])])
    for prior in model.fusion.mix.priors:
        grown = extended(prior, 83).values(history)
        assert grown.shape == (1, 83)
        np.testing.assert_allclose(grown[:, :80], prior.values(history), rtol=1e-5, atol=1e-5)
        assert not grown[:, 80:].any()
