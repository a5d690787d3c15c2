"""`genrec chat` in the terminal."""

import io
from collections.abc import Callable

import pytest

from genrec.bundle import Bundle
from tests.helpers.running import Done, Tiny


def test_a_conversation_in_the_terminal(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, genrec_command: Callable[..., Done]
) -> None:
    """It recommends what was asked for, keeps to a revision, and ends at the end of input."""
    catalog = Bundle.open(tiny.bundle).catalog
    genres = dict(zip(catalog.titles, catalog.table["genres"].to_list(), strict=True))
    monkeypatch.setattr("sys.stdin", io.StringIO("Recommend me 3 dramas\nonly from before 1980\n"))
    done = genrec_command("chat", "--bundle", tiny.bundle)
    assert done.code == 0, done.err
    first, second = done.out.split("genrec ")[1:]
    for part in (first, second):
        named = [title for title in genres if title in part]
        assert named
        assert all("Drama" in genres[title] for title in named)
    years = dict(zip(catalog.titles, catalog.table["year"].to_list(), strict=True))
    assert all(years[title] < 1980 for title in genres if title in second)
