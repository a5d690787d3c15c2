"""The Python client against the real server, which keeps its events in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from genrec.client import Client
from genrec.errors import ServiceError
from tests.helpers.running import Tiny
from tests.helpers.server import Server

ITEMS = [f"f{number:04}" for number in range(1, 640, 8)]


@pytest.fixture(scope="module")
def url(postgres: Callable[[], str]) -> str:
    return postgres()


@pytest.fixture(scope="module")
def remote(tiny: Tiny, url: str) -> Iterator[Server]:
    with Server(tiny.bundle, url, ["limits.rate=100000", "limits.burst=100000", "drain_s=0"]) as running:
        yield running


@pytest.fixture
def client(remote: Server) -> Iterator[Client]:
    with Client(remote.url, remote.key, tries=1) as opened:
        yield opened


def test_a_slate_its_feedback_and_what_became_of_it(client: Client) -> None:
    assert client.ready()
    seen = [client.event("ann", item, "view", timestamp=1000 + place) for place, item in enumerate(ITEMS[:3])]
    assert [one.stored for one in seen] == [1, 1, 1]
    slate = client.recommend("ann", k=4, explain=False, filters=[{"field": "year", "op": ">", "value": 1900}])
    assert len(slate.items) == 4
    assert not slate.degraded
    assert not {item.id for item in slate.items} & set(ITEMS[:3])
    click = {"user_id": "ann", "item_id": slate.items[0].id, "recommendation_id": slate.id, "slot": 1, "key": "once"}
    for _ in range(2):
        told = client.events([{**click, "kind": "impression", "key": "shown"}, {**click, "kind": "click"}])
    assert (told.stored, told.duplicates) == (0, 2)
    (row,) = [row for row in client.online() if row["slot"] == 1]
    assert (row["impressions"], row["clicks"]) == (1, 1)
    assert client.user("ann")["shown"] == [*ITEMS[:3], slate.items[0].id]


def test_reasons_and_chat(client: Client) -> None:
    (why,) = client.explain(ITEMS[9:10], history=ITEMS[:3])
    assert why.id == ITEMS[9]
    assert why.explanation
    answer = client.chat("Recommend me 2 dramas", explain=False)
    assert len(answer.items) == 2
    assert all(item.title in answer.text for item in answer.items)
    again = client.chat([{"role": "user", "content": "Recommend me something"}])
    assert again.followup


def test_the_catalog_is_edited(client: Client) -> None:
    assert client.put_item("fresh", {"title": "Fresh", "genres": ["Drama"]}, available=False)["available"] is False
    assert client.patch_item("fresh", {"year": 1999}, available=True)["fields"]["year"] == 1999
    found = {item.id for item in client.recommend(history=ITEMS[:2], k=90, explain=False).items}
    assert "fresh" in found
    client.delete_item("fresh")
    assert "fresh" not in {item.id for item in client.recommend(history=ITEMS[:2], k=90, explain=False).items}


def test_a_user_is_exported_and_erased(client: Client) -> None:
    client.events([{"user_id": "bob/1", "item_id": item, "kind": "like"} for item in ITEMS[:2]])
    assert [event["item_id"] for event in client.export("bob/1")["events"]] == ITEMS[:2]
    assert client.erase("bob/1") >= 2
    assert client.export("bob/1")["events"] == []


def test_another_server_on_the_same_store_knows_it_all(tiny: Tiny, client: Client, url: str) -> None:
    client.event("cat", ITEMS[4], "view")
    client.put_item("both", {"title": "For Both", "genres": ["War"]})
    with Server(tiny.bundle, url, ["drain_s=0"]) as second, Client(second.url, second.key) as other:
        assert other.user("cat")["shown"] == [ITEMS[4]]
        assert "both" in {item.id for item in other.recommend("cat", k=90, explain=False).items}
    client.delete_item("both")


def test_refusals_teach(client: Client, remote: Server) -> None:
    with pytest.raises(ServiceError, match="no such item") as told:
        client.recommend(history=["nope"])
    assert told.value.status == 404
    with Client(remote.url, "gk_wrong", tries=1) as stranger, pytest.raises(ServiceError) as refused:
        stranger.recommend(history=ITEMS[:1])
    assert refused.value.status == 401
    with Client("http://127.0.0.1:9", "", tries=1) as nobody:
        assert not nobody.ready()
        with pytest.raises(ServiceError, match="cannot be reached"):
            nobody.online()
