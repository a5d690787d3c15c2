"""The checker: planted falsehoods are caught before and after filling; what is true passes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.chatting.rules import Rule
from genrec.explaining import Checker, Evidence, Moved, SharedFact, Telling
from genrec.explaining.checker import tolds
from genrec.explaining.evidence import Contrast, Rerun
from genrec.explaining.saying import sentences, situation
from genrec.prompting import Part
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
SCOTT = SharedFact("director", "Scott", (RUNNER,))
WHOLE = replace(
    DIRECTED,
    rules=(Rule(field="year", op=">=", value=1980),),
    contrast=Contrast(HEAT, RUNNER, 1.0, -0.5, SCOTT),
    rerun=Rerun((RUNNER,), present=False),
)


def said(checker: Checker, part: Part, about: Evidence) -> Iterator[str]:
    for told in tolds(part, about):
        yield from (checker.telling.fill(one, told) for one in sentences(checker.prompt, situation(part, told)))


@pytest.mark.parametrize(
    ("sentence", "about", "problem"),
    [
        ("{item} and {liked_2} share a director: {value_1}.", DIRECTED, "no evidence for the markers liked_2"),
        ("{item} and {liked_1} share a director: {value_3}.", DIRECTED, "no evidence for the markers value_3"),
        ("{item} and {liked_1} share a director: Ridley Scott.", DIRECTED, "no phrasing"),
        ("{value_1} plays in {item}, as in {liked_1}.", DIRECTED, "no phrasing"),
        ("{value_1} directed {item}, and {liked_1} too.", ACTED, "no phrasing"),
        ("{value_1} directed {item}, and {liked_1} too.", MOVED, "no evidence for the markers value_1"),
        ("{item} is directed by {liked_1}, who also directed {value_1}.", DIRECTED, "no phrasing"),
        ("{item} was not directed by {value_1}, like {liked_1}.", DIRECTED, "no phrasing"),
        ("Because you chose {liked_1}, here is {item}.", evidence(TOYS, RUNNER, drop=-1.0), "no phrasing"),
        ("", DIRECTED, "no phrasing"),
        ("{item}", DIRECTED, "no phrasing"),
    ],
)
def test_planted_sentences_are_caught(sentence: str, about: Evidence, problem: str) -> None:
    verdict = ENGLISH.sentence(sentence, "reason", about.told)
    assert not verdict.ok
    assert problem in "; ".join(verdict.problems)


@pytest.mark.parametrize(
    ("text", "about", "history", "problem"),
    [
        ("Cameron directed “Legend”, and “Blade Runner” too.", DIRECTED, [RUNNER], "no phrasing"),
        ("James Cameron directed “Legend”, and “Blade Runner” too.", DIRECTED, [RUNNER], "no phrasing"),
        ("Scott directed “Legend”, and “Titanic” too.", DIRECTED, [RUNNER], "“Titanic” is not in the evidence"),
        ("Scott directed “Legend”, and “Alien” too.", DIRECTED, [RUNNER, ALIEN], "“Alien” is not in the evidence"),
        ("Scott directed “Legend”, and “Blade Runner” too.", DIRECTED, [HEAT], "“Blade Runner” is not in the history"),
        ("Scott directed “Legend”, and {liked_1} too.", DIRECTED, [RUNNER], "an unfilled marker"),
        ("Scott directed “Legend” in 1985, and “Blade Runner” too.", DIRECTED, [RUNNER], "no phrasing"),
        ("Scott plays in “Legend”, as in “Blade Runner”.", DIRECTED, [RUNNER], "no phrasing"),
        ("Scott directed “Legend”, and Blade Runner too.", DIRECTED, [RUNNER], "no phrasing"),
        ("“Legend” is from the 1990s, like “Blade Runner”.", DIRECTED, [RUNNER], "no phrasing"),
        ("Recommended because you chose “Alien”.", MOVED, [RUNNER], "“Alien” is not in the evidence"),
    ],
)
def test_planted_statements_are_caught(text: str, about: Evidence, history: list[int], problem: str) -> None:
    verdict = ENGLISH.statement(text, about, history)
    assert not verdict.ok
    assert problem in "; ".join(verdict.problems)


@pytest.mark.parametrize(
    ("text", "part", "about", "problem"),
    [
        (
            "Without “Blade Runner” in your history, “Legend” would not be here.",
            "counterfactual",
            DIRECTED,
            "no evidence",
        ),
        (
            "Without “Blade Runner” in your history, “Legend” would not be here.",
            "counterfactual",
            replace(WHOLE, rerun=Rerun((RUNNER,), present=True)),
            "no evidence",
        ),
        (
            "Without “Blade Runner” in your history, “Legend” would not be here.",
            "counterfactual",
            replace(
                WHOLE, interactions=(Moved(RUNNER, 1), Moved(ALIEN, 1)), rerun=Rerun((RUNNER, ALIEN), present=False)
            ),
            "no phrasing",
        ),
        ("Without “Alien” in your history, “Legend” would not be here.", "counterfactual", WHOLE, "“Alien” is not"),
        ("“Legend” rather than “Ronin”, because your “Blade Runner” favours it.", "contrast", WHOLE, "“Ronin” is not"),
        (
            "It stands before “Heat” because “Blade Runner” speaks more for “Legend”.",
            "contrast",
            replace(WHOLE, contrast=Contrast(HEAT, RUNNER, 1.0, 0.5, None)),
            "no evidence",
        ),
        ("It meets your wish: the year is at least 1990.", "rule", WHOLE, "no phrasing"),
        (
            "It meets your wish: the year is at least 1990.",
            "rule",
            replace(WHOLE, rules=(Rule(field="year", op=">=", value=1990),)),
            "does not say",
        ),
        ("Without “Blade Runner” in your history, “Legend” would not be here.", "reason", WHOLE, "no phrasing"),
    ],
)
def test_planted_comparisons_runs_and_rules_are_caught(text: str, part: Part, about: Evidence, problem: str) -> None:
    verdict = ENGLISH.statement(text, about, [RUNNER, ALIEN], part)
    assert not verdict.ok
    assert problem in "; ".join(verdict.problems)


def test_a_contrast_with_a_film_that_has_the_fact_is_caught() -> None:
    forged = replace(WHOLE, contrast=Contrast(ALIEN, RUNNER, 1.0, -0.5, SCOTT))
    found = [ENGLISH.statement(text, forged, [RUNNER], "contrast") for text in said(ENGLISH, "contrast", forged)]
    assert found
    assert all("the director 'Scott', too" in "; ".join(one.problems) for one in found)


@pytest.mark.parametrize("language", CHECKERS)
def test_forged_evidence_is_caught(language: str) -> None:
    checker = CHECKERS[language]
    history = [RUNNER, ALIENS]
    wrong_value = Evidence(LEGEND, (Moved(RUNNER, 1.0),), (SharedFact("director", "Cameron", (RUNNER,)),))
    wrong_claim = Evidence(ALIEN, (Moved(RUNNER, 1.0),), (SharedFact("cast", "Weaver", (RUNNER,)),))
    not_evidence = Evidence(ALIEN, (Moved(RUNNER, 1.0),), (SharedFact("cast", "Weaver", (ALIENS,)),))
    for forged in (wrong_value, wrong_claim, not_evidence):
        plain = checker.telling.fill(checker.telling.plain("reason", forged.told), forged.told)
        assert not checker.statement(plain, forged, history).ok
        for text in said(checker, "reason", forged):
            assert not checker.statement(text, forged, history).ok
    not_moved = Evidence(LEGEND, (Moved(RUNNER, 0.0),), ())
    for text in said(checker, "reason", replace(not_moved, interactions=(Moved(RUNNER, 1.0),))):
        assert not checker.statement(text, not_moved, history).ok


def test_chinese_falsehoods_are_caught() -> None:
    checker = CHECKERS["zh"]
    for text in (
        "“Legend”和“Blade Runner”都有Scott出演。",
        "“Legend”和“Blade Runner”都由斯科特执导。",
        "“Legend”和“Blade Runner”都不由Scott执导。",
        "“Legend”和“Alien”都由Scott执导。",
        "“Legend”和“Blade Runner”都由Cameron执导。",
    ):
        assert not checker.statement(text, DIRECTED, [RUNNER]).ok
    assert checker.statement("“Legend”和“Blade Runner”都由Scott执导。", DIRECTED, [RUNNER]).ok


@pytest.mark.parametrize("language", CHECKERS)
def test_every_phrasing_passes_for_its_own_evidence(language: str) -> None:
    checker = CHECKERS[language]
    for about in (DIRECTED, ACTED, MOVED, BOTH, evidence(HEAT, INSIDER), evidence(ALIEN, RUNNER, ALIENS)):
        history = [one.item for one in about.interactions]
        for part in ("reason", "short"):
            for text in [*said(checker, part, about)][::3]:
                assert checker.statement(text, about, history, part).problems == ()


@pytest.mark.parametrize("language", CHECKERS)
@pytest.mark.parametrize("part", ["rule", "contrast", "counterfactual"])
def test_every_other_statement_passes_for_its_own_evidence(language: str, part: Part) -> None:
    checker = CHECKERS[language]
    texts = [*said(checker, part, WHOLE)]
    assert texts
    for text in texts:
        assert checker.statement(text, WHOLE, [RUNNER], part).problems == ()
        assert not checker.statement(text, DIRECTED, [RUNNER], part).ok


@pytest.mark.parametrize("language", CHECKERS)
@pytest.mark.parametrize("part", ["reason", "short", "rule", "contrast", "counterfactual"])
def test_the_plain_sentence_of_each_part_passes(language: str, part: Part) -> None:
    checker = CHECKERS[language]
    (told,) = tolds(part, WHOLE)
    text = checker.telling.fill(checker.telling.plain(part, told), told)
    assert checker.statement(text, WHOLE, [RUNNER], part).problems == ()


@pytest.mark.parametrize("language", CHECKERS)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True), st.sampled_from([-1.0, 0.0, 2.0]))
def test_the_plain_sentence_always_passes(language: str, items: list[int], drop: float) -> None:
    checker, about = CHECKERS[language], evidence(items[0], *items[1:], drop=drop)
    text = checker.telling.fill(checker.telling.plain("reason", about.told), about.told)
    assert checker.statement(text, about, items[1:]).problems == ()
    assert "{" not in text
