"""What the page asks of the server: items, fields, users, edits of what was understood, lists without a choice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from genrec import Bundle, Catalog
from genrec.preparing import load
from serving import page
from serving.seeding import seed
from serving.store import EventStore
from tests.helpers.running import Tiny
from tests.helpers.server import Server

ITEMS = [f"f{number:04}" for number in range(1, 640, 8)]


@pytest.fixture(scope="module")
def catalog(tiny: Tiny) -> Catalog:
    return Bundle.open(tiny.bundle).catalog


def chat(http: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/chat/completions", json={"explain": False, "history": ITEMS[:4], **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(slate: dict[str, Any]) -> list[str]:
    return [item["id"] for item in slate["items"]]


def said(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


def test_what_was_understood_stands_for_the_messages(http: httpx.Client) -> None:
    whole = chat(http, messages=said("dramas before 1990", "not too old, after 1950, 4 please"))
    first = chat(http, messages=said("dramas before 1990"))
    then = chat(http, messages=said("not too old, after 1950, 4 please"), understood=first["constraints"])
    assert then["constraints"] == whole["constraints"]
    assert ids(then) == ids(whole)
    again = chat(http, messages=[], understood=whole["constraints"])
    assert ids(again) == ids(whole)


def test_an_edited_rule_holds(http: httpx.Client, catalog: Catalog) -> None:
    held = chat(http, messages=said("dramas before 1990"))["constraints"]
    held["rules"] = [{"field": "year", "op": "<", "value": 1960}]
    held["disliked"] = [ids(chat(http, understood=held))[0]]
    found = ids(chat(http, understood=held))
    assert found
    assert held["disliked"][0] not in found
    assert all(catalog.row(int(number))["year"] < 1960 for number in catalog.numbers(found))


def test_the_answer_to_an_edit_speaks_the_language_that_is_named(http: httpx.Client) -> None:
    text = chat(http, understood={"liked": ITEMS[9:10], "language": "zh"})["choices"][0]["message"]["content"]
    assert text.startswith("接下来")


@pytest.mark.parametrize(
    ("understood", "status"),
    [
        ({"liked": ["nothing"]}, 404), ({"rules": [{"field": "shelf", "op": "=", "value": 1}]}, 422),
        ({"disliked_traits": [{"field": "shelf", "op": "=", "value": 1}]}, 422), ({"count": 0}, 422),
        ({"moods": [""]}, 422), (None, 422), ({"moods": ["\u200b"]}, 200),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(http: httpx.Client, understood: Any, status: int) -> None:
    body = {"history": ITEMS[:3], "messages": [], "understood": understood, "explain": False}
    assert http.post("/v1/chat/completions", json=body).status_code == status


def ask(http: httpx.Client, **body: Any) -> list[str]:
    answer = http.post("/v1/recommendations", json={"explain": False, "k": 8, **body})
    assert answer.status_code == 200, answer.text
    return ids(answer.json())


def test_without_a_choice_is_the_history_without_it(http: httpx.Client) -> None:
    """The same list as of the shorter history, but for what was taken out, which does not come itself."""
    history: Sequence[str] = ITEMS[:5]
    shorter = ask(http, history=[*history[:4]], exclude=[history[4]])
    assert ask(http, history=history, without=[history[4]]) == shorter
    assert shorter != ask(http, history=history)


def test_without_a_stored_choice(http: httpx.Client) -> None:
    events = [{"user_id": "without", "item_id": item, "kind": "like", "timestamp": 100 + n}
              for n, item in enumerate(ITEMS[:5])]  # fmt: skip
    http.post("/v1/events/bulk", json={"events": events})
    before = ask(http, user_id="without")
    found = ask(http, user_id="without", without=[ITEMS[4]])
    assert found == ask(http, history=ITEMS[:4], exclude=[ITEMS[4]])
    assert before == ask(http, user_id="without")
    assert http.post("/v1/recommendations", json={"user_id": "without", "without": ["x"]}).status_code == 404


def test_weights_and_diversity_of_a_conversation(http: httpx.Client) -> None:
    held = {"rules": [{"field": "year", "op": ">", "value": 1930}]}
    body: dict[str, Any] = {"history": ITEMS[:4], "filters": held["rules"], "k": 6}
    for more in ({"weights": {"popularity": 50.0}}, {"diversity": 0.9}):
        plain = http.post("/v1/recommendations", json={**body, **more, "explain": False}).json()
        assert ids(chat(http, understood=held, k=6, **more)) == ids(plain)


def test_about_says_what_is_served(http: httpx.Client, catalog: Catalog, tiny: Tiny) -> None:
    about = http.get("/v1/about").json()
    fields = {field["name"]: field for field in about["fields"]}
    assert about["items"] == len(catalog)
    assert about["priors"].keys() >= {"popularity", "collaborative"}
    assert fields["genres"]["kind"] == "list"
    assert catalog.table["genres"].explode().value_counts(sort=True)["genres"][0] == fields["genres"]["values"][0]
    assert (fields["year"]["low"], fields["year"]["high"]) == (catalog.table["year"].min(), catalog.table["year"].max())
    assert fields["description"]["prose"]
    assert set(about["scopes"]) == {"recommend", "events", "admin", "metrics"}


def test_reasons_come_in_the_language_of_the_request(http: httpx.Client) -> None:
    about = http.get("/v1/about").json()
    assert about["languages"] == ["en", "zh"]
    assert {field["name"]: field["names"] for field in about["fields"]}["genres"] == {"zh": "类型"}
    body = {"history": ITEMS[:6], "k": 4}
    ours, theirs = (http.post("/v1/recommendations", json={**body, "language": one}).json() for one in ("en", "zh"))
    assert ids(ours) == ids(theirs)
    assert all(item["explanation"].endswith("。") for item in theirs["items"])
    assert not any(item["explanation"].endswith("。") for item in ours["items"])
    told = http.post("/v1/explanations", json={"history": ITEMS[:6], "items": ids(ours), "language": "zh"}).json()
    assert [one["explanation"] for one in told["items"]] == [one["explanation"] for one in theirs["items"]]
    spoken = chat(http, messages=said("我想看 1990 年以前的剧情片"), history=ITEMS[:6], explain=True)
    assert all(item["explanation"].endswith("。") for item in spoken["items"])


def test_items_by_id_and_by_words(http: httpx.Client, catalog: Catalog) -> None:
    found = http.get("/v1/catalog/items", params=[("id", ITEMS[3]), ("id", ITEMS[1])]).json()["items"]
    assert [one["id"] for one in found] == [ITEMS[3], ITEMS[1]]
    assert found[0]["fields"]["year"] == catalog.row(int(catalog.numbers([ITEMS[3]])[0]))["year"]
    title = catalog.titles[10]
    assert http.get("/v1/catalog/items", params={"q": title[:-1]}).json()["items"][0]["title"] == title
    assert http.get("/v1/catalog/items").status_code == 422
    assert http.get("/v1/catalog/items", params={"id": "x", "q": "y"}).status_code == 422
    assert http.get("/v1/catalog/items", params={"id": "x"}).status_code == 404


def test_users_are_listed_newest_first(http: httpx.Client) -> None:
    for user, when in (("listed-1", 4_000_000_000), ("listed-2", 4_000_000_001)):
        http.post("/v1/events", json={"user_id": user, "item_id": ITEMS[0], "kind": "like", "timestamp": when})
    http.post("/v1/events", json={"user_id": "listed-3", "item_id": ITEMS[0], "kind": "impression"})
    found = http.get("/v1/users", params={"most": 2}).json()["users"]
    assert found == [
        {"user_id": "listed-2", "events": 1, "last": 4_000_000_001},
        {"user_id": "listed-1", "events": 1, "last": 4_000_000_000},
    ]


def test_the_page_needs_no_key_and_says_nothing(server: Server) -> None:
    with httpx.Client(base_url=server.url) as http:
        for path, file in page.FILES.items():
            answer = http.get(path)
            assert answer.status_code == 200
            assert answer.content == file.content
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert http.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
            assert http.head(path).status_code == 200
        for path in ("/ui/", "/ui/../app.py", "/ui/%2e%2e/app.py", "/ui/nothing.js"):
            assert http.get(path).status_code == 401


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for path, file in page.FILES.items():
        text = file.content.decode()
        assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}, path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path


def test_the_page_can_be_left_out(tiny: Tiny, tmp_path: Path) -> None:
    with Server(tiny.bundle, f"sqlite:///{tmp_path}/events.db", ["page=false", "drain_s=0"]) as server:
        with httpx.Client(base_url=server.url) as http:
            assert http.get("/").status_code == 404
        assert not any("open:" in line for line in server.said)


def spoken() -> dict[str, set[str]]:
    """Language → words of serving/ui/words.js."""
    text = (page.FOLDER / "words.js").read_text(encoding="utf-8")
    blocks = {name: re.search(rf"const {name} = \{{(.*?)\n\}};", text, flags=re.DOTALL) for name in ("EN", "ZH")}
    return {name: set(re.findall(r"\b(\w+): \"", block[1])) for name, block in blocks.items() if block}


def test_every_word_is_there_in_both_languages() -> None:
    words = spoken()
    assert words["EN"] == words["ZH"]
    used = {
        word for path in page.FOLDER.glob("*.js") for word in re.findall(r"\bt\(\"(\w+)\"", path.read_text("utf-8"))
    }  # fmt: skip
    assert used
    assert used <= words["EN"]


def test_data_is_put_into_the_store_once(tiny: Tiny, tmp_path: Path) -> None:
    store = EventStore.open(f"sqlite:///{tmp_path}/events.db")
    table = load(tiny.data).interactions.table
    assert seed(store, tiny.data) == len(table)
    assert seed(store, tiny.data) == 0
    mine = table.filter(pl.col("user_id") == table["user_id"][0]).sort("timestamp", maintain_order=True)
    assert store.history(table["user_id"][0]).item_ids == mine["item_id"].to_list()
    store.close()
