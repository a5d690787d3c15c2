"""The page in a real Chromium: a newcomer's ten minutes, by mouse and by keyboard, and axe-core on every state."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from genrec import Bundle
from tests.helpers.newcomer import DESK, Newcomer, chromium
from tests.helpers.running import Tiny
from tests.helpers.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")
LOOKED_AT = ("liked", "edited", "without", "dark", "viewer", "phone", "phone-history", "locked")
"""States that axe-core goes over, which takes a second each; between them every part of the page is there."""


@pytest.fixture(scope="module")
def served(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("page") / "events.db"
    settings = [f"data={tiny.data}", "limits.rate=100000", "limits.burst=100000", "drain_s=0"]
    with Server(tiny.bundle, f"sqlite:///{store}", settings) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@functools.cache
def axe() -> str:
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe-core finds that is serious or worse. It is evaluated by the debugger, which no page policy stops."""
    page.evaluate(axe())
    rules = "{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}"
    found: dict[str, Any] = page.evaluate(f"axe.run(document, {rules})")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found["violations"] if one["impact"] in SERIOUS
    ]  # fmt: skip


def test_the_first_ten_minutes(served: Server, browser: Browser, tiny: Tiny) -> None:
    wrong: dict[str, list[str]] = {}

    def look(page: Page, name: str) -> None:
        if name in LOOKED_AT and (found := violations(page)):
            wrong[name] = found

    titles = Bundle.open(tiny.bundle).catalog.titles
    one = Newcomer(browser, served.url, served.key, look)
    one.open()
    one.like([titles[3], titles[40]])
    one.rest_on()
    catalog = Bundle.open(tiny.bundle).catalog
    for slate, year in (
        (one.ask("dramas before 1990", "genres: Drama"), 1990),
        (one.edit("year < 1990", "1970", "year < 1970"), 1970),
    ):
        rows = [catalog.row(int(number)) for number in catalog.numbers(slate)]
        assert rows
        assert all(row["year"] < year and "Drama" in row["genres"] for row in rows)
    one.forget()
    one.without()
    one.tune()
    one.aside()
    one.speak_chinese()
    one.darken()
    one.become("u00001")
    one.on_a_phone("u00001")
    one.locked()
    assert wrong == {}
    assert one.mistakes == []


def test_names_cannot_script_the_page(served: Server, browser: Browser) -> None:
    """A title and a user id that are HTML are shown as they are."""
    title = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"
    with served.http() as http:
        assert http.put("/v1/catalog/items/evil", json={"fields": {"title": title}}).status_code == 200
        http.post("/v1/events", json={"user_id": "<b>me</b>", "item_id": "evil", "kind": "like"})
    one = Newcomer(browser, served.url, served.key, lambda page, name: None)
    one.page.add_init_script("sessionStorage.setItem('genrec-user', '<b>me</b>')")
    one.page.goto(f"{served.url}/#key={served.key}")
    one.page.wait_for_selector("[data-choice=evil]")
    assert one.page.inner_text("[data-choice=evil] .choice-title") == title
    assert one.page.inner_text(".viewer-name") == "<b>me</b>"
    assert one.page.title() == "genrec"
    assert one.page.query_selector("b, img") is None
    assert one.mistakes == []
    with served.http() as http:
        http.delete("/v1/catalog/items/evil")


def test_the_policy_forbids_scripts_from_elsewhere(served: Server, browser: Browser) -> None:
    page = browser.new_context(viewport=DESK).new_page()
    page.goto(f"{served.url}/")
    page.wait_for_selector("#key")
    refused = page.evaluate(
        """async () => {
          const told = new Promise((go) => {
            document.addEventListener('securitypolicyviolation', (e) => go(e.effectiveDirective));
          });
          const one = document.createElement('script');
          try { one.text = 'window.owned = 1'; } catch { return 'trusted types'; }
          document.body.append(one);
          return Promise.race([told, new Promise((go) => setTimeout(() => go('nothing'), 2000))]);
        }"""
    )
    assert refused in ("trusted types", "script-src-elem", "require-trusted-types-for")
    assert page.evaluate("window.owned") is None
    page.context.close()
