import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.errors import DataError
from genrec.interactions import Interactions


def table(rows: list[tuple[str, str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def test_rows_are_sorted_by_time_and_ties_keep_their_order():
    found = Interactions.from_table(table([("u", "c", 2), ("u", "b", 1), ("u", "a", 1)]))
    assert found.table["item_id"].to_list() == ["b", "a", "c"]


def test_before_and_since_part_at_the_time():
    found = Interactions.from_table(table([("u", "a", 1), ("u", "b", 2), ("u", "c", 3)]))
    assert found.before(2).table["item_id"].to_list() == ["a"]
    assert found.since(2).table["item_id"].to_list() == ["b", "c"]


def test_histories_number_items_by_the_catalog_and_leave_others_out():
    found = Interactions.from_table(table([("v", "b", 5), ("u", "a", 3), ("u", "x", 2), ("u", "b", 1)]))
    histories = found.histories(["a", "b"])
    assert histories.users == ["u", "v"]
    assert [histories.items[0].tolist(), histories.items[1].tolist()] == [[1, 0], [1]]
    assert histories.times.tolist() == [1, 3, 5]


def test_no_rows_make_no_histories():
    assert len(Interactions.from_table(table([("u", "x", 1)])).histories(["a"])) == 0


def test_missing_column_is_named():
    with pytest.raises(DataError, match="timestamp"):
        Interactions.from_table(pl.DataFrame({"user_id": ["u"], "item_id": ["a"]}))


def test_a_time_that_is_text_is_refused_with_the_types():
    with pytest.raises(DataError, match="UTC seconds"):
        Interactions.from_table(pl.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": ["soon"]}))


@pytest.mark.parametrize(("column", "value"), [("user_id", None), ("timestamp", None), ("value", float("nan"))])
def test_empty_and_infinite_values_are_refused_with_their_row(column, value):
    good = {"user_id": "u", "item_id": "a", "timestamp": 1, "value": 1.0}
    with pytest.raises(DataError, match=f"row 1, column {column}"):
        Interactions.from_table(pl.DataFrame([good, good | {column: value}], schema=list(good)))


def test_ids_that_are_numbers_become_text():
    found = Interactions.from_table(pl.DataFrame({"user_id": [1], "item_id": [2], "timestamp": [3]}))
    assert found.table.row(0) == ("1", "2", 3)


@given(st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("abcx"), st.integers(0, 4)), max_size=30))
def test_histories_equal_a_plain_loop(rows):
    histories = Interactions.from_table(table(rows).cast({"timestamp": pl.Int64})).histories(["a", "b", "c"])
    plain: dict[str, list[tuple[int, int]]] = {}
    for user, item, time in sorted(rows, key=lambda row: (row[0], row[2])):
        if item != "x":
            plain.setdefault(user, []).append(("abc".index(item), time))
    assert histories.users == list(plain)
    assert [histories.items[k].tolist() for k in range(len(histories))] == [[i for i, _ in h] for h in plain.values()]
    assert histories.times.tolist() == [t for h in plain.values() for _, t in h]
