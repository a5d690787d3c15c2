import datetime

import polars as pl
import pytest

from genrec.errors import DataError
from genrec.formats import read, tables
from genrec.formats.tables import ROW

NOW = 1_700_000_000
LOG = "user_id,item_id,timestamp,value\nu,1,1600000000,5\nv,2,2020-09-13T12:26:41Z,\nu,2,1600000002000,3.5\n"
ROWS = [("u", "1", 1_600_000_000, 5.0), ("v", "2", 1_600_000_001, None), ("u", "2", 1_600_000_002, 3.5)]


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, "utf-8")
    return folder


def test_csv_with_times_of_every_kind(tmp_path):
    data = read(write(tmp_path, log__csv=LOG) / "log.csv", now=NOW)
    assert data.interactions.table.rows() == ROWS
    assert data.catalog.titles == ["1", "2"]
    assert data.report.format == "tables"
    assert "no catalog" in data.report.notes[0]


def test_tsv_semicolons_and_jsonl_say_the_same(tmp_path):
    write(
        tmp_path,
        a__tsv=LOG.replace(",", "\t"),
        b__csv=LOG.replace(",", ";"),
        c__jsonl='{"user_id": "u", "item_id": 1, "timestamp": 1600000000, "value": 5}\n'
        '{"user_id": "v", "item_id": 2.0, "timestamp": "2020-09-13T12:26:41Z", "extra": [1]}\n\n'
        '{"value": 3.5, "user_id": "u", "item_id": "2", "timestamp": 1600000002000}\n',
    )
    for name in ("a.tsv", "b.csv", "c.jsonl"):
        assert read(tmp_path / name, now=NOW).interactions.table.rows() == ROWS


def test_a_column_that_only_later_objects_have_is_found(tmp_path):
    rows = (
        '{"user_id": "u", "item_id": "1", "timestamp": 1}\n{"user_id": "u", "item_id": "2", "timestamp": 2, "value": 3}'
    )
    assert read(write(tmp_path, log__jsonl=rows)).interactions.table["value"].to_list() == [None, 3.0]


def test_parquet_with_typed_times(tmp_path):
    zone = datetime.timezone(datetime.timedelta(hours=2))
    times = [datetime.datetime(2020, 9, 13, 14, 26, 40 + k, tzinfo=zone) for k in range(2)]
    table = pl.DataFrame({"user_id": [1.0, None], "item_id": [7, 8], "timestamp": times})
    table.write_parquet(tmp_path / "log.parquet")
    data = read(tmp_path, now=NOW)
    assert data.interactions.table.rows() == [("1", "7", 1_600_000_000)]
    assert [(problem.line, problem.column) for problem in data.report.problems] == [(2, "user_id")]


def test_parquet_is_read_in_chunks_with_right_row_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_CHUNK", 3)
    table = pl.DataFrame({"user_id": ["u"] * 10, "item_id": ["i"] * 7 + [None] * 3, "timestamp": range(10)})
    table.write_parquet(tmp_path / "log.parquet")
    report = read(tmp_path, now=NOW).report
    assert (report.read, report.kept) == (10, 7)
    assert [problem.line for problem in report.problems] == [8, 9, 10]


@pytest.mark.parametrize("column", [pl.Series("user_id", [[1]]), pl.Series("user_id", [{"a": 1}])])
def test_parquet_columns_that_hold_lists_are_refused(tmp_path, column):
    table = pl.DataFrame([column]).with_columns(item_id=pl.lit("1"), timestamp=pl.lit(1))
    table.write_parquet(tmp_path / "log.parquet")
    with pytest.raises(DataError, match="holds lists"):
        read(tmp_path)


def test_a_file_that_only_says_parquet_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a readable Parquet"):
        read(write(tmp_path, log__parquet="no"))
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user_id": ["u"] * 99, "item_id": "i", "timestamp": range(99)}).write_parquet(path)
    path.write_bytes(b"PAR1" + b"x" * 60 + path.read_bytes()[64:])
    with pytest.raises(DataError, match="not a readable Parquet"):
        read(tmp_path)


def test_a_mapping_names_the_columns_of_log_and_catalog(tmp_path):
    write(
        tmp_path,
        sales__csv="customer,sku,date\nu,007,2020-01-01\n",
        goods__csv="sku,label,price,genres\n007,Up,2.5,a|b\n008,Down,3,\n",
    )
    words = {"user_id": "customer", "item_id": "sku", "timestamp": "date", "title": "label"}
    data = read(tmp_path, mapping=words, now=NOW)
    assert data.interactions.table.row(0) == ("u", "007", 1_577_836_800)
    assert data.catalog.row(0) == {"item_id": "007", "title": "Up", "price": 2.5, "genres": ["a", "b"]}
    assert data.report.facts["items_without_interactions"] == 1


def test_usual_names_are_known_whatever_their_case(tmp_path):
    write(tmp_path, log__csv="userId,movieId,rating,Date\n1,2,3,2020-01-01\n")
    assert read(tmp_path, now=NOW).interactions.table.row(0) == ("1", "2", 1_577_836_800, 3.0)


def test_the_mapping_goes_before_a_column_of_that_name(tmp_path):
    write(tmp_path, log__csv=LOG, items__jsonl='{"item_id": "1", "title": "id-like", "name": "Up"}\n')
    assert read(tmp_path, mapping={"title": "name"}, now=NOW).catalog.titles[0] == "Up"


def test_catalog_fields_of_jsonl_and_parquet_keep_their_types(tmp_path):
    write(tmp_path, log__csv=LOG, items__jsonl='{"item_id": 1, "title": "Up", "tags": ["a"], "price": 2, "line": 4}\n')
    row = read(tmp_path, now=NOW).catalog.row(0)
    assert row == {"item_id": "1", "title": "Up", "tags": ["a"], "price": 2}
    pl.DataFrame({"item_id": [2], "title": ["Two"], "year": [1999]}).write_parquet(tmp_path / "other.parquet")
    extra = read(tmp_path / "log.csv", catalog=tmp_path / "other.parquet", now=NOW).catalog
    assert extra.row(0) == {"item_id": "2", "title": "Two", "year": 1999}
    assert extra.row(1)["title"] == "1"


def test_no_time_is_refused_unless_the_order_of_rows_counts(tmp_path):
    write(tmp_path, log__csv="user,item\nu,1\nu,2\n")
    with pytest.raises(DataError, match="#row"):
        read(tmp_path)
    table = read(tmp_path, mapping={"timestamp": ROW}).interactions.table
    assert table["timestamp"].to_list() == [2, 3]


@pytest.mark.parametrize(
    ("text", "mapping", "said"),
    [
        ("a,b\n1,2\n", {}, "name the columns"),
        (LOG, {"user_id": "customer"}, "the table lacks"),
        ("user_id,item_id,timestamp,user_id\nu,i,1,u\n", {}, "stands twice"),
        ("", {}, "no table with users and items"),
        ("user_id,item_id,timestamp\n", {}, "not one row"),
        ("user_id,item_id,timestamp\nu,,x\n,2,1\n", {}, "all 2 rows are bad"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, text, mapping, said):
    with pytest.raises(DataError, match=said):
        read(write(tmp_path, log__csv=text), "tables", mapping)


def test_two_logs_or_two_catalogs_are_a_question(tmp_path):
    write(tmp_path, a__csv=LOG, b__csv=LOG)
    with pytest.raises(DataError, match=r"a\.csv, b\.csv.*name one file"):
        read(tmp_path)
    write(tmp_path, ratings__csv=LOG, x__csv="item_id,title\n1,a\n", y__csv="item_id,title\n1,a\n")
    with pytest.raises(DataError, match=r"x\.csv, y\.csv"):
        read(tmp_path, "tables")


def test_a_catalog_without_ids_is_refused(tmp_path):
    write(tmp_path, log__csv=LOG, goods__csv="label\nUp\n")
    with pytest.raises(DataError, match="no item_id"):
        read(tmp_path / "log.csv", catalog=tmp_path / "goods.csv")


def test_a_field_of_ten_megabytes_is_one_bad_row(tmp_path):
    huge = "x" * 10_000_000
    write(tmp_path, log__csv=f'{LOG}{huge},1,1,1\n"{huge}",1,1,1\nu,3,1600000003,\n')
    report = read(tmp_path, now=NOW).report
    assert (report.read, report.kept) == (6, 4)
    assert [problem.line for problem in report.problems] == [6, 5] or [p.line for p in report.problems] == [5, 6]
    assert len(report.summary()) < 2000
    write(tmp_path, log__csv=LOG, items__jsonl=f'{{"item_id": 1, "title": "a", "text": "{huge}"}}\n')
    data = read(tmp_path, now=NOW)
    assert len(data.catalog.row(0)["text"]) == 100_000
    assert list(data.report.counts) == ["text: is longer than 100,000 characters and was cut to that"]


def test_bad_json_lines_are_reported_with_their_line(tmp_path):
    good = '{"user_id": "u", "item_id": "1", "timestamp": 1}'
    bad = ["{bad", "[1]", "null", '{"user_id": ["u"], "item_id": "1", "timestamp": 1}', "[" * 100_000]
    bad += ['{"user_id": true, "item_id": "1", "timestamp": 1}', '{"user_id": "u", "item_id": "1", "timestamp": NaN}']
    lone = good.replace('"u"', '"\\ud800"')
    write(tmp_path, log__jsonl="\n".join([good, *bad, lone]))
    data = read(tmp_path, now=NOW)
    assert sorted({problem.line for problem in data.report.problems}) == [2, 3, 4, 5, 6, 7, 8]
    assert (data.report.read, data.report.kept) == (9, 2)
    assert data.interactions.table["user_id"].to_list()[1] != "u"
