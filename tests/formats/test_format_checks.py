import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.formats.checks import DAY, LONGEST, checked, seconds
from genrec.formats.report import LISTED_EACH, Tally

NOW = 1_700_000_000
EPOCH = datetime.datetime(1970, 1, 1)
GOOD = {"user_id": "u", "item_id": "i", "timestamp": "1600000000", "kind": "Click", "value": "4.5"}


def check(*rows):
    tally = Tally("test", now=NOW)
    block = pl.DataFrame([GOOD | row for row in rows], schema=dict.fromkeys(GOOD, pl.String))
    block = block.with_columns(line=pl.int_range(10, 10 + len(rows), dtype=pl.Int64))
    tally.add_rows("f", "interactions", read=len(rows))
    return checked(block, "f", tally), tally


def parse(text):
    series = pl.Series("t", [text])
    return seconds(series.cast(pl.Float64, strict=False), series)[0]


def test_a_good_row_is_typed_and_trimmed():
    table, tally = check({"user_id": " u ", "value": None})
    assert table.row(0) == ("u", "i", 1_600_000_000, "click", None)
    assert tally.report().ok


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("user_id", "", "is missing"), ("user_id", "  ", "is missing"), ("item_id", None, "is missing"),
        ("item_id", "NaN", "is missing"), ("user_id", "x" * (LONGEST + 1), "longer than 100,000"),
        ("kind", "x" * (LONGEST + 1), "longer than 100,000"), ("timestamp", "soon", "is not a time"),
        ("timestamp", None, "is not a time"), ("timestamp", "nan", "is not a time"),
        ("timestamp", "inf", "is not a time"), ("timestamp", "1e300", "in the future"),
        ("timestamp", "-5", "is before 1970"), ("timestamp", "1960-01-01", "is before 1970"),
        ("timestamp", str(NOW + DAY + 1), "in the future"),
        ("timestamp", "2024-13-01", "is not a time"), ("value", "great", "is not a number"),
        ("value", "nan", "is not finite"), ("value", "-inf", "is not finite"), ("value", "1e999", "is not finite"),
    ],
)  # fmt: skip
def test_a_bad_value_is_reported_at_its_place(column, value, what):
    table, tally = check({}, {column: value}, {})
    assert table.height == 2
    (problem,) = tally.problems
    assert (problem.file, problem.line, problem.column) == ("f", 11, column)
    assert what in problem.what
    assert problem.remedy
    assert len(problem.value) < 200
    assert tally.report().dropped == 1


def test_a_row_with_two_faults_is_dropped_once_and_reported_twice():
    table, tally = check({"user_id": "", "timestamp": "x"})
    assert (table.height, len(tally.problems), tally.report().dropped) == (0, 2, 1)


def test_all_are_counted_and_the_first_listed():
    _, tally = check(*[{"item_id": ""}] * 50)
    report = tally.report()
    assert report.counts == {"item_id: is missing": 50}
    assert len(report.problems) == LISTED_EACH


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1600000000", 1_600_000_000), ("1600000000.9", 1_600_000_000), ("1600000000123", 1_600_000_000),
        ("1600000000123456", 1_600_000_000), ("1600000000123456789", 1_600_000_000), ("0", 0),
        ("99999999999", 99_999_999_999),
        ("2020-09-13", 1_599_955_200), ("2020-09-13T12:26:40", 1_600_000_000), ("2020-09-13 12:26:40", 1_600_000_000),
        ("2020-09-13T12:26:40.999Z", 1_600_000_000), ("2020-09-13T14:26:40+02:00", 1_600_000_000),
        ("2020-09-13T14:26:40.5+0200", 1_600_000_000), ("2020-09-13T12:26", 1_599_999_960),
        ("13.09.2020", None), ("", None),
    ],
)  # fmt: skip
def test_times_by_the_stated_rule(text, expected):
    assert parse(text) == expected


@given(st.datetimes(min_value=EPOCH))
def test_every_iso_time_is_read(moment):
    expected = int((moment - EPOCH) // datetime.timedelta(seconds=1))
    assert parse(moment.isoformat()) == expected
    assert parse(moment.isoformat(" ")) == expected


ANY = st.one_of(st.none(), st.text(max_size=6), st.sampled_from(["u", "5", "nan", "2020-01-01", "-1", "1e400", "٣"]))


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(GOOD, ANY)), max_size=6))
def test_no_text_crashes_and_kept_and_dropped_add_up(rows):
    table, tally = check(*rows)
    report = tally.report()
    assert report.kept == table.height
    assert report.read == len(rows)
    assert (report.dropped > 0) == (not report.ok)
    assert table["timestamp"].is_between(0, NOW + DAY).all()
    assert table["value"].fill_null(0).is_finite().all()
    assert not table.select("user_id", "item_id", "timestamp").null_count().sum_horizontal()[0]
