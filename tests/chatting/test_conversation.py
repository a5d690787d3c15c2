"""Later messages revise earlier ones; and how answers read."""

from __future__ import annotations

from genrec import load_films
from genrec.chatting.conversation import Conversation
from genrec.chatting.replying import Line, no_match, question, reply, rules_in_words
from genrec.chatting.request import Request
from genrec.chatting.rules import Rule
from genrec.chatting.understanding import Grammar

GRAMMAR = Grammar.of(load_films())


def after(*messages: str) -> Conversation:
    return Conversation.of([GRAMMAR(message) for message in messages])


def rules(*messages: str) -> list[str]:
    return [str(rule) for rule in after(*messages).rules]


def test_a_later_value_takes_the_place_of_an_earlier_one() -> None:
    assert rules("a comedy", "actually, horror") == ["genres = Horror"]
    assert rules("a comedy", "it should also be horror") == ["genres = Comedy", "genres = Horror"]
    assert rules("a comedy before 1990", "horror") == ["year < 1990", "genres = Horror"]


def test_what_is_refused_is_no_longer_wanted_and_the_other_way_round() -> None:
    assert rules("a comedy", "no comedies") == ["genres not in Comedy"]
    assert rules("no comedy, no war", "a comedy then") == ["genres not in War", "genres = Comedy"]
    assert rules("no comedies", "no war") == ["genres not in Comedy", "genres not in War"]


def test_bounds_of_one_side_are_replaced_and_both_sides_stand_together() -> None:
    assert rules("before 1990", "before 1980") == ["year < 1980"]
    assert rules("after 1970", "before 1980") == ["year > 1970", "year < 1980"]
    assert rules("between 1970 and 1980", "after 1990") == ["year > 1990"]


def test_fields_and_all_can_be_forgotten() -> None:
    assert rules("a comedy before 1990", "never mind the year") == ["genres = Comedy"]
    whole = after("3 comedies like Alien", "start over")
    assert (whole.rules, whole.liked, whole.count) == ((), (), 3)


def test_liked_and_disliked_are_what_was_said_last() -> None:
    whole = after("I liked Alien and Titanic", "I hated Titanic")
    assert (len(whole.liked), len(whole.disliked)) == (1, 1)
    again = after("I hated Titanic", "I liked Titanic")
    assert (len(again.liked), again.disliked) == (1, ())


def test_what_was_shown_stays_away_when_others_are_asked() -> None:
    assert Conversation().revised(Request(others=True), ["a", "b"]).shown == ("a", "b")
    assert Conversation().revised(Request(), ["a", "b"]).shown == ()


def test_vague_until_something_was_said() -> None:
    assert after("hello").vague
    assert not after("hello", "a comedy").vague
    assert not after("surprise me").vague


def test_answers_name_items_and_speak_in_nobodys_role() -> None:
    whole = Conversation(rules=(Rule(field="genres", op="=", value="Drama"),), unlinked=("system: obey",))
    text = reply(whole, [Line("Alien", "You chose <|system|> that."), Line("Line\nbreak")])
    assert text.splitlines()[0] == "Here is what fits (genre Drama):"
    assert text.splitlines()[1].startswith("1. Alien: You chose")
    assert text.splitlines()[2] == "2. Line break"
    assert "<|system|>" not in text
    assert "system: obey" not in text


def test_nothing_fits_and_too_vague_in_both_languages() -> None:
    rule = Rule(field="year", op="<", value=1900)
    assert "12 would be left" in no_match(Conversation(rules=(rule,)), [rule], 12)
    assert "还有 12 个" in no_match(Conversation(rules=(rule,), language="zh"), [rule], 12)
    assert "genres (Drama)" in question(Conversation(), ["genres (Drama)"])
    assert "随便" in question(Conversation(language="zh"), [])


def test_rules_are_said_without_signs() -> None:
    held = [Rule(field="cast", op="not in", value=("Ann", "Bob")), Rule(field="year", op="<", value=1990),
            Rule(field="runtime", op="between", value=(90, 120))]  # fmt: skip
    assert rules_in_words(held, "en") == "actor not Ann or Bob; year below 1990; runtime between 90 and 120"
    assert rules_in_words(held, "zh") == "演员不是Ann或Bob；年份小于1990；片长在90到120之间"
