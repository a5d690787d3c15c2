"""Hard rules on catalog fields, and the mask of items that meet them. Knows no words of any language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from genrec.catalog import Catalog
from genrec.errors import ConfigError

Bool = npt.NDArray[np.bool_]
Scalar = StrictBool | str | int | float
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "between", "in", "not in"]
_ORDERED = ("<", "<=", ">", ">=", "between")
_LONGEST = 200  # characters of a value
_MOST = 512  # rules whose masks are kept for a catalog
_KEPT: WeakKeyDictionary[Catalog, dict[str, Bool]] = WeakKeyDictionary()


class Rule(BaseModel):
    """`field op value`; between: [low, high], both included; in, not in: a list.

    A list field (genres) meets `=` and `in` when one of its values does, `!=` and `not in` when none does. An item
    without the field meets only `!=` and `not in`. Texts are compared without regard to case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(min_length=1, max_length=_LONGEST)
    """A field of the catalog."""
    op: Operator
    """How the item's value and the rule's compare."""
    value: Scalar | tuple[Scalar, ...] = Field(union_mode="left_to_right")
    """What with."""

    def __str__(self) -> str:
        if self.op == "between" and isinstance(self.value, tuple):
            return f"{self.field} between {' and '.join(map(str, self.value))}"
        said = ", ".join(map(str, self.value)) if isinstance(self.value, tuple) else str(self.value)
        return f"{self.field} {self.op} {said}"


def allowed(catalog: Catalog, rules: Sequence[Rule]) -> Bool:
    """Which items meet all rules, bool [items]; raises ConfigError for a rule that does not fit the catalog."""
    return reduce(and_, [_mask(catalog, rule) for rule in rules], np.ones(len(catalog), dtype=bool))


def _mask(catalog: Catalog, rule: Rule) -> Bool:
    """Which items meet a rule, bool [items]; kept, because a rule holds for all turns of a conversation."""
    kept, name = _KEPT.setdefault(catalog, {}), repr(rule)  # equal rules may differ: 1 is no True
    if name not in kept:
        if len(kept) >= _MOST:
            kept.clear()
        met = catalog.table.select(expression(catalog, rule).fill_null(False)).to_series()
        kept[name] = np.asarray(met.to_numpy(), dtype=bool)
    return kept[name]


def expression(catalog: Catalog, rule: Rule) -> pl.Expr:
    """A rule as polars computes it; raises ConfigError."""
    schema = catalog.table.schema
    if rule.field not in schema:
        raise ConfigError(
            "no such field", value=rule.field, where="rule", allowed=", ".join(schema), remedy="name one of these"
        )
    kind, column = schema[rule.field], pl.col(rule.field)
    if isinstance(kind, pl.List):
        return _listed(column, kind.inner, rule)
    return _plain(_folded(column, kind), kind, rule)


def _listed(column: pl.Expr, inner: Any, rule: Rule) -> pl.Expr:
    """At least one value meets the positive rule; none, the negative one."""
    positive = {"!=": "=", "not in": "in"}.get(rule.op)
    asked = rule if positive is None else rule.model_copy(update={"op": positive})
    found = column.list.eval(_plain(_folded(pl.element(), inner), inner, asked)).list.any().fill_null(False)
    return found if positive is None else ~found


def _plain(column: pl.Expr, kind: Any, rule: Rule) -> pl.Expr:
    values = _values(kind, rule)
    low, high = values[0], values[-1]
    compared: dict[str, pl.Expr] = {
        "<": column < low, "<=": column <= low, ">": column > low, ">=": column >= low,
        "between": column.is_between(low, high), "=": column.is_in(values), "in": column.is_in(values),
    }  # fmt: skip
    return compared[rule.op] if rule.op in compared else ~column.is_in(values).fill_null(False)


def _folded(column: pl.Expr, kind: Any) -> pl.Expr:
    if kind == pl.String or isinstance(kind, pl.Categorical | pl.Enum):
        return column.cast(pl.String).str.to_lowercase()
    return column.cast(pl.Float64) if kind.is_numeric() else column.cast(pl.String)


def _values(kind: Any, rule: Rule) -> list[Any]:
    """The rule's values in the column's kind: numbers as floats, all else as lower-case text (ISO for dates)."""
    raw = list(rule.value) if isinstance(rule.value, tuple) else [rule.value]
    listed = rule.op in ("in", "not in", "between")
    wrong = (rule.op == "between" and len(raw) != 2) or (not listed and isinstance(rule.value, tuple)) or not raw
    if wrong:
        raise ConfigError(
            f"{rule.op} has values that do not fit", value=rule.value, where=f"rule on {rule.field}",
            allowed="between: [low, high]; in, not in: a list of one or more; all others: one value",
        )  # fmt: skip
    if kind == pl.Boolean:
        return [str(one).lower() for one in raw]
    if not kind.is_numeric():
        return [str(one).lower()[:_LONGEST] for one in raw]
    try:
        return [float(one) for one in raw]
    except (ValueError, OverflowError):
        raise ConfigError("not a number", value=rule.value, where=f"rule on {rule.field}", allowed="numbers") from None


def relaxed(catalog: Catalog, rules: Sequence[Rule], base: Bool) -> list[Rule]:
    """The smallest relaxation of rules that no item of `base` (bool [items]) meets together: of all sets of rules
    without which something is left, the one with the fewest rules, and among those the one that leaves most items.

    Empty where something is left already, or nothing helps.
    """
    masks = np.array([allowed(catalog, [rule]) for rule in rules], dtype=bool).reshape(len(rules), len(catalog))
    broken = (~masks[:, base]).sum(axis=0)
    if not len(broken) or broken.min() == 0:
        return []
    nearest = masks[:, base][:, broken == broken.min()]
    patterns, counts = np.unique(~nearest, axis=1, return_counts=True)
    return [rule for rule, drop in zip(rules, patterns[:, counts.argmax()], strict=True) if drop]
