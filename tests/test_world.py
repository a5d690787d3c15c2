"""The bundled films and the simulator: facts that hold, and a truth that the log follows."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from genrec.errors import ConfigError, DataError
from genrec.interactions import KINDS as INTERACTION_KINDS
from genrec.world import World, WorldConfig, load_films, simulate
from genrec.world.calendar import DAY, EVENING_FILMS, draw_calendar, draw_lengths
from genrec.world.interest import KINDS, draw_interest
from genrec.world.taste import TasteSpace, load_themes

GENRES = """
Action, Adventure, Animation, Comedy, Crime, Documentary, Drama, Family, Fantasy, History, Horror, Music, Mystery,
Romance, Science Fiction, Thriller, War, Western
"""
KEYWORDS = """
addiction, advertising, affair, alien, alien invasion, amnesia, ancient world, animals, anthology, arctic,
artificial intelligence, assassin, astronaut, baseball, based on novel, basketball, betrayal, big business,
biography, black and white, body horror, body swap, bounty hunter, boxing, buddy comedy, car chase, chess,
christmas, civil war, class divide, clones, cold war, college, colonialism, coming of age, con artist, conspiracy,
corruption, courtroom, cowboy, cult, dance, dark humor, desert, detective, dinosaur, disability, disaster, divorce,
dog, double life, dragon, dream, drugs, dystopia, ecology, escape, espionage, expedition, experiment, fairy tale,
faith, family bonds, farm, father and son, filmmaking, first love, fish out of water, folklore, food and cooking,
football, friendship, frontier, gambling, gangster, ghost, giant monster, grief, gunfight, hacker, haunted house,
heist, high school, hitman, holiday, hollywood, holocaust, home invasion, hong kong streets, horse, hotel, identity,
illness, immigration, internet, island, jealousy, journalism, jungle, kidnapping, kung fu, lgbt, london, loneliness,
long-distance love, los angeles, love triangle, mad scientist, mafia, magic, marriage, martial arts, medieval,
memory loss, mental illness, midlife crisis, missing person, mistaken identity, mockumentary, monster, moral
dilemma, mother and daughter, mountain, music band, musical numbers, mythology, nature, new york, nonlinear story,
nuclear threat, nun or priest, obsession, ocean, old age, one location, one night, orphan, outlaw, painting,
pandemic, paris, parody, piano, pirate, poetry, police, politics, possession, post-apocalypse, poverty, power
struggle, prison, quest, racing, racism, redemption, religion, renaissance, resistance, revenge, revolution, road
movie, road trip, robot, rome, royalty, sacrifice, samurai, satire, screwball, serial killer, shipwreck, siblings,
silent film, singer, slapstick, slasher, slavery, slow burn, small town, space travel, sport underdog, spy, stalker,
submarine, superhero, surreal, survival, swordplay, talking animals, teacher, technology, television, terrorism,
theater, time loop, time travel, tokyo, toys, train, treasure, triad, true story, twist ending, undercover,
unrequited love, vampire, victorian era, video games, vietnam war, virtual reality, wall street, war front, wedding,
whodunit, witch, workers, world war one, world war two, writer, yakuza, zombie
"""
COUNTRIES = """
Argentina, Australia, Austria, Belgium, Brazil, Canada, Chile, China, Colombia, Czechoslovakia, Denmark, Finland,
France, Georgia, Germany, Greece, Hong Kong, Hungary, India, Indonesia, Iran, Ireland, Israel, Italy, Japan,
Lebanon, Mexico, Netherlands, New Zealand, Norway, Poland, Romania, Russia, Senegal, South Africa, South Korea,
Soviet Union, Spain, Sweden, Switzerland, Taiwan, Thailand, Turkey, United Kingdom, United States, Vietnam
"""

SMALL = WorldConfig(users=240, seed=3)


def words(text: str) -> set[str]:
    return set(text.replace("\n", " ").strip().replace(",  ", ", ").split(", "))


@cache
def small() -> World:
    return simulate(load_films(), SMALL)


def digest(world: World) -> str:
    text = world.interactions.table.write_csv() + world.labels.write_ndjson()
    return hashlib.sha256(text.encode()).hexdigest()


# films


def test_films_are_many_and_stand_once() -> None:
    table = load_films().table
    assert table.height >= 600
    assert not table.select("title", "year").is_duplicated().any()
    assert table.select("year", "title").equals(table.select("year", "title").sort("year", "title"))
    assert table["item_id"].to_list() == [f"f{number:04d}" for number in range(1, table.height + 1)]


@pytest.mark.parametrize(("column", "text"), [("genres", GENRES), ("keywords", KEYWORDS), ("country", COUNTRIES)])
def test_films_keep_to_the_vocabularies(column: str, text: str) -> None:
    table = load_films().table
    values = table[column].explode() if column != "country" else table[column]
    assert set(values.to_list()) <= words(text)


def test_films_have_all_facts() -> None:
    table = load_films().table
    assert table.null_count().sum_horizontal().item() == 0
    assert table["year"].is_between(1895, 2026).all()
    assert table["runtime"].is_between(40, 460).all()
    for column, least, most in (("cast", 2, 3), ("genres", 1, 3), ("keywords", 3, 5)):
        assert table[column].list.len().is_between(least, most).all()
        assert (table[column].list.len() == table[column].list.n_unique()).all()


def test_descriptions_are_one_sentence() -> None:
    for text in load_films().table["description"]:
        assert 10 <= len(text.split()) <= 30, text
        assert text.endswith("."), text
        assert not re.search(r"(?<!\bDr)(?<!\bMr)(?<!\bSt)(?<!\bMrs)[.!?]\s+[A-Z]", text), text


def test_themes_name_facts_that_exist() -> None:
    table = load_films().table
    known = words(GENRES) | words(KEYWORDS) | words(COUNTRIES) | set(table["director"])
    facts = {fact for theme in load_themes().values() for fact in theme}
    assert {fact for fact in facts if not re.fullmatch(r"\d{4}s", fact)} <= known


def test_taste_follows_the_facts() -> None:
    films = load_films()
    space = TasteSpace.of(films)
    best = films.titles[space.follow[films.find("Before Sunrise")].argmax()]
    assert best == "Before Sunset"
    western = space.affinity[:, space.themes.index("the open range")]
    assert western[films.find("The Good, the Bad and the Ugly")] == 1.0
    assert western[films.find("When Harry Met Sally...")] < 0.1
    assert (space.follow.diagonal() == 0).all()


# the log


def test_same_seed_same_bytes_whatever_the_hash_seed() -> None:
    films, config = load_films(), WorldConfig(users=40, seed=5)
    code = (
        "import hashlib; from genrec.world import *; w = simulate(load_films(), WorldConfig(users=40, seed=5));"
        "t = w.interactions.table.write_csv() + w.labels.write_ndjson();"
        "print(hashlib.sha256(t.encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest(simulate(films, config)) == digest(simulate(films, config))


def test_another_seed_another_world() -> None:
    films = load_films()
    assert digest(simulate(films, WorldConfig(users=40, seed=1))) != digest(simulate(films, WorldConfig(users=40)))


def test_users_counts_and_period() -> None:
    table = small().interactions.table
    counts = table.group_by("user_id").len()["len"].to_numpy()
    assert len(counts) == SMALL.users
    assert counts.min() >= SMALL.min_events
    assert counts.max() <= SMALL.max_events
    assert 30 <= counts.mean() <= 50
    assert counts.max() > 3 * np.median(counts)
    times = table["timestamp"].to_numpy()
    assert times.min() >= SMALL.begin
    assert times.max() < SMALL.begin + (SMALL.days + 1) * DAY
    assert times.max() - times.min() > 0.95 * SMALL.days * DAY


def test_events_fit_the_interactions_table() -> None:
    table = small().interactions.table
    assert set(table["kind"]) <= set(INTERACTION_KINDS)
    shares = dict(table["kind"].value_counts(normalize=True).iter_rows())
    assert shares["view"] > shares["like"] > shares["dislike"] > 0
    assert set(table["item_id"]) <= set(small().catalog.item_ids)


def test_a_film_is_hardly_ever_seen_twice() -> None:
    pairs = small().interactions.table.select("user_id", "item_id")
    assert pairs.is_duplicated().to_numpy().mean() < 2 * SMALL.rewatch
    never = simulate(load_films(), WorldConfig(users=60, rewatch=0.0)).interactions.table
    assert not never.select("user_id", "item_id").is_duplicated().any()


def test_popularity_is_skewed_and_moves() -> None:
    table = small().interactions.table
    counts = table["item_id"].value_counts()["count"].sort(descending=True)
    assert counts.head(len(counts) // 10).sum() > 0.2 * table.height
    half = SMALL.begin + SMALL.days * DAY // 2
    parts = [table.filter(part) for part in (pl.col("timestamp") < half, pl.col("timestamp") >= half)]
    tops = [set(part["item_id"].value_counts().sort("count", "item_id")["item_id"].tail(30)) for part in parts]
    assert 3 <= len(tops[0] & tops[1]) <= 27


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), mean=st.floats(8, 100), months=st.integers(6, 24))
def test_evenings_rise_and_stay_in_the_period(seed: int, mean: float, months: int) -> None:
    rng, days = np.random.default_rng(seed), months * 30
    lengths = draw_lengths(30, mean, 8, int(0.8 * days), rng)
    calendar = draw_calendar(lengths, 0, days, rng)
    same = np.diff(calendar.users) == 0
    assert (np.diff(calendar.times)[same] >= 95 * 60).all()
    assert (np.bincount(calendar.users) == lengths).all()
    assert calendar.times.min() >= 0
    assert calendar.times.max() < (days + 1) * DAY
    assert np.diff(np.append(np.flatnonzero(calendar.opens), len(calendar.times))).max() <= EVENING_FILMS


# the truth


def test_labels_stay_out_of_what_models_see() -> None:
    world = small()
    assert world.interactions.table.columns == ["user_id", "item_id", "timestamp", "kind"]
    assert world.catalog.table.equals(load_films().table)
    assert world.labels.columns == ["user_id", "kind", "change_points", "segments"]
    assert not set(world.interactions.table["kind"]) & set(KINDS)


def test_kinds_have_their_shares() -> None:
    counts = dict(small().labels["kind"].value_counts().iter_rows())
    assert counts == {"stable": 96, "abrupt": 60, "gradual": 48, "recurring": 36}


def test_labels_cover_each_users_span_without_gap() -> None:
    world = small()
    spans = world.interactions.table.group_by("user_id").agg(
        first=pl.col("timestamp").min(), last=pl.col("timestamp").max()
    )
    for row in world.labels.join(spans, on="user_id", validate="1:1").iter_rows(named=True):
        parts, changes = row["segments"], row["change_points"]
        assert parts[0]["start"] == row["first"]
        assert parts[-1]["end"] == row["last"] + 1
        assert all(one["end"] == two["start"] for one, two in pairwise(parts))
        assert all(one["start"] < one["end"] for one in parts)
        assert all(row["first"] < change <= row["last"] for change in changes)
        assert set(changes) <= {one["start"] for one in parts[1:]}
        assert all(sum(one["weights"]) == pytest.approx(1.0) for one in parts)
        assert all(set(one["themes"]) <= set(load_themes()) for one in parts)


def test_each_kind_has_its_shape() -> None:
    for row in small().labels.iter_rows(named=True):
        themes = [set(one["themes"]) for one in row["segments"]]
        changes = len(row["change_points"])
        if row["kind"] == "stable":
            assert (len(themes), changes) == (1, 0)
        elif row["kind"] == "abrupt":
            assert (len(themes), changes) == (2, 1)
            assert not themes[0] & themes[1]
        elif row["kind"] == "gradual":
            assert (len(themes), changes) == (6, 2)
            assert themes[2] == themes[0] | themes[-1]
        else:
            assert changes == len(themes) - 1 >= 2
            assert all(one == two for one, two in zip(themes[:-2], themes[2:], strict=True))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), kind=st.sampled_from(KINDS), length=st.integers(8, 60))
def test_interests_are_well_formed(seed: int, kind: str, length: int) -> None:
    rng = np.random.default_rng(seed)
    times = rng.integers(95 * 60, 40 * DAY, length).cumsum()
    one = draw_interest(kind, times, np.eye(10), rng)
    assert (np.diff(one.bounds) > 0).all()
    assert one.weights.shape == (len(one.bounds) - 1, 10)
    assert one.weights.sum(axis=1) == pytest.approx(1.0)
    assert all(times[0] < change <= times[-1] for change in one.changes)


def shifts(world: World, kind: str) -> np.ndarray:
    """Per user of a kind: how much better the first themes fit the films before the change than those after it.

    A stable user's "change" is the middle of the history.
    """
    space = TasteSpace.of(world.catalog)
    histories = world.interactions.histories(world.catalog.item_ids)
    rows = {row["user_id"]: row for row in world.labels.iter_rows(named=True)}
    found = []
    for number, user in enumerate(histories.users):
        row, films = rows[user], histories.items[number]
        if row["kind"] == kind:
            start, end = histories.items.offsets[number : number + 2]
            times = histories.times[start:end]
            before = times < (row["change_points"] or [times[len(times) // 2]])[0]
            theme = row["segments"][0]
            weighed = dict(zip(theme["themes"], theme["weights"], strict=True))
            weights = np.array([weighed.get(name, 0.0) for name in space.themes])
            fit = space.affinity[films] @ weights
            found.append(fit[before].mean() - fit[~before].mean())
    return np.array(found)


def test_the_log_shifts_where_the_labels_say() -> None:
    abrupt, stable = shifts(small(), "abrupt"), shifts(small(), "stable")
    assert np.mean(abrupt) > 0.25
    assert np.mean(abrupt > 0) > 0.9
    assert abs(np.mean(stable)) < 0.1


def test_order_matters() -> None:
    """The film just before says more of the next than one ten places back."""
    world = small()
    follow = TasteSpace.of(world.catalog).follow
    histories = world.interactions.histories(world.catalog.item_ids)
    items, user = histories.items.items, histories.items.rows
    near, far = ((follow[items[:-gap], items[gap:]])[user[:-gap] == user[gap:]].mean() for gap in (1, 10))
    assert near > 1.5 * far


# errors


def test_films_without_facts_are_refused() -> None:
    films = load_films()
    bare = type(films)(films.table.drop("keywords"))
    with pytest.raises(DataError, match="keywords"):
        simulate(bare, SMALL)


def test_too_few_films_are_refused() -> None:
    with pytest.raises(ConfigError, match="min_events up to 5"):
        simulate(load_films().select(range(10)), SMALL)


@pytest.mark.parametrize(
    "wrong", [{"shares": (0.5, 0.5, 0.5, 0.0)}, {"follow": 0.7, "explore": 0.6}, {"events_per_user": 4}, {"user": 5}]
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WorldConfig.model_validate(wrong)


def test_a_small_catalog_makes_a_small_world() -> None:
    world = simulate(load_films().select(range(100, 160)), WorldConfig(users=20, events_per_user=12))
    assert world.interactions.table.group_by("user_id").len()["len"].to_numpy().max() <= 30


def test_another_crowd_watches_the_same_films() -> None:
    """Popularity stays, viewers are others; crowd 0 is the world that it always was."""
    other = simulate(load_films(), SMALL.model_copy(update={"crowd": 1}))
    assert digest(other) != digest(small()) == digest(simulate(load_films(), SMALL.model_copy(update={"crowd": 0})))
    counts = [one.interactions.table["item_id"].value_counts().sort("item_id") for one in (small(), other)]
    both = counts[0].join(counts[1], on="item_id")
    assert np.corrcoef(both["count"].to_numpy(), both["count_right"].to_numpy())[0, 1] > 0.5
