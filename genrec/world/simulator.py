"""Seeded viewers of a film catalog: what they watch, and apart from it the truth of what they wanted.

Every event picks its film in one of three ways: by a theme of the viewer's present interest, by its likeness to the
film seen just before, or out of curiosity, by what is popular that week. Popularity is skewed and drifts. Choices are
drawn by an exponential race: the film with the least Exp(1) / weight wins, which is a draw in proportion to weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrec.catalog import Catalog
from genrec.errors import ConfigError
from genrec.interactions import Interactions
from genrec.ragged import Int32, Int64
from genrec.world.calendar import DAY, Calendar, draw_calendar, draw_lengths
from genrec.world.interest import Interest, draw_interest, draw_kinds, labels_table, weights_at
from genrec.world.taste import TasteSpace

Float32 = npt.NDArray[np.float32]
Share = Annotated[float, Field(ge=0, le=1)]

WEEK = 7 * DAY
_POPULARITY = 4  # the part of the draws that crowds share


class WorldConfig(BaseModel):
    """How the viewers of a world behave. The defaults make about 80,000 events in a few seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0)
    "The same seed, films and settings make the same world."
    crowd: int = Field(default=0, ge=0)
    "Another number: other viewers of the same films, whose popularity is that of `seed`."
    users: int = Field(default=2_000, ge=1)
    "Viewers."
    events_per_user: float = Field(default=40.0, gt=0)
    "Events of a viewer on average, about; a few have many more than most."
    min_events: int = Field(default=8, ge=4)
    "No viewer has fewer events."
    max_events: int = Field(default=300, ge=4)
    "No viewer has more, nor more than half as many as there are films."
    start: date = date(2023, 1, 1)
    "The first day, UTC."
    months: int = Field(default=24, ge=6)
    "How long the log runs; viewers join and leave within it."
    shares: tuple[Share, Share, Share, Share] = (0.4, 0.25, 0.2, 0.15)
    "Shares of viewers whose interest is stable, abrupt, gradual, recurring; they sum to 1."
    follow: Share = 0.25
    "Chance that an event picks a film like the one seen just before (director, cast, rare keywords)."
    explore: Share = 0.1
    "Chance that an event picks by popularity alone."
    stay: Share = 0.6
    "Chance that the next film of the same evening stays with the evening's theme."
    rewatch: Share = 0.01
    "Share of events that may pick a film seen before."
    sharpness: float = Field(default=8.0, ge=0)
    "How strongly a theme draws to its films: a film fully in it weighs exp(sharpness) against one outside."
    nearness: float = Field(default=8.0, ge=0)
    "The same for the likeness to the film seen before."
    skew: float = Field(default=0.5, ge=0)
    "Zipf exponent of popularity."
    trends: float = Field(default=0.4, ge=0)
    "How much popularity moves: slow rises and falls, and moments such as a re-release. 0: constant."

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError("shares must sum to 1")
        if self.follow + self.explore > 1:
            raise ValueError("follow and explore together must not exceed 1")
        if not self.min_events <= self.events_per_user <= self.max_events:
            raise ValueError("events_per_user must lie between min_events and max_events")
        return self

    @property
    def days(self) -> int:
        return round(self.months * 365.25 / 12)

    @property
    def begin(self) -> int:
        """UTC seconds of the first day."""
        return int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class World:
    """A catalog, what its viewers did, and the truth behind it, which no model may see.

    labels: user_id, kind (stable, abrupt, gradual, recurring), change_points (UTC seconds; for gradual the begin and
    the end of the move), segments: list of {start, end, themes, weights}, from the first event to after the last.
    """

    catalog: Catalog
    interactions: Interactions
    labels: pl.DataFrame


def simulate(films: Catalog, config: WorldConfig | None = None) -> World:
    """A world from films with the facts of the bundled ones (DataError) and at least 2 * min_events of them."""
    config = config or WorldConfig()
    most = min(config.max_events, len(films) // 2, int(0.8 * config.days))
    if most < config.min_events:
        raise ConfigError(
            "too few films or months for the events of a viewer",
            value=config.min_events,
            allowed=f"min_events up to {most}",
            remedy="lower min_events, or bring more films or months",
        )
    space = TasteSpace.of(films)
    draw = [np.random.default_rng(_seeds(config, part)) for part in range(7)]
    lengths = draw_lengths(config.users, config.events_per_user, config.min_events, most, draw[0])
    calendar = draw_calendar(lengths, config.begin, config.days, draw[1])
    interests = _interests(config, calendar, space, draw[2])
    themes = _themes(config, calendar, interests, draw[3])
    popularity = _popularity(config, len(films), draw[_POPULARITY])
    items, ways = _watch(config, calendar, themes, space, popularity, draw[5])
    kinds = _kinds(space.affinity[items, themes], ways, draw[6])
    return _world(films, calendar, items, kinds, interests, space.themes)


def _seeds(config: WorldConfig, part: int) -> list[int]:
    """Popularity is the films' and stays; all else is the crowd's."""
    return [config.seed, part] if config.crowd == 0 or part == _POPULARITY else [config.seed, part, config.crowd]


def _interests(config: WorldConfig, calendar: Calendar, space: TasteSpace, rng: np.random.Generator) -> list[Interest]:
    kinds = draw_kinds(config.users, config.shares, rng)
    times = np.split(calendar.times, calendar.offsets[1:-1])
    return [draw_interest(kind, own, space.kinship, rng) for kind, own in zip(kinds, times, strict=True)]


def _themes(config: WorldConfig, calendar: Calendar, interests: list[Interest], rng: np.random.Generator) -> Int64:
    """The theme on the viewer's mind at every event, int64 [events]."""
    segment, weights = weights_at(interests, calendar)
    chances = weights.cumsum(axis=1)
    themes = (rng.random(len(segment))[:, None] * chances[segment, -1:] >= chances[segment]).sum(axis=1)
    fresh = calendar.opens | (np.diff(segment, prepend=-1) != 0) | (rng.random(len(segment)) >= config.stay)
    return np.asarray(themes[np.maximum.accumulate(np.where(fresh, np.arange(len(segment)), 0))])


def _popularity(config: WorldConfig, films: int, rng: np.random.Generator) -> Float32:
    """Weight of every film in every week, float32 [weeks, films]: Zipf, a slow trend and for some a moment."""
    weeks = np.arange(config.days * DAY // WEEK + 2)[:, None]
    level = -config.skew * np.log(rng.permutation(films) + 1.0)
    trend = rng.normal(0.0, 0.7, films) * (2.0 * weeks / len(weeks) - 1.0)
    height = np.where(rng.random(films) < 0.3, rng.exponential(1.5, films), 0.0)
    moment = height * np.exp(-0.5 * ((weeks - rng.uniform(0, len(weeks), films)) / rng.uniform(2, 8, films)) ** 2)
    weights: Float32 = np.exp(level + config.trends * (trend + moment)).astype(np.float32)
    return weights


def _watch(
    config: WorldConfig,
    calendar: Calendar,
    themes: Int64,
    space: TasteSpace,
    popularity: Float32,
    rng: np.random.Generator,
) -> tuple[Int32, Int64]:
    """Every event's film and way (0 theme, 1 likeness, 2 popularity), both [events]; a loop over places, not events."""
    pull = _pull(config, space)
    chance = rng.random(len(themes))
    ways = np.where(chance < config.follow, 1, np.where(chance < config.follow + config.explore, 2, 0))
    firsts = calendar.offsets[:-1]
    ways[firsts] = np.where(ways[firsts] == 1, 0, ways[firsts])
    rows = np.where(ways == 2, len(pull) - 1, themes)
    again = rng.random(len(themes)) < config.rewatch
    week = (calendar.times - config.begin) // WEEK
    lengths = np.diff(calendar.offsets)
    order = np.argsort(-lengths, kind="stable")
    unseen = np.ones((len(order), len(space.affinity)), dtype=np.float32)
    items = np.zeros(len(themes), dtype=np.int32)
    for place in range(int(lengths.max())):
        active = int(np.searchsorted(-lengths[order], -place, side="left"))
        events = calendar.offsets[order[:active]] + place
        likeness = len(space.themes) + items[events - 1]
        weights = pull[np.where(ways[events] == 1, likeness, rows[events])] * popularity[week[events]]
        weights *= np.maximum(unseen[:active], again[events, None])
        items[events] = _race(weights, rng)
        unseen[np.arange(active), items[events]] = 0.0
    return items, ways


def _race(weights: Float32, rng: np.random.Generator) -> Int64:
    """One column of each row, drawn in proportion to its weight; weight 0 is never drawn."""
    race = rng.standard_exponential(weights.shape, dtype=np.float32)
    return np.asarray((weights / np.maximum(race, 1e-30)).argmax(axis=1))


def _pull(config: WorldConfig, space: TasteSpace) -> Float32:
    """Weights of the films by theme, then by film seen before, then equal ones: [themes + films + 1, films]."""
    rows = [config.sharpness * space.affinity.T, config.nearness * space.follow, np.zeros((1, len(space.affinity)))]
    weights: Float32 = np.exp(np.concatenate(rows)).astype(np.float32)
    return weights


def _kinds(fit: npt.NDArray[np.float64], ways: Int64, rng: np.random.Generator) -> list[str]:
    """What the viewer made of it: likes what fits the mood, dislikes some of what curiosity brought."""
    chance = rng.random(len(fit))
    like = chance < 0.05 + 0.3 * fit
    dislike = chance > 1 - np.where((ways == 2) & (fit < 0.5), 0.25, 0.015)
    kinds: list[str] = np.where(like, "like", np.where(dislike, "dislike", "view")).tolist()
    return kinds


def _world(
    films: Catalog, calendar: Calendar, items: Int32, kinds: list[str], interests: list[Interest], themes: list[str]
) -> World:
    user_ids = [f"u{number:05d}" for number in range(1, len(interests) + 1)]
    table = pl.DataFrame(
        {
            "user_id": pl.Series(user_ids).gather(calendar.users),
            "item_id": films.table["item_id"].gather(items),
            "timestamp": calendar.times,
            "kind": kinds,
        }
    )
    return World(films, Interactions.from_table(table), labels_table(user_ids, interests, themes))
