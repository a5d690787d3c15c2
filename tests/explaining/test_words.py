"""Training examples: drawn from real situations, same seed same examples, and each of them passes the checker."""

import numpy as np
import pytest

from genrec.decoding.engine import TextRule
from genrec.errors import DataError
from genrec.explaining import Checker, Facts, Telling, explain_examples
from genrec.explaining.words import DRAFTS, Drafts, asked, fitting, situation
from genrec.ragged import Ragged
from genrec.world import load_films
from tests.explaining.toyfilms import (
    ALIEN,
    ALIENS,
    FILMS,
    LEGEND,
    RUNNER,
    Pieces,
    engine,
    evidence,
    prompts,
)

WORLD = load_films()
HISTORIES = Ragged.from_lists([np.random.default_rng(row).integers(0, len(WORLD), 12) for row in range(80)])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_example_when_filled_passes_the_checker(language: str) -> None:
    """Each completion is tried on real evidence of the situation that its prompt tells of."""
    facts, ours = Facts.of(WORLD), prompts(language)
    checker = Checker(ours["explain"], facts, Telling(WORLD, language))
    known = situations(facts, ours["explain"])
    asks, answers = explain_examples(WORLD, HISTORIES, ours, 600, seed=3)
    tried = [(known[ask], answer) for ask, answer in zip(asks, answers, strict=True) if ask in known]
    assert len(tried) > 400
    for about, answer in tried:
        assert checker.sentence(answer, about).problems == ()
        text = checker.telling.fill(answer, about)
        assert checker.statement(text, about, [one.item for one in about.interactions]).problems == ()


def situations(facts, prompt):
    from genrec.explaining import Evidence, Moved

    random = np.random.default_rng(0)
    found = {}
    for item, *liked in (random.choice(len(WORLD), 3, replace=False).tolist() for _ in range(3000)):
        for some in (liked, liked[:1]):
            about = Evidence(item, tuple(Moved(one, 1.0) for one in some), facts.shared(item, some))
            found[asked(prompt, *situation(about.told))] = about
    return found


def test_the_same_seed_gives_the_same_examples() -> None:
    ours = prompts()
    first = explain_examples(WORLD, HISTORIES, ours, 200, seed=5)
    assert first == explain_examples(WORLD, HISTORIES, ours, 200, seed=5)
    assert first != explain_examples(WORLD, HISTORIES, ours, 200, seed=6)
    assert len(first[0]) == len(first[1]) == 200


def test_examples_tell_what_the_catalog_gives() -> None:
    """In one history of Alien and Aliens the only situation is: actor and genre, one item."""
    asks, answers = explain_examples(FILMS, Ragged.from_lists([[ALIEN, ALIENS]]), prompts(), 50, seed=0)
    assert set(asks) == {asked(prompts()["explain"], ("cast", "genres"), 1)}
    assert set(answers) <= set(fitting(prompts()["explain"], ("cast", "genres"), 1))
    assert len(set(answers)) > 10


def test_histories_that_teach_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="two interactions"):
        explain_examples(FILMS, Ragged.from_lists([[ALIEN], []]), prompts(), 5, seed=0)
    with pytest.raises(DataError, match="two different"):
        explain_examples(FILMS, Ragged.from_lists([[ALIEN, ALIEN]]), prompts(), 5, seed=0)


def test_a_situation_is_asked_once_with_different_seeds() -> None:
    seen: list[tuple[str, TextRule]] = []

    def answer(prompt: str, rule: TextRule) -> str:
        seen.append((prompt, rule))
        return f" sentence {rule.seed % 4} "

    kept: dict[str, tuple[str, ...]] = {}
    drafts = Drafts(engine({}, answer), Pieces(), kept)
    asks = [asked(prompts()["explain"], *situation(evidence(LEGEND, film).told)) for film in (RUNNER, ALIEN)]
    found = drafts.of([*asks, asks[0]])
    assert found[0] == found[2] == ("sentence 0", "sentence 1", "sentence 2", "sentence 3")
    assert len(seen) == DRAFTS * len(set(asks))
    assert len({rule.seed for _, rule in seen}) == DRAFTS
    assert drafts.of(asks) == found[:2]
    assert Drafts(engine({}, answer), Pieces(), kept).of(asks[:1]) == found[:1]
    assert len(seen) == DRAFTS * len(set(asks))
    assert drafts.of([]) == []
