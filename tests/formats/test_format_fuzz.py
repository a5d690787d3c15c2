"""Damaged files of every format end in rows and a report, or in a DataError: never in another exception."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.errors import DataError
from genrec.formats import read

WHOLE = {
    "movielens": {"u.data": "196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "movies.dat": "242::Up (1995)::A|B\n"},
    "movietweetings": {"ratings.dat": "1::0002844::8::1365029107\n2::0002845::8::1365029108\n"},
    "sequences": {
        "sequences.tsv": "u\ta b c\nv\ta b\n",
        "items.jsonl": '{"asin": "a", "title": "A", "terms": ["x"]}\n',
    },
    "recbole": {"g.inter": "user_id:token\titem_id_list:token_seq\titem_id:token\nu\ta b\tc\n"},
    "amazon": {"r.json": '{"reviewerID": "u", "asin": "a", "unixReviewTime": 1, "overall": 5}\n' * 2},
    "tables": {"log.csv": 'user_id,item_id,timestamp\n"u","a",5\nv,b,6\n', "items.csv": "item_id,title,n\na,A,1\n"},
}
PIECES = [b'"', b"\n", b"\t", b",", b"::", b"\xff", b"\x00", b"{", b"[", b"NaN", b"-", b"9" * 30, b"\r", b"", b" "]
PIECES += [b"\\ud800", b"|", b"\xef\xbb\xbf", b"null", b"1e999", b"'"]
CUTS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), st.sampled_from(PIECES)), max_size=8)


@pytest.mark.parametrize("format", WHOLE)
@given(cuts=CUTS)
def test_damage_is_reported_or_refused(format, cuts):
    with tempfile.TemporaryDirectory() as name:
        for file, text in WHOLE[format].items():
            raw = text.encode()
            for place, length, piece in cuts:
                start = int(place * len(raw))
                raw = raw[:start] + piece + raw[start + length :]
            (Path(name) / file).write_bytes(raw)
        try:
            data = read(name, format)
        except DataError:
            return
        assert 0 < data.report.kept <= data.report.read
        assert data.report.ok <= (data.report.dropped == 0)
        assert len(data.interactions.histories(data.catalog.item_ids).items.items) == len(data.interactions)
