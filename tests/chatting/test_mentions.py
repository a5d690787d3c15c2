"""What messages about the bundled films mention, and how they look to whoever reads them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec import load_films
from genrec.chatting.mentions import Marked, Mention, Mentions
from genrec.chatting.phrasing import phrasebook
from genrec.chatting.reading import Meaning
from genrec.chatting.request import Request
from genrec.chatting.roles import ROLES, Reading, schema_of
from genrec.decoding.automaton import Automaton
from genrec.resources import folder

CATALOG = load_films()
CUES = phrasebook(folder("prompts"), "en").cues | phrasebook(folder("prompts"), "zh").cues
MENTIONS, MEANING = Mentions.of(CATALOG, CUES), Meaning(CATALOG)
TITLES = dict(zip(CATALOG.item_ids, CATALOG.titles, strict=True))
SLATE = CATALOG.item_ids[:4]


@pytest.mark.parametrize(
    ("message", "marked"),
    [
        ("No horror from before 1990", "no A:value from before B:year"),
        ("forget what I said about Alien", "forget what i said about A:item"),
        ("forget alien films", "forget A:value films"),
        ("Alien films", "A:value films"),
        ("none of these, surprise me", "none of A:shown , surprise me"),
        ("all of those", "A:shown"),
        ("5 comedies from the 90s by Spielberg", "A:number B:value from C:decade by D:value"),
        ("I loved Blade Runner, more like the second", "i loved A:item , more like B:shown"),
        ("something shorter than two hours", "something shorter than A:minutes"),
        ("something shorter, above 8", "something A:lower , above B:number"),
        ("runtime under 100", "A:field under B:amount"),
        ("I liked Interstelar", "i liked A:item"),
        ("I liked “The Blurbing Snark”", "i liked A:phrase “the blurbing snark”"),
        ("something gripping about war", "something A:phrase gripping about B:value"),
        ("推荐5部九十年代的科幻电影", "推荐 A:number 部 B:decade 的 C:value 电影"),
        ("不要恐怖，两小时以内", "不要 A:value ， B:minutes 以内"),
        ("第二部不错，短一点的", "A:shown 不错， B:lower 的"),
        ("under $20", "under A:price"),
        ("an hour and a half at most", "A:minutes at most"),
        ("A:value, no war", "a: A:phrase value , no B:value"),
    ],
)  # fmt: skip
def test_mentions_are_marked(message: str, marked: str) -> None:
    assert MENTIONS.find(message).text == marked


def read(message: str, *roles: str, act: str = "find", also: bool = False) -> Request:
    found = MENTIONS.find(message)
    assert len(found.mentions) == len(roles), found.text
    return MEANING.request(found, Reading(roles, act, also), "en", SLATE)


def rules(request: Request) -> set[str]:
    return {str(rule) for rule in request.rules}


def test_values_become_rules_by_their_roles() -> None:
    assert rules(read("comedy and drama", "want", "want")) == {"genres = Comedy", "genres = Drama"}
    assert rules(read("comedy or drama", "any", "any")) == {"genres in Comedy, Drama"}
    assert rules(read("France and Italy", "want", "want")) == {"country in France, Italy"}
    assert rules(read("no horror, no war", "avoid", "avoid")) == {"genres not in Horror, War"}
    liked = read("I like horror", "like")
    assert (liked.rules, [str(one) for one in liked.liked_traits]) == ((), ["genres = Horror"])


def test_what_takes_back_a_value_takes_back_the_film_of_that_name() -> None:
    taken = read("forget alien", "drop")
    assert [TITLES[item] for item in taken.withdrawn_items] == []  # in lower case it names no film
    taken = read("Alien? forget it", "drop")
    assert [TITLES[item] for item in taken.withdrawn_items] == ["Alien"]
    assert [str(rule) for rule in taken.withdrawn] == ["keywords = alien"]
    assert read("Alien films", "want").liked == ()


@pytest.mark.parametrize(
    ("message", "roles", "wanted"),
    [
        ("before 1990", ["below"], {"year < 1990"}),
        ("not 1990", ["not"], {"year != 1990"}),
        ("between 1970 and 1980", ["least", "most"], {"year between 1970 and 1980"}),
        ("around 1995", ["near"], {"year between 1992 and 1998"}),
        ("about 100 minutes", ["near"], {"runtime between 90 and 110"}),
        ("the 80s", ["is"], {"year between 1980 and 1989"}),
        ("before the 80s", ["below"], {"year < 1980"}),
        ("after the 80s", ["above"], {"year >= 1990"}),
        ("since the 80s", ["least"], {"year >= 1980"}),
        ("the 50s or the 60s", ["is", "is"], {"year between 1950 and 1969"}),
        ("1950 or 1960", ["is", "is"], {"year in 1950, 1960"}),
    ],
)
def test_quantities_become_bounds(message: str, roles: list[str], wanted: set[str]) -> None:
    assert rules(read(message, *roles)) == wanted


def test_places_are_those_of_the_slate_and_comparisons_are_with_it() -> None:
    assert read("more like the second one", "like", act="more").liked == (SLATE[1],)
    assert read("not that one", "dislike").disliked == tuple(SLATE)
    assert read("I saw the last one", "seen").seen == (SLATE[-1],)
    assert read("the ninth one", "like").liked == ()
    minutes = dict(zip(CATALOG.item_ids, CATALOG.table["runtime"].to_list(), strict=True))
    assert rules(read("shorter than the first one", "less", "than")) == {f"runtime < {minutes[SLATE[0]]}"}
    middle = sorted(minutes[item] for item in SLATE)[2]  # of an even number, the upper one: something is left below it
    assert rules(read("shorter", "less")) == {f"runtime < {middle}"}


def test_what_the_catalog_lacks_is_named_whatever_else_is_said() -> None:
    assert read("I liked “The Blurbing Snark”", "name").unlinked == ("The Blurbing Snark",)
    assert read("“The Blurbing Snark”", "none").unlinked == ("The Blurbing Snark",)
    assert read("under $20", "below").unlinked == ("$20",)
    assert read("something gripping", "mood").moods == ("gripping",)
    deaf = Meaning(CATALOG, feels=False)
    assert deaf.request(MENTIONS.find("something gripping"), Reading(("mood",)), "en").unlinked == ("gripping",)
    assert read("I liked Interstelar", "like").taken_as == (("Interstelar", "Interstellar"),)


def test_forgetting_and_acts() -> None:
    assert read("never mind the year", "drop").forget == ("year",)
    assert [str(one) for one in read("forget horror", "drop").withdrawn] == ["genres = Horror"]
    assert read("3 others", "count", act="more").others
    assert read("3 others", "count").count == 3


def test_a_reading_is_json_under_its_schema_and_comes_back() -> None:
    found = MENTIONS.find("no horror before 1990").mentions
    reading = Reading(("avoid", "below"), "more", also=True)
    text, one = reading.json(found), Automaton(schema_of(found))
    end = one.run(0, text.encode())
    assert end is not None
    assert one.accepts(end)
    assert Reading.of_json(text, found) == reading
    assert one.run(0, text.replace("below", "want").encode()) is None  # no role of a year


PIECES = (
    "the second",
    "1990",
    "horror",
    "Alien",
    "“",
    "under",
    "two hours",
    "$5",
    "不要",
    "恐怖",
    "第三部",
    "短一点",
    "zzyzx",
    ":",
)


@settings(max_examples=120)
@given(st.text(max_size=80) | st.lists(st.sampled_from(PIECES), max_size=9).map(" ".join), st.data())
def test_any_text_with_any_roles_is_a_request_of_the_catalog(message: str, data: st.DataObject) -> None:
    found = MENTIONS.find(message)
    ends = [(one.start, one.end) for one in found.mentions]
    assert all(before[1] <= after[0] for before, after in pairwise(ends))
    roles = tuple(data.draw(st.sampled_from(ROLES[one.kind])) for one in found.mentions)
    request = MEANING.request(found, Reading(roles), "en", SLATE)
    assert set(request.liked) | set(request.disliked) | set(request.seen) <= set(TITLES)
    assert MENTIONS.find(message) == found


def test_unmarked_words_are_judged_only_where_phrasings_are_known() -> None:
    bare = Mentions.of(CATALOG)
    assert bare.find("我喜欢恐怖").text == "我喜欢 A:value"
    assert isinstance(bare.find(""), Marked)
    assert bare.find("").mentions == tuple[Mention, ...]()
