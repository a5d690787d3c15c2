"""The engine's desk, without a process: what it says of edits that it cannot take over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from genrec.changing import ItemChange
from genrec.errors import IndexingError
from serving.engine.messages import Change, Done, Failed, Fits, Read, Unchanged
from serving.engine.worker import Desk

CHANGES = (ItemChange("x", {"title": "X"}),)


class Unfit:
    """A recommender whose catalog cannot be looked at: something that nobody foresaw."""

    edition = 3

    @property
    def catalog(self) -> Any:
        raise ValueError("shapes (1,384) and (4,8) not aligned")


def desk() -> Desk:
    found = object.__new__(Desk)
    found.recommender = Unfit()  # type: ignore[assignment]
    found.beside, found._former = {}, {}
    found._meter = SimpleNamespace()  # type: ignore[assignment]
    return found


def test_an_edit_that_breaks_is_told_and_survived() -> None:
    (reply,) = desk().work([Change(CHANGES, 4)])
    assert isinstance(reply, Unchanged)
    assert isinstance(reply.error, IndexingError)
    assert reply.error.value == "ValueError"


def test_whether_it_fits_is_answered_in_the_same_words() -> None:
    (reply,) = desk().work([Fits(7, CHANGES, float("inf"))])
    assert isinstance(reply, Failed)
    assert reply.number == 7
    assert isinstance(reply.error, IndexingError)


class Reads:
    """A reader that says which catalog it was asked to read for."""

    def __init__(self, catalog: str = "old") -> None:
        self.catalog = catalog

    def of(self, catalog: str) -> Reads:
        return Reads(catalog)

    def read(self, messages: Any, slates: Any) -> list[Any]:
        return [(self.catalog, *pair) for pair in zip(messages, slates, strict=True)]


def test_messages_are_read_for_the_catalog_as_it_is_now() -> None:
    found = desk()
    found.recommender = SimpleNamespace(catalog="new")  # type: ignore[assignment]
    found.reader = Reads()  # type: ignore[assignment]
    (reply,) = found.work([Read(1, ("hello", "more"), ((), ("a",)), float("inf"))])
    assert reply == Done(1, [("new", "hello", ()), ("new", "more", ("a",))])
    found.reader = None
    (reply,) = found.work([Read(2, ("hello",), ((),), float("inf"))])
    assert isinstance(reply, Failed)
