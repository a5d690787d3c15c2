from itertools import pairwise

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genrec.errors import SplitError
from genrec.interactions import Interactions
from genrec.ragged import Int32
from genrec.splitting import Cases, global_time, leave_last_out, rolling

ITEMS = list("abcdef")
Row = tuple[str, str, int]


def log(rows: list[Row]) -> Interactions:
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
    return Interactions.from_table(pl.DataFrame(rows, schema=schema, orient="row"))


def letters(items: Int32) -> str:
    return "".join(ITEMS[item] for item in items)


def read(cases: Cases) -> dict[str, tuple[str, str, int]]:
    """user → (history, targets, time), items as letters."""
    known, came = ([letters(rows[k]) for k in range(len(cases))] for rows in (cases.histories, cases.targets))
    return dict(zip(cases.users, zip(known, came, cases.times.tolist(), strict=True), strict=True))


# Ten events; the last fifth begins at time 8 (valid), the last tenth at time 9.
TEN: list[Row] = [
    ("u", "a", 0), ("v", "b", 1), ("u", "b", 2), ("v", "c", 3), ("u", "c", 4),
    ("w", "d", 5), ("v", "d", 6), ("u", "d", 7), ("v", "e", 8), ("u", "f", 9),
]  # fmt: skip


def test_global_time_by_hand():
    split = global_time(log(TEN), ITEMS)
    assert split.train.table["timestamp"].to_list() == list(range(8))
    assert read(split.valid) == {"v": ("bcd", "e", 8)}
    assert read(split.test) == {"u": ("abcd", "f", 9)}


def test_global_time_counts_only_the_first_event_after_the_cut():
    rows = [*TEN[:6], ("v", "e", 8), ("v", "f", 9), ("u", "f", 9), ("u", "e", 9)]
    assert read(global_time(log(rows), ITEMS, valid=0, test=0.4).test) == {"u": ("abc", "f", 9), "v": ("bc", "e", 8)}


def test_a_user_without_history_is_no_case():
    split = global_time(log([*TEN, ("new", "a", 9)]), ITEMS, valid=0, test=0.2)
    assert "new" not in split.test.users


def test_items_outside_the_catalog_count_for_nothing():
    split = leave_last_out(log([*TEN, ("u", "zz", 10)]), ITEMS)
    assert read(split.test)["u"] == ("abcd", "f", 9)
    assert "zz" not in split.train.table["item_id"]


def test_leave_last_out_by_hand():
    split = leave_last_out(log(TEN), ITEMS)
    assert read(split.valid) == {"u": ("abc", "d", 7), "v": ("bc", "d", 6)}
    assert read(split.test) == {"u": ("abcd", "f", 9), "v": ("bcd", "e", 8)}
    assert split.train.table["user_id"].to_list() == ["u", "v", "u", "v", "u", "w"]


def test_rolling_by_hand():
    first, second = rolling(log(TEN), ITEMS, windows=2, first=0.4)
    assert len(first.train) == 4  # parts of two events each begin at times 4, 6, 8
    assert read(first.valid) == {"u": ("ab", "c", 4)}
    assert read(first.test) == {"u": ("abc", "d", 7), "v": ("bc", "d", 6)}
    assert read(first.test) == read(second.valid)
    assert read(second.test) == {"u": ("abcd", "f", 9), "v": ("bcd", "e", 8)}


@pytest.mark.parametrize(("valid", "test"), [(0.5, 0.5), (-0.1, 0.1), (0.1, 0.0)])
def test_shares_that_do_not_fit_are_refused(valid, test):
    with pytest.raises(SplitError, match="valid \\+ test < 1"):
        global_time(log(TEN), ITEMS, valid=valid, test=test)


def test_a_split_that_leaves_nothing_says_what_to_do():
    with pytest.raises(SplitError, match="Remedy"):
        global_time(log([("u", "a", 5), ("v", "a", 5)]), ITEMS)
    with pytest.raises(SplitError, match="three events"):
        leave_last_out(log(TEN[:3]), ITEMS)
    with pytest.raises(SplitError, match="same item ids"):
        leave_last_out(log(TEN), ["other"])
    with pytest.raises(SplitError, match="windows >= 1"):
        rolling(log(TEN), ITEMS, windows=0)


ROW = st.tuples(st.sampled_from("uvwxy"), st.sampled_from(ITEMS), st.integers(0, 25))
ROWS = st.lists(ROW, min_size=8, max_size=60)


def events_of(rows: list[Row], user: str) -> list[tuple[str, int]]:
    return [(item, time) for who, item, time in sorted(rows, key=lambda row: row[2]) if who == user]


def made(split, *args, **kwargs):
    try:
        return split(*args, **kwargs)
    except SplitError:
        assume(False)
        raise


def check_cases(cases: Cases, cut: int, rows: list[Row]) -> None:
    for user, (history, target, time) in read(cases).items():
        known = [item for item, when in events_of(rows, user) if when < cut]
        later = [(item, when) for item, when in events_of(rows, user) if when >= cut]
        assert history == "".join(known)
        assert (target, time) == later[0]


@given(ROWS, st.sampled_from([0.1, 0.2]), st.sampled_from([0.1, 0.3]))
def test_no_training_event_is_at_or_after_the_cut(rows, valid, test):
    split = made(global_time, log(rows), ITEMS, valid, test)
    times = sorted(time for _, _, time in rows)
    first, second = (times[round(share * len(times))] for share in (1 - valid - test, 1 - test))
    assert split.train.table["timestamp"].max() < first <= split.valid.times.min()
    assert split.valid.times.max() < second <= split.test.times.min()
    assert len(split.train) == sum(time < first for time in times)
    check_cases(split.valid, first, rows)
    check_cases(split.test, second, rows)


@given(ROWS, st.integers(1, 3))
def test_rolling_windows_are_ordered_and_join(rows, windows):
    splits = made(rolling, log(rows), ITEMS, windows)
    for split in splits:
        assert split.train.table["timestamp"].max() < split.valid.times.min()
        assert split.valid.times.max() < split.test.times.min()
    for one, next_one in pairwise(splits):
        assert read(one.test) == read(next_one.valid)
        assert len(one.train) < len(next_one.train)


@given(ROWS)
def test_leave_last_out_partitions_the_events(rows):
    split = made(leave_last_out, log(rows), ITEMS)
    parts = [tuple(row) for row in split.train.table.rows()]
    for cases in (split.valid, split.test):
        parts += [(user, target, time) for user, (_, target, time) in read(cases).items()]
    assert sorted(parts) == sorted(rows)
    for user, (history, target, _) in read(split.test).items():
        assert history + target == "".join(item for item, _ in events_of(rows, user))
        before, held, _ = read(split.valid)[user]
        assert history == before + held


def test_other_columns_stay_with_the_training_events():
    table = log(TEN).table.with_columns(kind=pl.lit("click"))
    assert leave_last_out(Interactions(table), ITEMS).train.table["kind"].unique().to_list() == ["click"]
