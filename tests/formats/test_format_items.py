import polars as pl
import pytest

from genrec.formats.checks import LONGEST
from genrec.formats.items import checked_items, column_of, completed, split_lists, split_titles, typed_texts
from genrec.formats.report import Tally
from genrec.interactions import Interactions


@pytest.mark.parametrize(
    ("raw", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Matrix, The (1999)", "The Matrix", 1999),
        ("Avventura, L' (1960)", "L'Avventura", 1960),
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)",
         "The City of Lost Children (La Cité des enfants perdus)", 1995),
        ("American President, The", "The American President", None),
        ("Death Note (2006\u20132007)", "Death Note", 2006),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Series (2010\u2013 )", "Series", 2010),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("Lock, Stock (1998)", "Lock, Stock", 1998),
        ("Babylon 5", "Babylon 5", None),
        ("", "", None),
        (None, None, None),
    ],
)  # fmt: skip
def test_titles_are_made_readable_and_lose_the_year(raw, title, year):
    expressions = split_titles(pl.col("raw"))
    table = pl.DataFrame({"raw": [raw]}, schema={"raw": pl.String}).select(title=expressions[0], year=expressions[1])
    assert table.row(0) == (title, year)


def test_lists_lose_empty_and_none_values():
    table = pl.DataFrame({"g": ["A|B", "", "(no genres listed)", None, "A| |C"]})
    assert table.select(split_lists(pl.col("g"), "|"))["g"].to_list() == [["A", "B"], [], [], [], ["A", "C"]]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None], pl.Int64), ([1, 2.5], pl.Float64), (["a", None], pl.String), ([["a"], None], pl.List(pl.String)),
        ([["a", 1]], pl.List(pl.String)), ([{"a": 1}, "b"], pl.String), ([True], pl.String), ([10**30], pl.String),
    ],
)  # fmt: skip
def test_a_column_of_json_takes_the_type_of_its_values(values, kind):
    assert column_of("x", values).dtype == kind


def test_csv_columns_become_numbers_only_when_all_are():
    table = pl.DataFrame({"item_id": ["1"], "price": ["2.5"], "zip": ["012"], "genres": ["a|b"], "none": [""]})
    typed = typed_texts(table, ["genres"])
    assert typed.row(0) == ("1", 2.5, "012", ["a", "b"], "")


def test_bad_items_are_reported_and_the_rest_kept():
    tally = Tally("test")
    rows = [("1", "a"), (None, "b"), ("1", "c"), (" 2 ", ""), ("3", "t" * (LONGEST + 5))]
    table = pl.DataFrame(rows, schema=["item_id", "title"], orient="row").with_columns(line=pl.int_range(1, 6))
    found = checked_items(table, "items.csv", tally)
    assert found["item_id"].to_list() == ["1", "2", "3"]
    assert found["title"].to_list()[:2] == ["a", "2"]
    assert len(found["title"][2]) == LONGEST
    assert sorted(problem.line for problem in tally.problems) == [2, 3, 5]
    assert tally.notes == ["items.csv: 1 items have no title; their id stands in for it"]


def test_long_texts_within_lists_are_cut():
    table = pl.DataFrame({"line": [1], "item_id": ["1"], "title": ["a"], "tags": [["x" * (LONGEST + 1)]]})
    assert len(checked_items(table, "f", Tally("test"))["tags"][0][0]) == LONGEST


def test_the_catalog_is_completed_in_the_order_of_the_log():
    table = pl.DataFrame({"user_id": ["u"] * 3, "item_id": ["z", "a", "1"], "timestamp": [1, 2, 3]})
    log = Interactions.from_table(table)
    catalog, added = completed(pl.DataFrame({"item_id": ["1"], "title": ["One"], "year": [1990]}), log)
    assert (catalog.item_ids, catalog.titles, added) == (["1", "z", "a"], ["One", "z", "a"], 2)
    assert completed(None, log)[0].item_ids == ["z", "a", "1"]
