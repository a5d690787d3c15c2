"""Topics: what items people choose together over weeks, learnt from histories and from the items' vectors.

A choice comes from one of the person's topics, from likeness to the choice just before, or from anywhere. What a person
has seen is not chosen again, so a topic that is used up does not look like an interest that ended: chances are those of
what is left. Fitted by expectation-maximisation (Blei, Ng & Jordan 2003 for the mixture; here with maximum a posteriori
weights), every topic drawn towards its mean over neighbouring items. Does not know time, change or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans

from genrec.errors import ConfigError, DataError
from genrec.items.index import ItemIndex
from genrec.ragged import Int64, Ragged

Float64 = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.integer]
_LEFT = 0.05  # of a topic at least, however much of it was seen
_SETTLED = 20  # rounds after which a person's shares hardly move
_INTEREST = 0.05  # share from which a topic is an interest
_APART = 3.0  # an item that the person's interests make so many times likelier than usual is half of them
_ROWS = 1024  # items whose likeness to all others is held at once

Share = Annotated[float, Field(ge=0, lt=1)]


class TopicsConfig(BaseModel):
    """How topics are learnt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: Annotated[int, Field(ge=2, le=1000)] = 34
    """Topics; at most a third of the items."""
    anywhere: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Chance that a choice has nothing to do with the person's topics."""
    follow: Share = 0.25
    """Chance that a choice goes by likeness to the one just before."""
    stretch: Annotated[int, Field(ge=2)] = 120
    """Choices in a row whose topics are taken to be the same while learning."""
    smooth: Annotated[float, Field(gt=0)] = 1.0
    """How many choices the mean over an item's neighbours weighs."""
    sharpness: Annotated[float, Field(gt=0)] = 8.0
    """Neighbours weigh exp(sharpness · cosine)."""
    neighbours: Annotated[int, Field(ge=1)] = 100
    """Neighbours looked at."""
    rounds: Annotated[int, Field(ge=1)] = 60
    """Rounds of expectation-maximisation."""
    most: Annotated[int, Field(ge=1)] = 500_000
    """Choices learnt from at most; whole histories are drawn where there are more."""
    seed: int = 0


@dataclass(frozen=True)
class Topics:
    """chances: p(item | topic), float64 [topics, items], rows sum to 1; usual: p(item), float64 [items]."""

    config: TopicsConfig
    chances: Float64
    usual: Float64

    @classmethod
    def fit(cls, histories: Ragged, vectors: Vectors, config: TopicsConfig | None = None) -> Topics:
        """histories: item numbers, oldest first; vectors: unit, [items, dimensions], as `item_vectors` has them.

        Raises DataError for fewer than 6 items or no choices.
        """
        config = config or TopicsConfig()
        if len(vectors) < 6 or not len(histories.items):
            raise DataError("too little to learn topics from", value=(len(vectors), len(histories.items)))
        usual = (np.bincount(histories.items, minlength=len(vectors)) + 1.0) / (len(histories.items) + len(vectors))
        first = _clusters(vectors, usual, config)
        return _Learning.of(_sample(histories, config), first, usual, _near(vectors, config), config).topics()

    def __len__(self) -> int:
        return len(self.chances)

    @property
    def items(self) -> int:
        return int(self.chances.shape[1])

    @property
    def lift(self) -> Float64:
        """How many times likelier a topic makes an item than it usually is, float64 [topics, items]."""
        return np.asarray(self.chances / self.usual)

    def of_items(self) -> Float64:
        """p(topic | item) where all topics are equally common, float64 [items, topics]."""
        return np.asarray((self.chances / self.chances.sum(axis=0)).T)

    def shares(self, items: Sequence[int] | Int64) -> Float64:
        """Of some items the share of each topic, float64 [topics]; equal shares for none."""
        found = self.of_items()[np.asarray(items, dtype=np.int64)].sum(axis=0) + 1e-9
        return np.asarray(found / found.sum())

    def interests(self, items: Sequence[int] | Numbers) -> Float64:
        """Shares of the topics that a person's choices come from, float64 [topics]: those below a twentieth are none.

        By expectation-maximisation with the topics as they are; equal shares for no choices.
        """
        chosen = self.lift[:, np.asarray(items, dtype=np.int64)].T
        other = self.config.anywhere + self.config.follow
        shares = np.full(len(self), 1.0 / len(self))
        for _ in range(_SETTLED):
            part = (1 - other) * shares * chosen
            counts = (part / (part.sum(axis=1, keepdims=True) + other)).sum(axis=0) + 1.0 / len(self)
            shares = counts / counts.sum()
        large = np.where(shares >= _INTEREST, shares, 0.0)
        return np.asarray(large / large.sum() if large.any() else shares)

    def within(self, shares: Float64, items: Sequence[int] | Numbers) -> Float64:
        """How much each item is of each interest of a person with these shares, float64 [items, topics]; rows sum to
        less than 1: the rest is of none, all of it where no interest makes the item likelier than it is anyhow."""
        part = shares * self.lift[:, np.asarray(items, dtype=np.int64)].T
        return np.asarray(part / (part.sum(axis=1, keepdims=True) + _APART))


@dataclass
class _Learning:
    """The state of expectation-maximisation over the choices of all histories, in one flat array.

    near: p(neighbour | item), sparse [items, items]; place: stretch of every choice; before: its likeness to the one
    before, as a lift.
    """

    config: TopicsConfig
    histories: Ragged
    chances: Float64
    usual: Float64
    near: csr_matrix
    place: Int64
    before: Float64

    @classmethod
    def of(cls, histories: Ragged, first: Float64, usual: Float64, near: csr_matrix, config: TopicsConfig) -> _Learning:
        keys = histories.rows * (int(histories.lengths.max()) + 1) + histories.places // config.stretch
        place = np.unique(keys, return_inverse=True)[1].reshape(-1)
        member = (first / first.sum(axis=0)).T
        before = likeness(member, member.T @ usual, np.roll(histories.items, 1), histories.items)
        return cls(config, histories, first, usual, near, place, np.where(histories.places == 0, 1.0, before))

    def topics(self) -> Topics:
        weights = np.full((int(self.place.max()) + 1, len(self.chances)), 1.0 / len(self.chances))
        for _ in range(self.config.rounds):
            left = self._left()
            due = self._due(weights, left)
            weights = _sums(self.place, due, len(weights)) + 0.3
            weights /= weights.sum(axis=1, keepdims=True)
            self.chances = self._chances(due, due / left)
        return Topics(self.config, self.chances, self.usual)

    def _left(self) -> Float64:
        """Of every topic what the person had not seen yet, float64 [choices, topics]."""
        seen = self._before_in_row(self.chances[:, self.histories.items].T)
        return np.maximum(1.0 - seen, _LEFT)

    def _due(self, weights: Float64, left: Float64) -> Float64:
        """Of every choice the chance that it came from each topic, float64 [choices, topics]."""
        config = self.config
        lift = (self.chances[:, self.histories.items] / self.usual[self.histories.items]).T / left
        part = (1 - config.anywhere - config.follow) * weights[self.place] * lift
        whole = part.sum(axis=1) + config.anywhere + config.follow * self.before
        return np.asarray(part / whole[:, None])

    def _chances(self, due: Float64, exposed: Float64) -> Float64:
        """Choices over how often an item stood to be chosen, drawn towards the mean of its neighbours."""
        items = self.histories.items
        chosen = _sums(items, due, len(self.usual)).T
        after = self._after_in_row(exposed)
        total = exposed.sum(axis=0)[:, None]
        stood = np.maximum(total - _sums(items, after, len(self.usual)).T, 0.02 * total)
        drawn = (self.near @ (self.chances / self.usual).T).T
        found = self.usual * (chosen + self.config.smooth * drawn) / (stood * self.usual + self.config.smooth)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def _before_in_row(self, values: Float64) -> Float64:
        summed = values.cumsum(axis=0) - values
        return np.asarray(summed - np.repeat(summed[self.histories.offsets[:-1]], self.histories.lengths, axis=0))

    def _after_in_row(self, values: Float64) -> Float64:
        summed = values.cumsum(axis=0)
        ends = np.repeat(summed[self.histories.offsets[1:] - 1], self.histories.lengths, axis=0)
        return np.asarray(ends - summed)


def item_vectors(index: ItemIndex) -> npt.NDArray[np.float32]:
    """Unit vectors of the items as their codes have them, float32 [items, dimensions]: text and who-chose-what."""
    levels = np.arange(len(index.codebooks))
    summed = index.codebooks[levels, index.codes[:, : len(levels)]].sum(axis=1)
    return np.asarray(summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def likeness(member: Float64, shares: Float64, before: Numbers, after: Numbers) -> Float64:
    """How many times likelier `after` is beside `before`, float64 [pairs]; member: p(topic | item), [items, topics]."""
    return np.asarray((member[before] * member[after] / np.maximum(shares, 1e-12)).sum(axis=-1))


def _sums(places: Numbers, values: Float64, rows: int) -> Float64:
    """Rows of values summed by place, float64 [rows, columns]."""
    n = len(places)
    adding = csr_matrix((np.ones(n), (places, np.arange(n))), shape=(rows, n))
    return np.asarray(adding @ values)


def _clusters(vectors: Vectors, usual: Float64, config: TopicsConfig) -> Float64:
    """First topics: k-means over the vectors, softened, float64 [topics, items]."""
    number = min(config.topics, len(vectors) // 3)
    found = KMeans(number, n_init=2, random_state=config.seed).fit(vectors, sample_weight=usual)
    centres = found.cluster_centers_ / np.maximum(np.linalg.norm(found.cluster_centers_, axis=1, keepdims=True), 1e-9)
    pull = np.exp(8.0 * (vectors @ centres.T - 1.0))
    chances = (pull / pull.sum(axis=1, keepdims=True) * usual[:, None]).T
    return np.asarray(chances / chances.sum(axis=1, keepdims=True), dtype=np.float64)


def _near(vectors: Vectors, config: TopicsConfig) -> csr_matrix:
    """Rows sum to 1: the weights of each item's nearest neighbours, itself left out."""
    kept = min(config.neighbours, len(vectors) - 1)
    columns, weights = [], []
    for start in range(0, len(vectors), _ROWS):
        part = np.asarray(vectors[start : start + _ROWS] @ vectors.T, dtype=np.float64)
        part[np.arange(len(part)), start + np.arange(len(part))] = -np.inf
        best = np.argpartition(-part, kept - 1, axis=1)[:, :kept]
        pull = np.exp(config.sharpness * (np.take_along_axis(part, best, axis=1) - 1.0))
        columns.append(best)
        weights.append(pull / pull.sum(axis=1, keepdims=True))
    offsets = np.arange(len(vectors) + 1) * kept
    shape = (len(vectors), len(vectors))
    return csr_matrix((np.concatenate(weights).ravel(), np.concatenate(columns).ravel(), offsets), shape=shape)


def _sample(histories: Ragged, config: TopicsConfig) -> Ragged:
    rows = np.flatnonzero(histories.lengths)
    if len(histories.items) > config.most:
        order = np.random.default_rng(config.seed).permutation(rows)
        rows = np.sort(order[histories.lengths[order].cumsum() <= config.most])
    if not len(rows):
        raise ConfigError("most is smaller than any history", value=config.most, remedy="raise it")
    return histories.take(rows)
