"""The named formats on small files made by hand."""

import gzip
import json

import pytest

from genrec.errors import ConfigError, DataError
from genrec.formats import FORMATS, Report, detect, read

NOW = 1_700_000_000


def write(folder, files, encoding="utf-8"):
    for name, text in files.items():
        (folder / name).write_bytes(text.encode(encoding))
    return folder


def rows(data):
    return data.interactions.table.rows()


def histories(data):
    found = data.interactions.histories(data.catalog.item_ids)
    return {u: [data.catalog.item_ids[i] for i in found.items[k]] for k, u in enumerate(found.users)}


def test_movielens_100k_is_latin1_with_genre_flags(tmp_path):
    item = "1|Misérables, Les (1995)|01-Jan-1995||http://x|" + "|".join("0010000000000000001")
    unknown = "267|unknown||||" + "|".join("1" + "0" * 18)
    write(tmp_path, {"u.data": "196\t1\t3\t881250949\n", "u.item": f"{item}\n{unknown}"}, "latin-1")
    assert detect(tmp_path) == "movielens"
    data = read(tmp_path)
    assert rows(data) == [("196", "1", 881250949, "rating", 3.0)]
    film = data.catalog.row(0)
    assert (film["title"], film["year"], film["genres"]) == ("Les Misérables", 1995, ["Adventure", "Western"])
    assert str(film["released"]) == "1995-01-01"
    assert data.catalog.row(1)["released"] is None
    assert data.report.ok


def test_movielens_1m_and_latest(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    write(one, {"ratings.dat": "1::10::5::978300760\n", "movies.dat": "10::GoldenEye (1995)::Action|Thriller\n"})
    write(two, {
        "ratings.csv": "userId,movieId,rating,timestamp\n1,10,5.0,978300760\n",
        "tags.csv": "userId,movieId,tag,timestamp\n",
        "movies.csv": 'movieId,title,genres\n10,"GoldenEye, The (1995)",Action|Thriller\n'
        "11,None (2000),(no genres listed)\n",
    })  # fmt: skip
    for folder, title in ((one, "GoldenEye"), (two, "The GoldenEye")):
        assert detect(folder) == "movielens"
        data = read(folder)
        assert rows(data) == [("1", "10", 978300760, "rating", 5.0)]
        assert data.catalog.row(0) == {"item_id": "10", "title": title, "year": 1995, "genres": ["Action", "Thriller"]}
    assert data.catalog.row(1)["genres"] == []


def test_movielens_without_times_takes_positions(tmp_path):
    films = "10::Á (1995)::Drama\n11::B (1996)::\n"
    write(tmp_path, {"sequences.tsv": "1\t10 11\n2\t11\n", "movies.dat": films}, "latin-1")
    assert detect(tmp_path) == "movielens"
    data = read(tmp_path)
    assert rows(data) == [("1", "10", 0), ("2", "11", 0), ("1", "11", 1)]
    assert data.catalog.titles == ["Á", "B"]


def test_movietweetings_is_told_by_its_long_ids(tmp_path):
    write(tmp_path, {"ratings.dat": "1::0002844::8::1365029107\n", "movies.dat": "0002844::Fantômas (1913)::Crime\n"})
    assert detect(tmp_path) == "movietweetings"
    data = read(tmp_path)
    assert rows(data) == [("1", "0002844", 1365029107, "rating", 8.0)]
    assert data.catalog.titles == ["Fantômas"]


def test_sequences_with_businesses_that_repeat(tmp_path):
    write(tmp_path, {
        "sequences.tsv": "u\tb1 b2 b1\nv\tb2\nu\tb9\n",
        "items.jsonl": '{"business_id": "b1", "seq_id": 1, "name": "Greek", "categories": "Diners, Greek"}\n'
        '{"business_id": "b2", "seq_id": 2, "name": "", "categories": null}\n',
    })  # fmt: skip
    assert detect(tmp_path) == "sequences"
    data = read(tmp_path)
    assert histories(data) == {"u": ["b1", "b2", "b1"], "v": ["b2"]}
    assert data.catalog.row(0) == {"item_id": "b1", "title": "Greek", "categories": ["Diners", "Greek"]}
    assert data.catalog.titles == ["Greek", "b2"]
    assert [(problem.line, problem.what) for problem in data.report.problems] == [(3, "has a second line")]
    assert (data.report.read, data.report.kept) == (5, 4)


def test_sequences_take_the_text_where_there_is_no_title(tmp_path):
    goods = '{"asin": "A", "text": "gun mat", "terms": ["gun"]}\n{"asin": "B"}\n'
    write(tmp_path, {"sequences.tsv": "u\tA B\n", "items.jsonl": goods})
    data = read(tmp_path)
    assert data.catalog.titles == ["gun mat", "B"]
    assert data.catalog.row(0)["terms"] == ["gun"]
    assert data.catalog.row(0)["text"] == "gun mat"


def test_an_empty_history_is_a_bad_row(tmp_path):
    report = read(write(tmp_path, {"sequences.tsv": "u\ta\nv\t\nw\n"})).report
    assert (report.read, report.kept) == (3, 1)
    assert sorted(problem.line for problem in report.problems) == [2, 3]


def test_recbole_with_typed_headers(tmp_path):
    write(tmp_path, {
        "x.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t4\t978300760.0\n",
        "x.item": "item_id:token\tmovie_title:token_seq\tyear:float\tclass:token_seq\tv:float_seq\n"
        "10\tGolden Eye\t1995\tAction Crime\t1 2.5\n",
    })  # fmt: skip
    assert detect(tmp_path) == "recbole"
    data = read(tmp_path)
    assert rows(data) == [("1", "10", 978300760, "rating", 4.0)]
    assert data.catalog.row(0) == {
        "item_id": "10", "title": "Golden Eye", "year": 1995.0, "class": ["Action", "Crime"], "v": [1.0, 2.5]
    }  # fmt: skip


def test_recbole_benchmark_reads_the_test_file_alone(tmp_path):
    header = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
    write(tmp_path, {
        "g.train.inter": header + "u\ta\tb\n", "g.valid.inter": header + "u\ta b\tc\n",
        "g.test.inter": header + "u\ta b c\td\nv\t\ta\n",
    })  # fmt: skip
    data = read(tmp_path)
    assert histories(data) == {"u": ["a", "b", "c", "d"], "v": ["a"]}
    assert data.interactions.table.filter(user_id="u")["timestamp"].to_list() == [0, 1, 2, 3]
    assert data.report.read == 5


def test_recbole_split_files_with_times_are_joined(tmp_path):
    header = "user_id:token\titem_id:token\ttimestamp:float\n"
    write(tmp_path, {"g.test.inter": header + "u\tb\t5\n", "g.train.inter": header + "u\ta\t5\n"})
    assert histories(read(tmp_path)) == {"u": ["a", "b"]}


def test_recbole_without_a_time_is_refused(tmp_path):
    write(tmp_path, {"g.inter": "user_id:token\titem_id:token\nu\ta\n"})
    with pytest.raises(DataError, match="timestamp"):
        read(tmp_path)


def test_amazon_2014_products_are_literals_that_never_run(tmp_path):
    review = {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1400000000, "reviewText": "x"}
    bomb = "{'asin': __import__('os').system('touch " + str(tmp_path / "ran") + "')}"
    product = {"asin": "B1", "title": "Nail \\d polish", "price": 12.99, "brand": "OPI"}
    product |= {"categories": [["Beauty", "Nails"], ["Beauty"]]}
    (tmp_path / "reviews_Beauty.json.gz").write_bytes(gzip.compress((json.dumps(review) + "\n").encode()))
    (tmp_path / "meta_Beauty.json.gz").write_bytes(gzip.compress((repr(product) + "\n" + bomb + "\n").encode()))
    assert detect(tmp_path) == "amazon"
    data = read(tmp_path)
    assert rows(data) == [("A1", "B1", 1400000000, "rating", 5.0)]
    assert data.catalog.row(0) == {
        "item_id": "B1", "title": "Nail \\d polish", "brand": "OPI", "price": 12.99, "categories": ["Beauty", "Nails"],
        "description": None,
    }  # fmt: skip
    assert [problem.line for problem in data.report.problems] == [2]
    assert not (tmp_path / "ran").exists()


def test_amazon_2018_and_2023(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir(), new.mkdir()
    write(old, {
        "Beauty.json": '{"reviewerID": "A1", "asin": "B1", "overall": 5, "unixReviewTime": 1500000000}\n',
        "meta_Beauty.json": '{"asin": "B1", "title": "T", "price": "$1,012.99", "category": ["A"], '
        '"description": ["x", "y"]}\n',
    })  # fmt: skip
    write(new, {
        "Beauty.jsonl": '{"user_id": "A1", "asin": "V", "parent_asin": "B1", "rating": 5.0, '
        '"timestamp": 1500000000123}\n',
        "meta_Beauty.jsonl": '{"parent_asin": "B1", "title": "T", "price": "from 3", "store": "S", '
        '"categories": [], "main_category": "M"}\n',
    })  # fmt: skip
    for folder in (old, new):
        assert detect(folder) == "amazon"
        assert rows(read(folder)) == [("A1", "B1", 1500000000, "rating", 5.0)]
    first, second = read(old).catalog.row(0), read(new).catalog.row(0)
    assert (first["price"], first["categories"], first["description"]) == (1012.99, ["A"], "x y")
    assert (second["price"], second["categories"], second["brand"]) == (None, ["M"], "S")


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "tables"])
def test_a_named_format_that_is_not_there_is_refused(tmp_path, format):
    write(tmp_path, {"readme.txt": "hello"})
    with pytest.raises(DataError, match="here"):
        read(tmp_path, format)


def test_an_unclear_folder_is_described(tmp_path):
    with pytest.raises(DataError, match=r"readme\.txt.*recbole.*name the format"):
        detect(write(tmp_path, {"readme.txt": "hello"}))
    with pytest.raises(DataError, match="no such file"):
        detect(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="movielens"):
        read(tmp_path, "csv")
    with pytest.raises(ConfigError, match="only tables"):
        read(tmp_path, "amazon", {"user_id": "u"})


def test_items_that_only_the_log_knows_are_kept_and_counted(tmp_path):
    goods = '{"item_id": "b", "title": "B"}\n{"item_id": "c", "title": "C"}\n'
    write(tmp_path, {"sequences.tsv": "u\ta b\n", "items.jsonl": goods})
    data = read(tmp_path)
    assert (data.catalog.item_ids, data.catalog.titles) == (["b", "c", "a"], ["B", "C", "a"])
    assert data.report.facts["items_not_in_catalog"] == 1
    assert data.report.facts["items_without_interactions"] == 1
    assert "1 items of the log" in data.report.notes[0]


def test_a_report_goes_to_json_and_back_and_reads_as_text(tmp_path):
    write(tmp_path, {"ratings.dat": "1::0002844::8::1365029107\n1::x\n"})
    report = read(tmp_path, "movietweetings", now=NOW).report
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert "2 rows read, 1 kept, 1 dropped" in report.summary()
    assert "ratings.dat:2, (line)" in report.summary()
    assert not report.ok


def test_unusual_kinds_are_kept_and_named(tmp_path):
    write(tmp_path, {"log.csv": "user_id,item_id,timestamp,kind\nu,a,1,Purchase\nu,b,2,wishlist\n"})
    data = read(tmp_path)
    assert data.interactions.table["kind"].to_list() == ["purchase", "wishlist"]
    assert any("wishlist" in note and "purchase," in note for note in data.report.notes)


@pytest.mark.parametrize(("log", "items"), [("u.data", "movies.dat"), ("u.data", "u.item")])
def test_an_empty_item_file_leaves_the_ids_as_titles(tmp_path, log, items):
    write(tmp_path, {log: "196\t242\t3\t881250949\n", items: ""})
    assert read(tmp_path).catalog.titles == ["242"]
