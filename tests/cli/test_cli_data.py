"""prepare, validate and index from the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from genrec.items.index import ItemIndex
from genrec.preparing import load
from tests.helpers.running import Done

Command = Callable[..., Done]
GOOD = "customer,product,when,stars\nann,a,100,5\nann,b,200,4\nbob,a,150,2\nbob,b,300,5\n"
BAD = "user_id,item_id,timestamp\nann,a,100\n,b,200\nbob,a,someday\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(GOOD, encoding="utf-8")
    return path


MAP = ("--map", "user_id=customer", "--map", "item_id=product", "--map", "timestamp=when", "--map", "value=stars")


def test_prepare_maps_columns_and_filters(log: Path, tmp_path: Path, genrec_command: Command) -> None:
    done = genrec_command("prepare", log, tmp_path / "out", *MAP, "--min-value", "4")
    assert done.code == 0, done.err
    assert "next: genrec train" in done.out
    assert load(tmp_path / "out").interactions.table["user_id"].to_list() == ["ann", "ann", "bob"]


def test_prepare_counts_users_and_items(log: Path, tmp_path: Path, genrec_command: Command) -> None:
    done = genrec_command("prepare", log, tmp_path / "out", *MAP, "--min-value", "4", "--min-user", "2", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["steps"][-1]["after"] == 2


def test_prepare_refuses_a_folder_of_something_else(log: Path, tmp_path: Path, genrec_command: Command) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary.txt").write_text("mine", encoding="utf-8")
    done = genrec_command("prepare", log, tmp_path / "out", *MAP)
    assert (done.code, "StorageError" in done.err) == (2, True)
    assert (tmp_path / "out" / "diary.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--map", "customer"], "not a pair"),
        (["--format", "netflix"], "no such format"),
        (["--min-value", "9", *MAP], "no interaction is left"),
        (["--kind", "buy", *MAP], "no such column"),
    ],
)
def test_prepare_teaches(words: list[str], said: str, log: Path, tmp_path: Path, genrec_command: Command) -> None:
    done = genrec_command("prepare", log, tmp_path / "out", *words)
    assert (done.code, said in done.err) == (2, True), done.err
    assert not (tmp_path / "out").exists()


def test_validate_is_content_with_a_good_log(log: Path, genrec_command: Command) -> None:
    done = genrec_command("validate", log, *MAP)
    assert (done.code, "no problems" in done.out) == (0, True)


def test_validate_names_the_rows_and_exits_with_1(tmp_path: Path, genrec_command: Command) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(BAD, encoding="utf-8")
    done = genrec_command("validate", path)
    assert done.code == 1
    assert "bad.csv:3, user_id" in done.out
    assert "bad.csv:4, timestamp" in done.out
    report = json.loads(genrec_command("validate", path, "--json").out)
    assert (report["read"], report["kept"]) == (3, 1)


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x01" * 50, b"a,b\n1,2\n"])
def test_a_malformed_file_is_an_error_and_no_traceback(content: bytes, tmp_path: Path, genrec_command: Command) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    done = genrec_command("validate", path)
    assert done.code == 2, done.out
    assert "error: " in done.err


def test_index_prints_codes_and_writes_an_index(tiny_data: Path, tmp_path: Path, genrec_command: Command) -> None:
    done = genrec_command("index", tiny_data, tmp_path / "index", "items.encoder=tfidf")
    assert done.code == 0, done.err
    assert "80 items" in done.out
    assert "<a_" in done.out
    assert len(ItemIndex.load(tmp_path / "index")) == 80
    again = genrec_command("index", tiny_data, tmp_path / "index", "items.encoder=tfidf", "--json")
    assert json.loads(again.out)["items"] == 80


def test_index_refuses_what_is_no_index(tiny_data: Path, tmp_path: Path, genrec_command: Command) -> None:
    (tmp_path / "diary.txt").write_text("mine", encoding="utf-8")
    done = genrec_command("index", tiny_data, tmp_path, "items.encoder=tfidf")
    assert (done.code, "StorageError" in done.err) == (2, True)


def test_index_teaches_a_wrong_setting(tiny_data: Path, tmp_path: Path, genrec_command: Command) -> None:
    done = genrec_command("index", tiny_data, tmp_path / "index", "items.encodr=tfidf")
    assert (done.code, "encoder" in done.err) == (2, True)
