"""Sentences that leave open how they are worded: `[Like|As with] {liked_1}, …`. Knows brackets, no words.

A group in square brackets is one of its parts; a part may be empty, and may hold groups itself.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product

_PIECES = re.compile(r"[\[\]|]|[^\[\]|]+")


@cache
def spread(text: str) -> tuple[str, ...]:
    """Every sentence that the text stands for, in order, each once. ValueError for a bracket without its other half."""
    pieces = _PIECES.findall(text)
    found, rest = _sequence(pieces, 0)
    if rest < len(pieces):
        raise ValueError(f"{pieces[rest]!r} stands outside a group")
    return tuple(dict.fromkeys(found))


def _sequence(pieces: list[str], start: int) -> tuple[list[str], int]:
    """What the pieces from `start` stand for, up to one that ends a part, and where that is."""
    parts: list[list[str]] = []
    while start < len(pieces) and pieces[start] not in ("]", "|"):
        if pieces[start] == "[":
            group, start = _group(pieces, start + 1)
            parts.append(group)
        else:
            parts.append([pieces[start]])
            start += 1
    return ["".join(whole) for whole in product(*parts)], start


def _group(pieces: list[str], start: int) -> tuple[list[str], int]:
    found, start = _sequence(pieces, start)
    while start < len(pieces) and pieces[start] == "|":
        more, start = _sequence(pieces, start + 1)
        found += more
    if start == len(pieces):
        raise ValueError("a group is not closed")
    return found, start + 1
