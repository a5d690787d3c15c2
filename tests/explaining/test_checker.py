"""The checker: planted falsehoods are caught before and after filling; what is true passes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.explaining import Checker, Evidence, Moved, SharedFact, Telling
from genrec.explaining.checker import PREDICATES
from genrec.explaining.words import fitting, situation
from tests.explaining.toyfilms import (
    ALIEN,
    ALIENS,
    FACTS,
    FILMS,
    HEAT,
    INSIDER,
    LEGEND,
    RONIN,
    RUNNER,
    TOYS,
    evidence,
    prompts,
)

CHECKERS = {
    language: Checker(prompts(language)["explain"], FACTS, Telling(FILMS, language)) for language in ("en", "zh")
}
ENGLISH = CHECKERS["en"]
DIRECTED = evidence(LEGEND, RUNNER)  # Scott, 1980s
ACTED = evidence(HEAT, RONIN)  # De Niro, Crime
MOVED = evidence(TOYS, RUNNER)  # nothing shared
BOTH = evidence(RUNNER, ALIEN, LEGEND)  # Scott, by both


@pytest.mark.parametrize(
    ("sentence", "about", "problem"),
    [
        ("{item} and {liked_2} share a director: {value_1}.", DIRECTED, "no evidence for the markers liked_2"),
        ("{item} and {liked_1} share a director: {value_3}.", DIRECTED, "unknown markers: value_3"),
        ("{item} and {liked_1 share a director: {value_1}.", DIRECTED, "a broken marker"),
        ("{item} and Thelma share a director: {value_1}.", DIRECTED, "a name outside the markers: Thelma"),
        ("{item} and {liked_1} share a director: Ridley Scott.", DIRECTED, "a name outside the markers: Ridley, Scott"),
        ("Ridley made {item} and {liked_1}: {value_1}.", DIRECTED, "'ridley'"),
        ("{item} won 7 prizes, like {liked_1} by {value_1}.", DIRECTED, "a number outside the markers"),
        ("{item} is a stunning film by {value_1}, like {liked_1}.", DIRECTED, "'stunning'"),
        ("{value_1} plays in {item}, as in {liked_1}.", DIRECTED, "needs a fact of kind cast"),
        ("{value_1} directed {item}, and {liked_1} too.", ACTED, "'directed' needs a fact of kind director"),
        ("{value_1} directed {item}, and {liked_1} too.", MOVED, "no evidence for the markers value_1"),
        ("{item} is directed by {liked_1}, who also directed {value_1}.", DIRECTED, "directed by {liked_1}"),
        ("{item} is like {liked_1} twice: {field_1} {value_2} and {field_2} {value_1}.", ACTED, "in the order"),
        ("{item} is {value_1}, like {liked_1}.", ACTED, "{item} is {value_1}"),
        ("{item} was not directed by {value_1}, like {liked_1}.", DIRECTED, "no phrasing"),
        ("Like {liked_1}, {item} was directed by {value_1}. You chose {liked_1}.", DIRECTED, "in the order"),
        ("Because you chose {liked_1}, here is {item}.", evidence(TOYS, RUNNER, drop=-1.0), "names a cause"),
        ("Your choice of {liked_1} leads to {item}.", evidence(TOYS, RUNNER, drop=-1.0), "nothing is known"),
        ("", DIRECTED, "in the order"),
        ("{item}", DIRECTED, "in the order"),
    ],
)
def test_planted_sentences_are_caught(sentence: str, about: Evidence, problem: str) -> None:
    verdict = ENGLISH.sentence(sentence, about)
    assert not verdict.ok
    assert problem in "; ".join(verdict.problems)


@pytest.mark.parametrize(
    ("text", "about", "history", "problem"),
    [
        ("Cameron directed “Legend”, and “Blade Runner” too.", DIRECTED, [RUNNER], "cameron"),
        ("James Cameron directed “Legend”, and “Blade Runner” too.", DIRECTED, [RUNNER], "Cameron"),
        ("Scott directed “Legend”, and “Titanic” too.", DIRECTED, [RUNNER], "“Titanic” is not in the evidence"),
        ("Scott directed “Legend”, and “Alien” too.", DIRECTED, [RUNNER, ALIEN], "“Alien” is not in the evidence"),
        ("Scott directed “Legend”, and “Blade Runner” too.", DIRECTED, [HEAT], "“Blade Runner” is not in the history"),
        ("Scott directed “Legend”, and {liked_1} too.", DIRECTED, [RUNNER], "an unfilled marker"),
        ("Scott directed “Legend” in 1985, and “Blade Runner” too.", DIRECTED, [RUNNER], "a number outside"),
        ("Scott plays in “Legend”, as in “Blade Runner”.", DIRECTED, [RUNNER], "needs a fact of kind cast"),
        ("Scott directed “Legend”, and Blade Runner too.", DIRECTED, [RUNNER], "Blade, Runner"),
        ("“Legend” is from the 1990s, like “Blade Runner”.", DIRECTED, [RUNNER], "a number outside"),
        ("Recommended because you chose “Alien”.", MOVED, [RUNNER], "“Alien” is not in the evidence"),
    ],
)
def test_planted_statements_are_caught(text: str, about: Evidence, history: list[int], problem: str) -> None:
    verdict = ENGLISH.statement(text, about, history)
    assert not verdict.ok
    assert problem in "; ".join(verdict.problems)


@pytest.mark.parametrize("language", CHECKERS)
def test_forged_evidence_is_caught(language: str) -> None:
    checker = CHECKERS[language]
    history = [RUNNER, ALIENS]
    wrong_value = Evidence(LEGEND, (Moved(RUNNER, 1.0),), (SharedFact("director", "Cameron", (RUNNER,)),))
    wrong_claim = Evidence(ALIEN, (Moved(RUNNER, 1.0),), (SharedFact("cast", "Weaver", (RUNNER,)),))
    not_evidence = Evidence(ALIEN, (Moved(RUNNER, 1.0),), (SharedFact("cast", "Weaver", (ALIENS,)),))
    not_moved = Evidence(LEGEND, (Moved(RUNNER, 0.0),), ())
    for forged in (wrong_value, wrong_claim, not_evidence):
        assert not checker.statement(checker.telling.plain(forged), forged, history).ok
        for sentence in fitting(checker.prompt, *situation(forged.told)):
            assert not checker.statement(checker.telling.fill(sentence, forged), forged, history).ok
    for sentence in fitting(checker.prompt, *situation(not_moved.told)):
        assert not checker.statement(checker.telling.fill(sentence, not_moved), not_moved, history).ok


def test_chinese_falsehoods_are_caught() -> None:
    checker = CHECKERS["zh"]
    for sentence, problem in (
        ("{item}和{liked_1}都有{value_1}出演。", "needs a fact of kind cast"),
        ("{item}和{liked_1}都由斯科特执导。", "'斯'"),
        ("{item}和{liked_1}都不由{value_1}执导。", "都 不 由"),
        ("{item}和{liked_2}都由{value_1}执导。", "no evidence for the markers liked_2"),
    ):
        assert problem in "; ".join(checker.sentence(sentence, DIRECTED).problems)
    assert not checker.statement("“Legend”和“Blade Runner”都由Cameron执导。", DIRECTED, [RUNNER]).ok
    assert checker.statement("“Legend”和“Blade Runner”都由Scott执导。", DIRECTED, [RUNNER]).ok


def test_a_mixture_of_phrasings_may_stand_if_it_keeps_their_grammar() -> None:
    known = fitting(ENGLISH.prompt, *situation(DIRECTED.told))
    fresh = "Also directed by {value_1}, who made {liked_1}: {item}."
    assert fresh not in known
    assert ENGLISH.sentence(fresh, DIRECTED).ok
    text = ENGLISH.telling.fill(fresh, DIRECTED)
    assert text == "Also directed by Scott, who made “Blade Runner”: “Legend”."
    assert ENGLISH.statement(text, DIRECTED, [RUNNER]).problems == ()
    assert not ENGLISH.statement(text.replace("Scott", "Mann"), DIRECTED, [RUNNER]).ok
    for broken in ("The director of {liked_1} and of {item} was taken by {value_1}.", "{value_1}{liked_1}{item}"):
        assert not ENGLISH.sentence(broken, DIRECTED).ok
    assert not ENGLISH.sentence("{liked_1} {item}", MOVED).ok


@pytest.mark.parametrize("language", CHECKERS)
def test_every_phrasing_passes_for_its_own_evidence(language: str) -> None:
    """And with the words of its kind: PREDICATES forbids none of them."""
    checker = CHECKERS[language]
    for about in (DIRECTED, ACTED, MOVED, BOTH, evidence(HEAT, INSIDER), evidence(ALIEN, RUNNER, ALIENS)):
        history = [one.item for one in about.interactions]
        for sentence in fitting(checker.prompt, *situation(about.told)):
            assert checker.sentence(sentence, about).problems == ()
            assert checker.statement(checker.telling.fill(sentence, about), about, history).problems == ()


@pytest.mark.parametrize("language", CHECKERS)
def test_predicate_words_belong_to_one_kind(language: str) -> None:
    for group in CHECKERS[language].prompt.phrasings:
        for other, words in PREDICATES.items():
            for text in group.texts if group.kind != other else ():
                assert not re.search(words, text, re.IGNORECASE), (text, other)


@pytest.mark.parametrize("language", CHECKERS)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True), st.sampled_from([-1.0, 0.0, 2.0]))
def test_the_plain_sentence_always_passes(language: str, items: list[int], drop: float) -> None:
    checker, about = CHECKERS[language], evidence(items[0], *items[1:], drop=drop)
    text = checker.telling.plain(about)
    assert checker.statement(text, about, items[1:]).problems == ()
    assert "{" not in text
