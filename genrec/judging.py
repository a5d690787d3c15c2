"""What a person makes of an item, an answer among few: its rating, or the kind of event that it meets.

Both are one task: the history with the answer behind each item, one more item, and a token for each answer that the
training log knows. What comes of it are chances over those answers alone, and of ratings their mean and median.
Knows no files, trainers or weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from genrec.answers import JudgedItem
from genrec.asking import NextItemPrompt
from genrec.decoding.choosing import Weighs
from genrec.decoding.engine import Float64
from genrec.errors import ConfigError, DataError
from genrec.examples import Examples, judged_items
from genrec.interactions import Interactions, parted
from genrec.ragged import Int32, Int64, Ragged

Task = Literal["rating", "kind"]
TASKS: tuple[Task, ...] = ("rating", "kind")
MOST = 101
"""Different answers up to which they are few: ratings of 0 to 100 are, prices are not."""
_COLUMNS: dict[Task, str] = {"rating": "value", "kind": "kind"}
_LETTERS: dict[Task, str] = {"rating": "r", "kind": "k"}  # semantic IDs have the letters from a to i


@dataclass(frozen=True)
class Answers:
    """The answers of a task: ratings from low to high as text ("4.5"), kinds in the order of the alphabet."""

    task: Task
    names: tuple[str, ...]

    @classmethod
    def found(cls, task: Task, log: Interactions) -> Answers:
        """Those that occur in the log; raises DataError where there are fewer than two or more than MOST."""
        column = _COLUMNS[task]
        said = log.table[column].drop_nulls().unique().sort().to_list() if column in log.table.columns else []
        if not 2 <= len(said) <= MOST:
            raise DataError(
                f"the log has no {task}s to learn from", value=said[:5] if said else None, where=f"column {column}",
                allowed=f"2 to {MOST} different ones among the training events",
                remedy=f"leave the task out (mixture.{task}=0), or prepare a log with such a column",
            )  # fmt: skip
        return cls(task, tuple(map(_name, said)))

    @property
    def tokens(self) -> list[str]:
        """What stands for each answer in a prompt: `<r_0>` for the lowest rating, `<k_0>` for the first kind."""
        return [f"<{_LETTERS[self.task]}_{place}>" for place in range(len(self.names))]

    @cached_property
    def values(self) -> Float64:
        """The ratings as numbers, float64 [answers]."""
        return np.array([float(name) for name in self.names])

    def numbers(self, said: Iterable[str | float]) -> Int64:
        """The places of answers, int64 [said]; raises DataError for one that training did not know."""
        places = {name: place for place, name in enumerate(self.names)}
        names = [_name(one) for one in said]
        unknown = [name for name in names if name not in places]
        if unknown:
            raise DataError(f"no such {self.task}", value=unknown[0], allowed=", ".join(self.names))
        return np.array([places[name] for name in names], dtype=np.int64)

    def judged(self, log: Interactions, item_ids: Sequence[str]) -> Judged:
        """The log's events of these items that have one of these answers."""
        column = _COLUMNS[self.task]
        places = pl.DataFrame({column: self._keys(), "said": np.arange(len(self.names))})
        if column not in log.table.columns:
            return Judged([], Ragged.from_lists([]), np.zeros(0, dtype=np.int64))
        rows = log.by_user(item_ids).join(places, on=column, how="inner", maintain_order="left")
        return Judged(*parted(rows), rows["said"].to_numpy().astype(np.int64))

    def _keys(self) -> pl.Series:
        return pl.Series(self.values) if self.task == "rating" else pl.Series(self.names)


@dataclass(frozen=True)
class Judged:
    """Histories of judged items, oldest first. said: the place of every event's answer, int64 [events]."""

    users: list[str]
    items: Ragged
    said: Int64


def _name(said: str | float) -> str:
    return said if isinstance(said, str) else repr(float(said)).removesuffix(".0")


def known_answers(task: Task, known: Mapping[str, tuple[str, ...]]) -> Answers:
    """The answers that a bundle's manifest names; raises ConfigError where it has not learnt the task."""
    if task not in known:
        raise ConfigError(
            f"the bundle has not learnt {task}s", where="manifest.json: answers",
            remedy=f"train it with mixture.{task}=1 on a log with a column {_COLUMNS[task]}",
        )  # fmt: skip
    return Answers(task, known[task])


@dataclass(frozen=True)
class JudgingPrompt:
    """How one task is asked. context: tokens that the model reads at most."""

    asking: NextItemPrompt
    answers: Answers
    context: int

    @cached_property
    def head(self) -> list[int]:
        """The tokens before the history."""
        return self.asking.opening(self.answers.task)

    @cached_property
    def tokens(self) -> Int64:
        """The token number of every answer, int64 [answers]; raises ConfigError where the vocabulary lacks one."""
        found = [self.asking.vocabulary.ids(token) for token in self.answers.tokens]
        if any(len(ids) != 1 for ids in found):
            raise ConfigError("the vocabulary lacks tokens for answers", value=self.answers.tokens, remedy="train anew")
        return np.array(found, dtype=np.int64)[:, 0]

    @cached_property
    def window(self) -> int:
        """Judged items that a prompt shows before the one that is asked about: as many as one of next items, if they
        fit. Raises ConfigError where none does."""
        width = self.asking.index.levels + 1
        fits = (self.context - len(self.head)) // width - 1
        if fits < 1:
            raise ConfigError("no judged item fits into a prompt", value=self.context, remedy="take a longer context")
        return min(self.asking.window, fits)

    def examples(self, judged: Judged) -> Examples:
        """Every history once, in pieces that fit."""
        semantic = self.asking.semantic
        return judged_items(judged.items, judged.said, self.head, semantic, self.tokens, self.window)

    def ids(self, items: Sequence[int] | Int32 | Int64, said: Int64, item: int) -> list[int]:
        """The prompt that asks about one item after judged ones, of which the newest are shown."""
        shown = np.asarray(items, dtype=np.int64)[-self.window :]
        history = np.column_stack([self.asking.semantic[shown], self.tokens[said[-self.window :]]])
        return [*self.head, *history.ravel().tolist(), *self.asking.semantic[item].tolist()]


@dataclass(frozen=True)
class Judge:
    """What one model thinks that people will say."""

    engine: Weighs
    prompt: JudgingPrompt

    def chances(self, prompts: Sequence[Sequence[int]]) -> Float64:
        """After each prompt (`JudgingPrompt.ids`) the chance of every answer, float64 [prompts, answers]; rows sum to
        one, whatever else the model might have written."""
        weights = self.engine.weigh(prompts, [self.prompt.tokens] * len(prompts))
        logs = np.array(weights).reshape(len(prompts), len(self.prompt.tokens))
        return softmax(logs)


def softmax(logs: Float64) -> Float64:
    """Rows of log-weights as chances that sum to one."""
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def expected(chances: Float64, values: Float64) -> Float64:
    """Σ p · value of every row: the guess of the least squared error."""
    return np.asarray(chances @ values)


def median(chances: Float64, values: Float64) -> Float64:
    """The lowest value that half of the chance does not exceed: the guess of the least absolute error."""
    return np.asarray(values[(chances.cumsum(axis=1) >= 0.5 - 1e-12).argmax(axis=1)])


def told(answers: Answers, chances: Float64, ids: Sequence[str], titles: Sequence[str]) -> list[JudgedItem]:
    """The chances of items, float64 [items, answers], in the shape of an answer."""
    rated = answers.task == "rating"
    means = expected(chances, answers.values).tolist() if rated else [None] * len(ids)
    middles = median(chances, answers.values).tolist() if rated else [None] * len(ids)
    return [
        JudgedItem(
            id=item, title=title, chances=dict(zip(answers.names, row, strict=True)), expected=mean, median=middle
        )
        for item, title, row, mean, middle in zip(ids, titles, chances.tolist(), means, middles, strict=True)
    ]
