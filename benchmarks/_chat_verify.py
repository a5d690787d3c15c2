"""Whether slates obey, checked from the catalog's rows alone: nothing here is shared with what makes the slates."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

Row = Mapping[str, Any]
_ORDER = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


@dataclass
class Tally:
    """What was counted over all turns."""

    turns: int = 0
    slates: int = 0
    items: int = 0
    rules: int = 0
    broken: int = 0
    unknown: int = 0
    doubled: int = 0
    unwanted: int = 0
    infeasible: int = 0
    unhelped: int = 0
    missed: int = 0
    meant: int = 0
    meant_broken: int = 0
    examples: list[str] = field(default_factory=list)

    def slate(self, rows: Mapping[str, Row], items: Sequence[str], rules: Sequence[Any], banned: Iterable[str]) -> None:
        """A slate under these rules; banned: items that were rejected, known or shown and must not come again."""
        self.slates += 1
        self.items += len(items)
        self.unknown += sum(item not in rows for item in items)
        self.doubled += len(items) - len(set(items))
        self.unwanted += len(set(items) & set(banned))
        for rule in rules:
            for item in items:
                self.rules += 1
                if item in rows and not meets(rows[item], rule):
                    self.broken += 1
                    self.examples.append(f"{item}: {rule}")

    def nothing(
        self, rows: Mapping[str, Row], rules: Sequence[Any], banned: Iterable[str], relax: Sequence[Any], left: int
    ) -> None:
        """No item came: none may meet the rules, and without `relax`, which no smaller set does as well, `left` do."""
        self.infeasible += 1
        gone = set(banned)
        free = [row for item, row in rows.items() if item not in gone]
        met = np.array([[meets(row, rule) for row in free] for rule in rules], dtype=bool).reshape(
            len(rules), len(free)
        )
        self.missed += bool(met.all(axis=0).any())
        found = int(met[[rule not in relax for rule in rules]].all(axis=0).sum())
        smaller = any(
            np.delete(met, drop, axis=0).all(axis=0).any()
            for size in range(len(relax)) for drop in combinations(range(len(rules)), size)
        )  # fmt: skip
        possible = bool(rules) and bool(free)
        self.unhelped += possible and (found == 0 or found != left or smaller or not relax)


def meets(row: Row, rule: Any) -> bool:
    """An item's row against `field op value`, as rules are documented; texts without regard to case."""
    held, op, value = row.get(rule.field), rule.op, rule.value
    if op in ("!=", "not in"):
        return not _equals(held, value)
    if held is None:
        return False
    if op in ("=", "in"):
        return _equals(held, value)
    if op == "between":
        return float(value[0]) <= float(held) <= float(value[1])
    return bool(_ORDER[op](float(held), float(value)))


def _equals(held: Any, value: Any) -> bool:
    ours = [_plain(one) for one in (held if isinstance(held, list) else [held]) if one is not None]
    theirs = [_plain(one) for one in (value if isinstance(value, tuple | list) else [value])]
    return any(one in theirs for one in ours)


@cache
def _plain(value: Any) -> Any:
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value).lower()
        try:
            return float(text)
        except ValueError:
            return text
    return float(value)
