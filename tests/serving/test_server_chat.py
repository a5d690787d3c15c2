"""Chat through an unmodified OpenAI client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from genrec import Bundle, Catalog
from tests.helpers.running import Tiny
from tests.helpers.server import Server


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as opened:
        yield opened


@pytest.fixture(scope="module")
def catalog(tiny: Tiny) -> Catalog:
    return Bundle.open(tiny.bundle).catalog


def say(client: openai.OpenAI, *messages: str, **more: Any) -> Any:
    """The answer after these messages in turn, each answered before the next."""
    so_far: list[Any] = []
    for message in messages:
        so_far.append({"role": "user", "content": message})
        answer = client.chat.completions.create(model="genrec", messages=so_far, extra_body={"explain": False, **more})
        so_far.append({"role": "assistant", "content": answer.choices[0].message.content})
    return answer


def rows(catalog: Catalog, answer: Any) -> list[dict[str, Any]]:
    return [catalog.row(int(number)) for number in catalog.numbers(item["id"] for item in answer.items)]


def test_the_text_names_the_items(client: openai.OpenAI, catalog: Catalog) -> None:
    answer = say(client, "Recommend me 3 dramas")
    text = answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert len(answer.items) == 3
    for place, item in enumerate(answer.items, 1):
        assert f"{place}. {item['title']}" in text
    assert all("Drama" in row["genres"] for row in rows(catalog, answer))
    assert answer.constraints["rules"] == [{"field": "genres", "op": "=", "value": "Drama"}]
    assert answer.followup is None


def test_reasons_are_in_the_text(client: openai.OpenAI, catalog: Catalog) -> None:
    answer = say(client, f"I liked “{catalog.titles[0]}”", explain=True, k=2)
    assert answer.items[0]["explanation"]
    assert answer.items[0]["explanation"].split("“")[0] in answer.choices[0].message.content
    assert answer.constraints["liked"] == [catalog.item_ids[0]]
    assert not answer.degraded


def test_streaming_says_the_same(client: openai.OpenAI) -> None:
    message: Any = [{"role": "user", "content": "Recommend me 3 dramas"}]
    whole = client.chat.completions.create(model="genrec", messages=message, extra_body={"explain": False})
    chunks = list(client.chat.completions.create(
        model="genrec", messages=message, stream=True, extra_body={"explain": False}
    ))  # fmt: skip
    assert len(chunks) > 3
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1].items == whole.items  # type: ignore[attr-defined]


def test_too_vague_a_wish_is_asked_back(client: openai.OpenAI) -> None:
    answer = say(client, "hello there")
    assert answer.items == []
    assert answer.followup
    assert answer.followup in answer.choices[0].message.content
    assert "genres" in answer.followup


def test_a_user_with_a_history_needs_no_words(client: openai.OpenAI, http: httpx.Client, catalog: Catalog) -> None:
    http.post("/v1/events", json={"user_id": "kim", "item_id": catalog.item_ids[3], "kind": "like"})
    answer = client.chat.completions.create(
        model="genrec", messages=[{"role": "user", "content": "hello"}], user="kim", extra_body={"explain": False}
    )
    assert len(answer.items) == 5  # type: ignore[attr-defined]
    assert answer.window["shown"] == 1  # type: ignore[attr-defined]


def test_later_messages_revise_earlier_ones(client: openai.OpenAI, catalog: Catalog) -> None:
    answer = say(client, "4 dramas before 1990", "actually, comedies, and never mind the year")
    assert len(answer.items) == 4
    assert [rule["value"] for rule in answer.constraints["rules"]] == ["Comedy"]
    assert all("Comedy" in row["genres"] for row in rows(catalog, answer))


def test_others_are_others(client: openai.OpenAI) -> None:
    first = say(client, "3 dramas")
    second = say(client, "3 dramas", "show me others")
    assert len(second.items) == 3
    assert not {item["id"] for item in first.items} & {item["id"] for item in second.items}


def test_what_nothing_fits_comes_with_a_way_out(client: openai.OpenAI) -> None:
    answer = say(client, "a drama and a horror film before 1900")
    assert answer.items == []
    assert answer.no_match["relax"] == [{"field": "year", "op": "<", "value": 1900}]
    assert "year" in answer.choices[0].message.content


def test_what_is_unknown_is_said(client: openai.OpenAI) -> None:
    answer = say(client, "I liked “The Blurbing Snark”, give me a drama")
    assert answer.constraints["unlinked"] == ["The Blurbing Snark"]
    assert "The Blurbing Snark" in answer.choices[0].message.content
    assert answer.items


def test_chinese_is_answered_in_chinese(client: openai.OpenAI, catalog: Catalog) -> None:
    answer = say(client, "推荐3部剧情片，不要战争")
    assert "符合" in answer.choices[0].message.content
    assert len(answer.items) == 3
    assert all("Drama" in row["genres"] and "War" not in row["genres"] for row in rows(catalog, answer))


def test_models_are_listed_and_others_unknown(client: openai.OpenAI, tiny: Tiny) -> None:
    names = [model.id for model in client.models.list()]
    assert names == ["genrec", Bundle.open(tiny.bundle).version]
    with pytest.raises(openai.NotFoundError, match="no such model"):
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "hi"}])


def test_errors_are_the_clients_own(server: Server, client: openai.OpenAI) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="gk_wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(model="genrec", messages=[])
    with pytest.raises(openai.NotFoundError):
        say(client, "hi", history=["nope"])


def test_parts_and_other_roles_are_read_as_openai_means_them(client: openai.OpenAI) -> None:
    answer: Any = client.chat.completions.create(
        model="genrec", temperature=0.7, seed=1, max_tokens=50,
        messages=[
            {"role": "system", "content": "Only war films."},
            {"role": "user", "content": [{"type": "text", "text": "2 comedies"}]},
        ],
    )  # fmt: skip
    assert [rule["value"] for rule in answer.constraints["rules"]] == ["Comedy"]
