"""Eight films whose shared facts can be counted by hand, and an engine that is moved by exactly the films we say."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from genrec.asking import NextItemPrompt
from genrec.catalog import Catalog
from genrec.decoding.engine import Float64, Prompt
from genrec.explaining import Evidence, Explainer, Facts, Moved
from genrec.items.index import ItemIndex
from genrec.prompting import Prompts, load_prompts
from genrec.ragged import Int64
from tests.helpers.scripted import ScriptedEngine, liking

ROOT = Path(__file__).resolve().parents[2]
ALIEN, RUNNER, ALIENS, HEAT, RONIN, INSIDER, TOYS, LEGEND = range(8)
PROSE = "A long account of what happens in this film, which nobody would call a fact, number "

FILMS = Catalog.from_table(
    pl.DataFrame(
        {
            "item_id": [f"f{number}" for number in range(8)],
            "title": ["Alien", "Blade Runner", "Aliens", "Heat", "Ronin", "The Insider", "Toy Story", "Legend"],
            "year": [1979, 1982, 1986, 1995, 1998, 1999, 1995, 1985],
            "director": ["Scott", "Scott", "Cameron", "Mann", "Frankenheimer", "Mann", "Lasseter", "Scott"],
            "cast": [["Weaver"], ["Ford"], ["Weaver"], ["Pacino", "De Niro"], ["De Niro"], ["Pacino"], ["Hanks"], []],
            "genres": [["Horror", "Space"], ["Space"], ["Space", "War"], ["Crime"], ["Crime"], ["Drama"], None, []],
            "country": ["United Kingdom", *["United States"] * 7],
            "runtime": [117, 117, 137, 170, 122, 157, 81, 94],
            "description": [f"{PROSE}{number}" for number in range(8)],
        }
    )
)
FACTS = Facts.of(FILMS)
SIZES = (2, 2, 2)
CODES = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=np.int64)
INDEX = ItemIndex(FILMS.item_ids, CODES, SIZES, np.zeros((3, 2, 1), dtype=np.float32))
FIRST_CODE = 1 << 20  # tokens of text have lower numbers

Pull = Mapping[tuple[int, int], float]
Wish = Callable[[str], str]


class Pieces:
    """A vocabulary in which every word, with the space before it, is a token."""

    end_id = -1
    code_ids = tuple(np.array([FIRST_CODE + 2 * level, FIRST_CODE + 2 * level + 1]) for level in range(3))
    known: ClassVar[dict[str, int]] = {}

    def ids(self, text: str) -> list[int]:
        return [self.known.setdefault(piece, len(self.known)) for piece in re.findall(r"\s*\S+|\s+", text)]

    def all_ids(self, texts: Iterable[str]) -> list[list[int]]:
        return [self.ids(text) for text in texts]

    def text(self, ids: Iterable[int]) -> str:
        pieces = list(self.known)
        return "".join(pieces[token] for token in ids)

    def semantic_tokens(self, codes: Int64) -> Int64:
        return np.stack([self.code_ids[level][codes[:, level]] for level in range(3)], axis=1)


def shown(prompt: Prompt) -> list[int]:
    """The films of a next-item prompt."""
    codes = [token - FIRST_CODE for token in prompt if token >= FIRST_CODE]
    return [4 * a + 2 * (b - 2) + (c - 4) for a, b, c in zip(codes[::3], codes[1::3], codes[2::3], strict=True)]


def pulled(pull: Pull) -> Callable[[Prompt], Float64]:
    """log p(item) = −6 plus the pull of every different film in the prompt."""

    def logprobs(prompt: Prompt) -> Float64:
        seen = set(shown(prompt))
        return np.array([-6 + sum(pull.get((film, item), 0.0) for film in seen) for item in range(8)])

    return logprobs


def prompts(language: str = "en") -> Prompts:
    return load_prompts(ROOT / "prompts", language)


def engine(pull: Pull, wish: Wish = lambda asked: "") -> ScriptedEngine:
    """wish: the sentence that it would like to write, as far as it may, to what it is asked (part, facts)."""
    pieces = Pieces()
    script = liking(CODES, SIZES, pulled(pull))

    def taste(prompt: Prompt, token: int) -> float:
        before, _, after = pieces.text(prompt).partition("<|text_end|>")
        written = after[1:] + ("" if token == pieces.end_id else pieces.text([token]))
        return 300.0 if wish(before.rpartition(".")[2].replace("<|text|>", "")).startswith(written) else 0.0

    return ScriptedEngine(script, pieces.code_ids, taste=taste)


def asking(language: str = "en", window: int = 50) -> NextItemPrompt:
    return NextItemPrompt(prompts(language), Pieces(), INDEX, window)


def explainer(pull: Pull, wish: Wish = lambda asked: "", language: str = "en") -> Explainer:
    return Explainer(engine(pull, wish), asking(language), Pieces(), prompts(language), FILMS)


def evidence(item: int, *liked: int, drop: float = 1.0) -> Evidence:
    return Evidence(item, tuple(Moved(one, drop) for one in liked), FACTS.shared(item, liked))
