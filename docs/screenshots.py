"""docs/images/page-*.png: pictures of a newcomer's ten minutes with the page. `make screenshots` runs it on the demo.

Any bundle and its prepared data will do whose catalog has genres and years. Knows no drawing: it plays what the test of
the page plays (tests/helpers/newcomer.py), and looks at it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from genrec.bundle import Bundle  # noqa: E402
from genrec.preparing import load  # noqa: E402
from tests.helpers.newcomer import Newcomer, chromium  # noqa: E402
from tests.helpers.server import Server  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

_LIKED = 3  # titles that the newcomer looks for
_LONG = 60  # choices of the viewer whose history is shown, at least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=ROOT / "demo" / "bundle")
    parser.add_argument("--data", type=Path, default=ROOT / "demo" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--viewer", help="a user of the data whose history is shown; default: one with many choices")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    log = load(given.data).interactions.table
    counts = log["user_id"].value_counts().sort("count", "user_id")
    viewer = given.viewer or counts.filter(counts["count"] >= _LONG)["user_id"][0]
    titles = Bundle.open(given.bundle).catalog.titles

    def shot(page: Page, name: str) -> None:
        page.screenshot(path=given.out / f"page-{name}.png")
        print(given.out / f"page-{name}.png")

    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        settings = [f"data={given.data}", "drain_s=0", "limits.rate=1000", "limits.burst=1000"]
        with Server(given.bundle, f"sqlite:///{folder}/events.db", settings, patience=600) as server:
            one = Newcomer(browser, server.url, server.key, shot)
            play(one, titles[:: max(1, len(titles) // _LIKED)][:_LIKED], viewer)
            if one.mistakes:
                sys.exit("\n".join(one.mistakes))


def play(one: Newcomer, titles: list[str], viewer: str) -> None:
    one.locked()
    one.open()
    one.like(titles)
    one.rest_on()
    one.ask("a funny film from before 1990, please", "genres: Comedy")
    one.edit("year < 1990", "1960", "year < 1960")
    one.forget()
    one.tune()
    one.become(viewer)
    one.without()
    one.speak_chinese()
    one.darken()
    one.on_a_phone(viewer)


if __name__ == "__main__":
    main()
