import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import genrec.preparing as preparing
import genrec.storage as storage
from genrec.errors import DataError, StorageError
from genrec.formats import Report
from genrec.interactions import Interactions
from genrec.preparing import FILES, PrepareConfig, filtered, load, prepare, validate

LOG = """user_id,item_id,timestamp,kind,value
u,a,10,rating,5
u,a,10,rating,4
u,a,20,rating,5
u,b,30,view,
v,a,15,rating,2
v,zz,16,rating,5
w,,17,rating,5
"""
ITEMS = "item_id,title\na,Alpha\nb,Beta\nc,Gamma\n"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "log.csv").write_text(LOG)
    (folder / "items.csv").write_text(ITEMS)
    return folder


def kept(data):
    return data.interactions.table.select("user_id", "item_id", "timestamp").rows()


def test_prepare_writes_what_load_reads(source, tmp_path):
    done = prepare(source, tmp_path / "deep" / "out")
    back = load(tmp_path / "deep" / "out")
    assert back.interactions.table.equals(done.interactions.table)
    assert back.catalog.table.equals(done.catalog.table)
    assert back.report == done.report
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == sorted(FILES)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_equal_rows_are_kept_once_and_every_step_is_counted(source, tmp_path):
    done = prepare(source, tmp_path / "out")
    assert kept(done) == [("u", "a", 10), ("v", "a", 15), ("v", "zz", 16), ("u", "a", 20), ("u", "b", 30)]
    assert done.interactions.table["value"][0] == 5
    (step,) = done.report.steps
    assert (step.name, step.before, step.after) == ("duplicates", 6, 5)
    assert (done.report.read, done.report.dropped) == (7, 1)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["dropped"] == 1


def test_cold_items_stay_and_unknown_ones_come_in_with_their_id(source, tmp_path):
    done = prepare(source, tmp_path / "out")
    assert done.catalog.titles == ["Alpha", "Beta", "Gamma", "zz"]
    assert (done.report.facts["items_without_interactions"], done.report.facts["items_not_in_catalog"]) == (1, 1)


def test_what_counts_as_positive(source, tmp_path):
    done = prepare(source, tmp_path / "out", PrepareConfig(kinds=("rating",), min_value=4, repeats="first"))
    assert kept(done) == [("u", "a", 10), ("v", "zz", 16)]
    assert [(step.name, step.before, step.after) for step in done.report.steps] == [
        ("kinds", 6, 5), ("values", 5, 4), ("duplicates", 4, 3), ("repeats", 3, 2),
    ]  # fmt: skip


def test_items_that_no_kept_interaction_has_do_not_come_in(source, tmp_path):
    done = prepare(source, tmp_path / "out", PrepareConfig(min_item=2))
    assert done.catalog.item_ids == ["a", "b", "c"]
    assert kept(done) == [("u", "a", 10), ("v", "a", 15), ("u", "a", 20)]


def log(rows: list[tuple[str, str, int]]) -> Interactions:
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
    return Interactions.from_table(pl.DataFrame(rows, schema=schema, orient="row"))


@given(
    st.lists(st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdef"), st.integers(0, 9)), min_size=1),
    st.integers(1, 4), st.integers(1, 4), st.sampled_from(["keep", "first"]),
)  # fmt: skip
def test_k_core_is_the_fixpoint_of_the_plain_loop(rows, min_user, min_item, repeats):
    rows = list(dict.fromkeys(sorted(rows, key=lambda row: row[2])))
    if repeats == "first":
        rows = list({(user, item): (user, item, time) for user, item, time in reversed(rows)}.values())[::-1]
    left, before = rows, None
    while left != before:
        before = left
        users, items = Counter(row[0] for row in left), Counter(row[1] for row in left)
        left = [row for row in left if users[row[0]] >= min_user and items[row[1]] >= min_item]
    config = PrepareConfig(min_user=min_user, min_item=min_item, repeats=repeats)
    if left:
        assert sorted(filtered(log(rows), config)[0].table.rows()) == sorted(left)
    else:
        with pytest.raises(DataError, match="loosen this rule"):
            filtered(log(rows), config)


def test_a_rule_on_a_column_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="no such column"):
        filtered(log([("u", "a", 1)]), PrepareConfig(min_value=4))


@pytest.mark.parametrize("setting", [{"min_user": 0}, {"repeats": "last"}, {"k_core": 5}])
def test_unknown_and_impossible_settings_are_refused(setting):
    with pytest.raises(ValidationError):
        PrepareConfig(**setting)


def test_preparing_again_replaces_the_folder(source, tmp_path):
    prepare(source, tmp_path / "out")
    prepare(source, tmp_path / "out", PrepareConfig(min_value=5))
    assert [path.name for path in tmp_path.iterdir() if path.name != "source"] == ["out"]
    assert load(tmp_path / "out").interactions.table["value"].min() == 5


def test_a_folder_with_other_things_is_never_touched(source, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="something else"):
        prepare(source, out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    with pytest.raises(StorageError, match="something else"):
        prepare(source, source / "log.csv")


@pytest.mark.parametrize("step", ["_sync", "_swap"])
def test_a_disk_that_refuses_leaves_the_old_folder_whole(source, tmp_path, monkeypatch, step):
    out = tmp_path / "out"
    prepare(source, out)
    stood = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, step, full)
    with pytest.raises(StorageError, match="No space left"):
        prepare(source, out, PrepareConfig(min_value=5))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == stood
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_a_rename_that_fails_half_way_brings_the_old_folder_back(source, tmp_path, monkeypatch):
    out = tmp_path / "out"
    prepare(source, out)
    rename = Path.rename

    def fails_for_new(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails_for_new)
    with pytest.raises(StorageError):
        prepare(source, out, PrepareConfig(min_value=5))
    assert len(load(out).interactions) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_a_parent_that_cannot_be_made_is_a_storage_error(source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        prepare(source, tmp_path / "file" / "out")


def test_validate_reports_and_writes_nothing(source, tmp_path):
    report = validate(source)
    assert isinstance(report, Report)
    assert (report.read, report.kept, report.facts["users"]) == (7, 6, 2)
    assert [(problem.file, problem.line, problem.column) for problem in report.problems] == [("log.csv", 8, "item_id")]
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_validate_shows_what_prepare_refuses(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,timestamp\n,,\n")
    assert (validate(path).kept, len(validate(path).problems)) == (0, 3)
    with pytest.raises(DataError, match="all 1 rows are bad"):
        prepare(path, tmp_path / "out")
    path.write_text("user_id,item_id,timestamp\n")
    with pytest.raises(DataError, match="not one row"):
        validate(path)


@pytest.mark.parametrize("name", FILES)
def test_load_names_what_is_missing_or_damaged(source, tmp_path, name):
    prepare(source, tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(b"{")
    with pytest.raises(DataError, match="damaged"):
        load(tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    with pytest.raises(DataError, match=name):
        load(tmp_path / "out")


MADE = """
import sys, numpy as np, polars as pl
n, draw = 10_000_000, np.random.default_rng(0).integers
times = 1_400_000_000 + draw(0, 10**8, n)
table = pl.DataFrame({"u": draw(0, 1_000_000, n), "i": draw(0, 200_000, n), "timestamp": times})
users, items = pl.format("A{}XYZ", pl.col("u") + 10**9), pl.format("B{}", pl.col("i") + 10**9)
table = table.select(user_id=users, item_id=items, timestamp="timestamp")
table.write_csv(sys.argv[1]) if sys.argv[1].endswith("csv") else table.write_parquet(sys.argv[1])
"""
MEASURED = """
import resource, sys
from genrec.preparing import PrepareConfig, prepare
done = prepare(sys.argv[1], sys.argv[2], PrepareConfig(min_user=5, min_item=5))
print(len(done.interactions), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_ten_million_rows_fit_in_four_gigabytes(tmp_path, name):
    subprocess.run([sys.executable, "-c", MADE, str(tmp_path / name)], check=True)
    command = [sys.executable, "-c", MEASURED, str(tmp_path / name), str(tmp_path / "out")]
    root = Path(preparing.__file__).resolve().parents[1]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    rows, peak = map(int, found.stdout.split())
    assert rows > 9_000_000
    assert peak < 4e9, f"{peak / 1e9:.2f} GB"
