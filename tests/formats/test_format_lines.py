import csv
import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.errors import DataError
from genrec.formats import lines
from genrec.formats.delimited import header_of, rows, separator_of
from genrec.formats.report import Tally


def read(path, tally=None, **kwargs):
    blocks = list(lines.blocks(path, tally or Tally("test"), "interactions", **kwargs))
    return [pair for block in blocks for pair in block.rows()]


def fields(path, names, separator=",", tally=None, header=0, quoted=True):
    blocks = rows(path, names, separator, tally or Tally("test"), "interactions", header=header, quoted=quoted)
    return [row for block in blocks for row in block.rows()]


def test_lines_are_numbered_as_an_editor_does(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\ntwo\n\n\nthree")
    assert read(path) == [(1, "one"), (3, "two"), (6, "three")]


def test_small_blocks_number_as_one_big_block(tmp_path, monkeypatch):
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{k}é\n" * 2 for k in range(50)), "utf-8")
    whole = read(path)
    monkeypatch.setattr(lines, "BLOCK", 7)
    assert read(path) == whole
    assert len(whole) == 100


def test_a_line_that_is_not_utf8_is_reported_and_the_rest_read(tmp_path):
    path, tally = tmp_path / "log.txt", Tally("test")
    path.write_bytes(b"good\nb\xe9d\ngood")
    assert read(path, tally) == [(1, "good"), (3, "good")]
    (problem,) = tally.problems
    assert (problem.file, problem.line, problem.what) == ("log.txt", 2, "is not UTF-8")
    assert read(path, encoding="latin-1")[1] == (2, "béd")
    assert lines.encoding_of(path) == "latin-1"


def test_an_endless_line_is_cut_and_the_next_one_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 10)
    monkeypatch.setattr(lines, "LONGEST_LINE", 25)
    path = tmp_path / "log.txt"
    path.write_text("x" * 1000 + "\nnext\n")
    (_, long), (number, after) = read(path)
    assert len(long) <= 40
    assert (number, after) == (2, "next")


def test_gz_is_unpacked_and_a_damaged_one_named(tmp_path):
    path = tmp_path / "log.txt.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert [text for _, text in read(path)] == ["one", "two"]
    path.write_bytes(gzip.compress(b"one\ntwo\n" * 1000)[:40])
    with pytest.raises(DataError, match="damaged or cut short"):
        read(path)
    path.write_bytes(b"no gzip at all")
    with pytest.raises(DataError, match=r"log\.txt\.gz"):
        read(path)


def test_the_first_line_may_come_after_blank_ones(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("\n\nuser,item\n")
    assert lines.first_line(path) == (3, "user,item")
    path.write_text("")
    assert lines.first_line(path) == (0, "")


def test_a_row_of_another_width_is_reported_with_its_line(tmp_path):
    path, tally = tmp_path / "log.csv", Tally("test")
    path.write_text("a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert fields(path, ["a", "b"], tally=tally, header=1) == [(2, "1", "2"), (5, "7", "8")]
    assert [problem.line for problem in tally.problems] == [3, 4]
    assert tally.report().read == 4


def test_quotes_may_hold_separators_quotes_and_newlines(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('1,"a, ""b"""\n2,"two\n\nlines"\n3,12" vinyl\n4,plain\n')
    texts = ['a, "b"', "two\n\nlines", '12" vinyl', "plain"]
    assert fields(path, ["id", "text"]) == list(zip([1, 2, 5, 6], "1234", texts, strict=True))


def test_a_quoted_record_may_cross_blocks(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    path.write_text("".join(f'{k},"a\nb{k}"\n' for k in range(30)))
    whole = fields(path, ["id", "text"])
    monkeypatch.setattr(lines, "BLOCK", 11)
    assert fields(path, ["id", "text"]) == whole == [(2 * k + 1, str(k), f"a\nb{k}") for k in range(30)]


def test_a_quote_that_never_closes_spoils_only_its_own_line(tmp_path):
    path, tally = tmp_path / "log.csv", Tally("test")
    path.write_text('1,a\n2,"open\n' + "".join(f"{k},x\n" for k in range(3, 300)))
    assert len(fields(path, ["id", "text"], tally=tally)) == 298
    assert [problem.line for problem in tally.problems] == [2]


def test_a_quote_left_open_at_the_end_is_reported(tmp_path):
    path, tally = tmp_path / "log.csv", Tally("test")
    path.write_text('1,a\n2,"open\n3,b\n')
    assert fields(path, ["id", "text"], tally=tally) == [(1, "1", "a"), (3, "3", "b")]
    assert [problem.line for problem in tally.problems] == [2]


def test_without_quoting_a_quote_is_a_character(tmp_path):
    path = tmp_path / "movies.dat"
    path.write_text('1::"Hello" (1999)::Drama\n')
    assert fields(path, ["id", "title", "genres"], "::", quoted=False) == [(1, "1", '"Hello" (1999)', "Drama")]


@given(st.lists(st.lists(st.text(st.sampled_from('ab,"\n é'), max_size=5), min_size=2, max_size=2), max_size=8))
def test_what_python_writes_as_csv_is_read_back(table):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
        assert [list(row[1:]) for row in fields(path, ["a", "b"])] == table


def test_the_separator_is_the_commonest_of_the_header():
    assert separator_of("a;b;c", ".csv") == ";"
    assert separator_of("a,b c", ".csv") == ","
    assert separator_of("a,b,c,d", ".tsv") == "\t"
    assert separator_of("alone", ".csv") == ","
    assert header_of('"user id", item', ",") == ["user id", "item"]
