"""Families of phrasings, and requests drawn from them: what is drawn is found again, and means what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genrec import Catalog, load_films
from genrec.chatting.mentions import Mentions
from genrec.chatting.phrasing import Phrasebook, Use, phrasebook
from genrec.chatting.request import Language
from genrec.chatting.utterances import Drawer, aligned
from genrec.errors import PromptError
from genrec.resources import folder

BOOKS: dict[Language, Phrasebook] = {
    "en": phrasebook(folder("prompts"), "en"),
    "zh": phrasebook(folder("prompts"), "zh"),
}
CUES = BOOKS["en"].cues | BOOKS["zh"].cues
SHOP = Catalog.from_table(
    pl.DataFrame(
        {
            "item_id": [f"i{place}" for place in range(8)],
            "title": ["Copper Kettle", "Steel Kettle", "Oak Table", "Pine Table", "Wool Blanket", "Silk Scarf", 
                      "Clay Pot", "Glass Jar"],
            "material": ["copper", "steel", "oak", "pine", "wool", "silk", "clay", "glass"],
            "brand": ["Hearth", "Hearth", "Timber", "Timber", "Loom", "Loom", "Kiln", "Kiln"],
            "price": [30, 25, 220, 140, 60, 45, 12, 8],
        }
    )
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_enough_families_and_a_quarter_kept_for_validation_and_test(language: Language) -> None:
    uses = [family.use for family in BOOKS[language].families]
    assert len(uses) >= 40
    assert uses.count("train") >= 40
    assert (uses.count("valid") + uses.count("test")) / len(uses) >= 0.25
    for use in ("train", "valid", "test"):
        assert all(BOOKS[language].of(part, use) for part in ("ask", "trim", "limit", "like", "solo"))
    texts = {use: {text for one in BOOKS[language].families if one.use == use for text in one.texts} for use in uses}
    assert not texts["train"] & (texts["valid"] | texts["test"])


@pytest.mark.parametrize("catalog", [load_films(), SHOP], ids=["films", "shop"])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("use", ["train", "test"])
def test_what_is_drawn_is_found_again(catalog: Catalog, language: Language, use: Use) -> None:
    finder, rng = Mentions.of(catalog, CUES), np.random.default_rng(3)
    drawer = Drawer(catalog, finder, BOOKS[language], language)
    drawn = [drawer.draw(rng, use=use) for _ in range(120)]
    linked = [aligned(one, finder.find(one.text).mentions) for one in drawn]
    assert sum(one is not None for one in linked) >= 0.95 * len(drawn)
    for one in drawn:
        for mention in one.mentions:
            assert 0 <= mention.start < mention.end <= len(one.text)
    again = Drawer(catalog, finder, BOOKS[language], language).draw(np.random.default_rng(3), use=use)
    assert again == drawn[0]


def test_a_mention_that_was_not_found_leaves_no_reading() -> None:
    finder = Mentions.of(SHOP, CUES)
    one = Drawer(SHOP, finder, BOOKS["en"], "en").draw(np.random.default_rng(0), shapes=((1, ("limit",)),))
    assert one.reading.roles
    assert aligned(one, []) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [("(a|b", "brackets"), ("{value.below}", "no mention"), ("{colour.want}", "no mention")],
)
def test_wrong_phrasings_are_named_with_their_line(tmp_path: Path, text: str, says: str) -> None:
    place = tmp_path / "en" / "chat"
    place.mkdir(parents=True)
    source = (folder("prompts") / "en" / "chat" / "families.yaml").read_text(encoding="utf-8")
    (place / "families.yaml").write_text(source + f'- {{name: odd, part: ask, texts: ["{text}"]}}\n', encoding="utf-8")
    with pytest.raises(PromptError, match=says) as error:
        phrasebook(tmp_path, "en")
    assert "families.yaml" in error.value.where
    with pytest.raises(PromptError, match="no phrasings"):
        phrasebook(tmp_path, "xx")
