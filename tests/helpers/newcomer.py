"""A newcomer's ten minutes with the page, step by step, in a real browser: played by a test, and by docs/screenshots.py
for its pictures. Every step checks what a person would expect to see."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
DESK = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}
SETTLED = ".live[aria-busy=false] .card:not(.ghost)"
Shot = Callable[["Page", str], None]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; playwright brings none along here."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Newcomer:
    """Someone in front of the page. shot(page, name): called in every state that is worth a picture."""

    browser: Browser
    url: str
    key: str
    shot: Shot

    def __post_init__(self) -> None:
        self.mistakes: list[str] = []
        self.page = self.sit_down(viewport=DESK)

    def sit_down(self, **how: Any) -> Page:
        """A new window in which nothing may go wrong unseen."""
        page = self.browser.new_context(**{"reduced_motion": "reduce", "locale": "en-GB", **how}).new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.on("console", lambda said: self.mistakes.append(said.text) if said.type == "error" else None)
        return page

    def slate(self) -> list[str]:
        """Ids of the list."""
        return [one.get_attribute("data-item") or "" for one in self.page.query_selector_all("[data-item]")]

    def settle(self) -> list[str]:
        """Once the list has come to rest."""
        self.page.wait_for_timeout(120)
        self.page.wait_for_selector(SETTLED)
        return self.slate()

    def moved(self, act: Callable[[], Any]) -> list[str]:
        """The list after something that must change it."""
        before = self.slate()
        act()
        self.page.wait_for_function(
            "was => document.querySelector('.live[aria-busy=false]') && JSON.stringify(was) !== JSON.stringify("
            "[...document.querySelectorAll('[data-item]')].map((one) => one.dataset.item))", arg=before,
        )  # fmt: skip
        return self.slate()

    def open(self) -> None:
        self.page.goto(f"{self.url}/#key={self.key}")
        self.settle()
        assert "#" not in self.page.url, "the key stays in the address"
        assert self.page.inner_text("#live") == "What most people chose"
        self.shot(self.page, "start")

    def like(self, titles: Sequence[str]) -> None:
        """Finds titles and likes them; then one of the list."""
        for title in titles:
            self.page.fill("#search", title)
            hit = self.page.wait_for_selector(f".hit:has(.choice-title:text-is({_quoted(title)})) button")
            assert hit is not None
            hit.click()
            self.page.wait_for_selector(f"[data-choice] .choice-title:text-is({_quoted(title)})")
        self.settle()
        first = self.page.inner_text(".card-title")
        assert first not in self.moved(lambda: self.page.click(".act.like"))
        self.page.wait_for_selector(f"[data-choice] .choice-title:text-is({_quoted(first)})")
        self.page.wait_for_selector(".card .why")
        assert self.page.query_selector(".move"), "nothing tells what moved"
        self.page.mouse.move(0, 0)
        self.shot(self.page, "liked")

    def ask(self, words: str, rule: str) -> list[str]:
        """A wish in words, and the rule that is understood of it; the list that comes."""
        self.page.fill("#box", words)
        self.page.press("#box", "Enter")
        self.page.wait_for_selector(f".wish-edit:text-is({_quoted(rule)})")
        slate = self.settle()
        self.shot(self.page, "asked")
        return slate

    def rest_on(self) -> None:
        """A piece of evidence lights the choices that it rests on."""
        self.settle()
        self.page.click(".chip.pick")
        self.page.wait_for_selector(".choice.lit")
        self.shot(self.page, "evidence")

    def edit(self, rule: str, value: str, becomes: str) -> list[str]:
        """Changes a rule by keyboard alone; the list that comes."""
        self.page.focus(f".wish-edit:text-is({_quoted(rule)})")
        self.page.keyboard.press("Enter")
        assert self.page.evaluate("document.activeElement.id") == "rule-value"
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(value)
        self.shot(self.page, "edited")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(f".wish-edit:text-is({_quoted(becomes)})")
        return self.settle()

    def forget(self) -> None:
        self.moved(lambda: self.page.click("#wishes .panel-head .link"))

    def without(self) -> None:
        """What would be without a choice? The list changes, says how, and comes back."""
        before = self.slate()
        switch = self.page.locator(".switch").first
        after = self.moved(switch.click)
        assert switch.get_attribute("aria-checked") == "false"
        said = self.page.inner_text("#counterfactual")
        assert self.page.inner_text(".choice.off .choice-title") in said
        assert set(before) == set(after) or "No longer in the list" in said
        self.shot(self.page, "without")
        assert self.moved(lambda: self.page.click("#counterfactual .link")) == before

    def tune(self) -> None:
        """Variety at its most, then back."""
        before = self.slate()
        self.moved(lambda: self.page.fill("#slide-diversity", "1"))
        self.page.wait_for_timeout(900)
        self.settle()
        self.shot(self.page, "tuned")
        self.page.click("#as-trained")
        self.page.wait_for_function(
            "was => JSON.stringify(was) === JSON.stringify([...document.querySelectorAll('[data-item]')]"
            ".map((one) => one.dataset.item))", arg=before,
        )  # fmt: skip

    def aside(self) -> None:
        """Not now: away, and back."""
        first = self.slate()[0]
        assert first not in self.moved(lambda: self.page.locator(".act").nth(2).click())
        assert first in self.moved(lambda: self.page.click(".banner.plain .link"))

    def speak_chinese(self) -> None:
        self.page.click("#language")
        assert self.page.get_attribute("html", "lang") == "zh-Hans"
        assert self.page.inner_text("#live") == "为您推荐"
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.why')]"
            ".every((one) => one.lang === 'zh' && /。$/.test(one.textContent))"
        )
        self.shot(self.page, "chinese")
        self.page.click("#language")
        assert self.page.inner_text("#live") == "For you"

    def darken(self) -> None:
        self.page.click("#theme")
        self.page.click("#theme")
        assert self.page.get_attribute("html", "data-theme") == "dark"
        self.shot(self.page, "dark")
        self.page.click("#theme")

    def become(self, user: str, name: str = "viewer") -> None:
        """The list of someone whom the server knows."""
        self.page.click("#viewer")
        self.page.fill("#viewer-id", user)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(f".viewer-name:text-is({_quoted(user)})")
        self.settle()
        self.page.wait_for_selector(".strip")
        self.shot(self.page, name)

    def on_a_phone(self, user: str) -> None:
        """The same on a narrow screen: three rooms, nothing wider than the screen."""
        desk, self.page = self.page, self.sit_down(viewport=PHONE, has_touch=True, device_scale_factor=2)
        self.page.add_init_script(f"sessionStorage.setItem('genrec-user', {_quoted(user)})")
        self.page.goto(f"{self.url}/#key={self.key}")
        self.settle()
        for place, name in enumerate(("phone", "phone-wishes", "phone-history")):
            self.page.locator(".tabs button").nth(place).click()
            assert self.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
            self.shot(self.page, name)
        self.page.context.close()
        self.page = desk

    def locked(self) -> None:
        """Without a key the page asks for one."""
        page = self.sit_down(viewport=DESK)
        page.goto(self.url)
        page.wait_for_selector("#key")
        self.shot(page, "locked")
        page.context.close()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
