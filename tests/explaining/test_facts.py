"""Shared facts: what counts as one, in which order, and that none is made up."""

from itertools import permutations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from genrec.catalog import Catalog
from genrec.explaining import Facts, SharedFact
from genrec.world import load_films
from tests.explaining.toyfilms import ALIEN, ALIENS, FACTS, FILMS, HEAT, INSIDER, LEGEND, RONIN, RUNNER, TOYS


def catalog(**columns: object) -> Catalog:
    length = len(next(iter(columns.values())))  # type: ignore[call-overload]
    names = [f"i{number}" for number in range(length)]
    return Catalog.from_table(pl.DataFrame({"item_id": names, "title": names, **columns}))


def test_rare_facts_come_first_and_one_for_each_field() -> None:
    assert FACTS.shared(ALIEN, [RUNNER, ALIENS]) == (
        SharedFact("cast", "Weaver", (ALIENS,)),  # two films
        SharedFact("director", "Scott", (RUNNER,)),  # three films; its column stands before genres
        SharedFact("genres", "Space", (RUNNER, ALIENS)),
    )
    assert [fact.value for fact in FACTS.shared(HEAT, [RONIN])] == ["De Niro", "Crime", "1990s"]


def test_nothing_shared_is_nothing() -> None:
    assert FACTS.shared(TOYS, [ALIEN, RUNNER]) == ()
    assert FACTS.shared(TOYS, []) == ()


def test_what_half_of_the_catalog_has_is_true_but_not_told() -> None:
    assert FACTS.holds(HEAT, "country", "United States")
    assert not any(fact.field == "country" for fact in FACTS.shared(HEAT, [RONIN, INSIDER, TOYS]))


def test_prose_and_measurements_are_no_facts() -> None:
    assert set(FACTS.fields) == {"decade", "director", "cast", "genres", "country"}


def test_years_become_decades() -> None:
    assert FACTS.holds(HEAT, "decade", "1990s")
    assert not FACTS.holds(ALIEN, "decade", "1970s")  # true, but no other film shares it


def test_nearness_is_higher_for_rarer_facts() -> None:
    cast, director, nothing = FACTS.nearness(ALIEN, [ALIENS, LEGEND, TOYS]).tolist()
    assert cast > director > nothing == 0


def test_a_catalog_of_another_kind() -> None:
    facts = Facts.of(
        catalog(
            attributes=[["OPI", "Nails"], ["OPI", "Nails"], ["Dove"], ["Dove"], ["Nails", "72"], ["72"], [], []],
            players=[2, 2, 4, 4, 4, 1, 1, None],
            price=[1.5, 1.5, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0],
            in_stock=[True, False] * 4,
        ).select(list(range(8)))
    )
    assert set(zip(facts.fields, facts.values, strict=True)) == {
        ("attributes", "OPI"),
        ("attributes", "Nails"),
        ("attributes", "Dove"),
    }  # "72" has no letter, players has three values on seven items


def test_few_whole_numbers_are_categories() -> None:
    facts = Facts.of(catalog(players=[2, 2, 4, 4, 2, 4, 4, 2]))
    assert set(facts.values) == {"2", "4"}


def test_texts_joined_by_commas_come_apart() -> None:
    joined = [", ".join(some) for some in permutations(["Food", "Bars", "Wine", "Cafes"], 3)]
    facts = Facts.of(catalog(categories=joined))
    assert set(facts.values) == {"Food", "Bars", "Wine", "Cafes"}
    assert facts.holds(0, "categories", "Bars")


def test_catalogs_without_facts() -> None:
    assert Facts.of(catalog(empty=[None, None])).shared(0, [1]) == ()
    assert Facts.of(Catalog.from_table(FILMS.table.select("item_id", "title"))).shared(0, [1]) == ()
    assert Facts.of(Catalog.from_table(FILMS.table.clear())).values == []


@given(st.lists(st.integers(0, 600), min_size=3, max_size=3, unique=True))
def test_every_shared_fact_of_the_film_world_stands_in_the_catalog(items: list[int]) -> None:
    item, *others = items
    for fact in FACTS_OF_FILMS.shared(item, others):
        for film in (item, *fact.with_items):
            row = WORLD.row(film)
            values = [f"{row['year'] // 10 * 10}s"] if fact.field == "decade" else row[fact.field]
            assert fact.value == values or fact.value in values


WORLD = load_films()
FACTS_OF_FILMS = Facts.of(WORLD)
