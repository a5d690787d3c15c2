"""Training examples: drawn from real situations, same seed same examples, and each of them passes the checker."""

import numpy as np
import pytest

from genrec.decoding.engine import TextRule
from genrec.errors import DataError
from genrec.explaining import Checker, Facts, Telling, explain_examples
from genrec.explaining.words import asked, fitting, situation, write
from genrec.ragged import Ragged
from genrec.world import load_films
from tests.explaining.toyfilms import (
    ALIEN,
    ALIENS,
    FILMS,
    HEAT,
    LEGEND,
    RONIN,
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


def test_writing_asks_once_for_the_whole_slate_and_varies_by_slate_and_seed() -> None:
    seen: list[tuple[str, TextRule]] = []

    def answer(prompt: str, rule: TextRule) -> str:
        seen.append((prompt, rule))
        return f" sentence {len(seen)} "

    about = [evidence(LEGEND, RUNNER), evidence(HEAT, RONIN)]
    fake = engine({}, answer)
    assert write(fake, Pieces(), prompts(), about, seed=0) == ["sentence 1", "sentence 2"]
    write(fake, Pieces(), prompts(), about, seed=0)
    write(fake, Pieces(), prompts(), about, seed=1)
    write(fake, Pieces(), prompts(), about[:1], seed=0)
    rules = [rule.seed for _, rule in seen]
    assert rules[0] == rules[1] == rules[2] == rules[3]
    assert len({rules[0], rules[4], rules[6]}) == 3
    assert seen[0][0] == asked(prompts()["explain"], about[0].told.fields, 1)
    assert write(fake, Pieces(), prompts(), [], seed=0) == []


def test_equal_situations_on_one_slate_are_asked_with_different_seeds() -> None:
    rules: list[TextRule] = []

    def answer(prompt: str, rule: TextRule) -> str:
        rules.append(rule)
        return str(rule.seed)

    about = [evidence(LEGEND, RUNNER), evidence(LEGEND, ALIEN), evidence(RUNNER, LEGEND), evidence(HEAT, RONIN)]
    said = write(engine({}, answer), Pieces(), prompts(), about, seed=0)
    assert [asked(prompts()["explain"], *situation(one.told)) for one in about].count(
        asked(prompts()["explain"], *situation(about[0].told))
    ) == 2
    assert said[0] == said[1] == said[3] != said[2]
