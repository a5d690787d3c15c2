"""Training examples: drawn from real situations, same seed same examples, and each of them passes the checker; what the
model may write of a situation, and only that."""

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.explaining import Checker, Facts, Telling, explain_examples
from genrec.explaining.checker import tolds
from genrec.explaining.evidence import Rerun
from genrec.explaining.saying import CAUSAL, Situation, sentences, situation
from genrec.explaining.words import Writer, asked, situations
from genrec.ragged import Ragged
from genrec.slots import markers_in
from genrec.world import load_films
from tests.explaining.toyfilms import (
    ALIEN,
    ALIENS,
    FILMS,
    LEGEND,
    RUNNER,
    TOYS,
    Pieces,
    engine,
    evidence,
    prompts,
)

WORLD = load_films()
HISTORIES = Ragged.from_lists([np.random.default_rng(row).integers(0, len(WORLD), 12) for row in range(80)])
EXPLAIN = prompts()["explain"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_example_when_filled_passes_the_checker(language: str) -> None:
    """Each reason is tried on real evidence of the situation that its prompt tells of."""
    facts, ours = Facts.of(WORLD), prompts(language)
    checker = Checker(ours["explain"], facts, Telling(WORLD, language))
    known = evidences(facts, ours["explain"])
    asks, answers = explain_examples(WORLD, HISTORIES, ours, 600, seed=3)
    tried = [(known[ask], answer) for ask, answer in zip(asks, answers, strict=True) if ask in known]
    assert len(tried) > 150
    for about, answer in tried:
        text = checker.telling.fill(answer, about.told)
        assert checker.statement(text, about, [one.item for one in about.interactions]).problems == ()


def evidences(facts, prompt):
    from genrec.explaining import Evidence, Moved

    random = np.random.default_rng(0)
    found = {}
    for item, *liked in (random.choice(len(WORLD), 3, replace=False).tolist() for _ in range(3000)):
        for some in (liked, liked[:1]):
            about = Evidence(item, tuple(Moved(one, 1.0) for one in some), facts.shared(item, some))
            found[asked(prompt, situation("reason", about.told))] = about
    return found


def test_the_same_seed_gives_the_same_examples() -> None:
    ours = prompts()
    first = explain_examples(WORLD, HISTORIES, ours, 200, seed=5)
    assert first == explain_examples(WORLD, HISTORIES, ours, 200, seed=5)
    assert first != explain_examples(WORLD, HISTORIES, ours, 200, seed=6)
    assert len(first[0]) == len(first[1]) == 200


def test_examples_tell_what_the_catalog_gives() -> None:
    """In one history of Alien and Aliens the only reason is: actor and genre, one item."""
    asks, answers = explain_examples(FILMS, Ragged.from_lists([[ALIEN, ALIENS]]), prompts(), 200, seed=0)
    mine = asked(EXPLAIN, Situation("reason", ("cast", "genres"), 1, True))
    reasons = [answer for ask, answer in zip(asks, answers, strict=True) if ask == mine]
    assert {ask.partition("<|text|>")[0].rpartition(".")[2].strip() for ask in asks} == {
        "reason", "short", "contrast", "counterfactual", "rule",
    }  # fmt: skip
    assert set(reasons) <= set(sentences(EXPLAIN, Situation("reason", ("cast", "genres"), 1, True)))
    assert len(set(reasons)) > 10


def test_histories_that_teach_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="two interactions"):
        explain_examples(FILMS, Ragged.from_lists([[ALIEN], []]), prompts(), 5, seed=0)
    with pytest.raises(DataError, match="two different"):
        explain_examples(FILMS, Ragged.from_lists([[ALIEN, ALIEN]]), prompts(), 5, seed=0)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_evidence_does_not_support_cannot_be_chosen(language: str) -> None:
    prompt = prompts(language)["explain"]
    still = sentences(prompt, Situation("reason", ("director",), 1, False))
    assert still
    assert not any(CAUSAL.search(one) or "{liked_2}" in one for one in still)
    assert any(CAUSAL.search(one) for one in sentences(prompt, Situation("reason", ("director",), 1, True)))
    assert sentences(prompt, Situation("reason", (), 1, False)) == ()
    both = sentences(prompt, Situation("counterfactual", (), 2, True))
    assert both
    assert all({"liked_1", "liked_2"} <= markers_in(one) for one in both)


def test_a_sentence_is_one_of_the_phrasings_whatever_the_model_likes() -> None:
    writer = Writer(engine({}, lambda asked: "Nobody won seven Oscars."), Pieces(), EXPLAIN)
    about = evidence(LEGEND, RUNNER)
    told = [("reason", about.told), ("short", about.told)] * 20
    found = writer.write(told, list(range(40)))
    assert set(found[::2]) <= set(sentences(EXPLAIN, situation("reason", about.told)))
    assert set(found[1::2]) <= set(sentences(EXPLAIN, situation("short", about.told)))
    assert len(set(found[::2])) > 10
    assert writer.write(told[:2], [0, 1]) == found[:2]
    assert writer.write([("reason", evidence(TOYS, ALIEN, drop=0).told)], [0]) == [""]


def test_the_model_decides_where_sentences_part() -> None:
    wanted = "{value_1} was behind the camera for {liked_1} and again for {item}."
    writer = Writer(engine({}, lambda asked: wanted if asked.startswith("reason director") else ""), Pieces(), EXPLAIN)
    assert writer.write([("reason", evidence(LEGEND, RUNNER).told)] * 3, [0, 1, 2]) == [wanted] * 3


def test_situations_of_a_catalog() -> None:
    every = situations(["cast", "genres"], ("reason", "contrast", "counterfactual", "rule"))
    assert len(every) == len(set(every)) == 2 * 5 + 3 + 2 + 1
    told = tolds("counterfactual", evidence(LEGEND, RUNNER))
    assert told == []
    from dataclasses import replace

    (gone,) = tolds("counterfactual", replace(evidence(LEGEND, RUNNER), rerun=Rerun((RUNNER,), present=False)))
    assert situation("counterfactual", gone) in every
