import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genrec.ragged import Ragged

LISTS = st.lists(st.lists(st.integers(0, 50), max_size=6), max_size=8)


def as_lists(ragged: Ragged) -> list[list[int]]:
    return [ragged[row].tolist() for row in range(len(ragged))]


@given(LISTS)
def test_from_lists_and_back(rows):
    assert as_lists(Ragged.from_lists(rows)) == rows


@given(LISTS, st.integers(0, 7))
def test_last_is_the_end_of_every_row(rows, length):
    assert as_lists(Ragged.from_lists(rows).last(length)) == [row[max(len(row) - length, 0) :] for row in rows]


@given(LISTS)
def test_where_filters_within_rows(rows):
    ragged = Ragged.from_lists(rows)
    assert as_lists(ragged.where(ragged.items % 2 == 0)) == [[item for item in row if item % 2 == 0] for row in rows]


@given(LISTS, st.data())
def test_take_picks_rows_in_the_order_asked_for(rows, data):
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5)) if rows else []
    ragged = Ragged.from_lists(rows).take(np.array(picked, dtype=np.int64))
    assert as_lists(ragged) == [rows[row] for row in picked]


def test_places_and_rows_name_every_entry():
    ragged = Ragged.from_lists([[7], [], [8, 9]])
    assert ragged.rows.tolist() == [0, 2, 2]
    assert ragged.places.tolist() == [0, 0, 1]


def test_padded_is_right_aligned():
    assert Ragged.from_lists([[1, 2, 3], [4]]).padded(2).tolist() == [[2, 3], [-1, 4]]
