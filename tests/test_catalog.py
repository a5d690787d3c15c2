import polars as pl
import pytest

from genrec.catalog import Catalog
from genrec.errors import DataError, UnknownItem


@pytest.fixture
def films() -> Catalog:
    return Catalog.from_table(
        pl.DataFrame(
            {
                "item_id": ["1", "2", "3"],
                "title": ["Toy Story", "The Matrix", None],
                "genres": [["Animation", "Comedy"], ["Action", None, ""], []],
                "year": [1995, 1999, None],
            }
        )
    )


def test_the_row_number_is_the_items_number(films):
    assert films.numbers(["3", "1"]).tolist() == [2, 0]
    assert films.row(1)["title"] == "The Matrix"


def test_an_empty_title_reads_as_empty_text(films):
    assert films.titles == ["Toy Story", "The Matrix", ""]


def test_facts_leave_out_what_is_empty(films):
    assert films.facts(1) == {"genres": ["Action"], "year": ["1999"]}
    assert films.facts(2) == {}


def test_find_forgives_spelling(films):
    assert films.find("toy storry") == 0


def test_an_unknown_item_comes_with_the_nearest(films):
    with pytest.raises(UnknownItem) as caught:
        films.numbers(["1", "33"])
    assert "3" in caught.value.nearest
    with pytest.raises(UnknownItem, match="nearest"):
        films.find("zzzzqqq")


def test_select_keeps_the_order_asked_for(films):
    assert films.select([2, 0]).item_ids == ["3", "1"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"item_id": ["1"]}, "lacks columns"),
        ({"item_id": ["1", "1"], "title": ["a", "b"]}, "stands twice"),
        ({"item_id": [None, "1"], "title": ["a", "b"]}, "row 0"),
    ],
)
def test_a_table_that_is_no_catalog_is_refused(table, said):
    with pytest.raises(DataError, match=said):
        Catalog.from_table(pl.DataFrame(table))
