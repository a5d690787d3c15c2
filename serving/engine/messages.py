"""What server and engine process say to each other, over a socket that only the two hold. Knows neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genrec.changing import ItemChange
from genrec.chatting.conversation import Leaning
from genrec.chatting.rules import Bool, Rule
from genrec.errors import GenrecError
from genrec.explaining import Length


@dataclass(frozen=True)
class Rank:
    """A slate, please. history: item ids, oldest first; allowed: bits of the `items` of the catalog's `edition` that
    may come; deadline: seconds of the machine's monotonic clock, which both processes read."""

    number: int
    history: tuple[str, ...]
    k: int
    allowed: bytes
    items: int
    weights: Mapping[str, float] | None
    explain: bool
    deadline: float
    edition: int
    profile: str
    leaning: Leaning | None = None
    length: Length = "normal"
    rules: tuple[Rule, ...] = ()
    language: str | None = None
    version: str = ""
    """Of the bundle that `allowed` counts items by; empty: the one in use."""

    def mask(self, items: int) -> Bool:
        """bool [items]; what was not known when the request was made is not allowed."""
        mask = np.zeros(items, dtype=bool)
        mask[: self.items] = np.unpackbits(np.frombuffer(self.allowed, np.uint8), count=self.items).view(bool)
        return mask


def packed(mask: Bool) -> bytes:
    return np.packbits(mask).tobytes()


@dataclass(frozen=True)
class Tell:
    """Reasons for these items, please; version: of the bundle that gives them, empty: the one in use."""

    number: int
    history: tuple[str, ...]
    items: tuple[str, ...]
    deadline: float
    length: Length = "normal"
    language: str | None = None
    version: str = ""


@dataclass(frozen=True)
class Read:
    """What do these messages mean, each with the slate that it was said to?"""

    number: int
    messages: tuple[str, ...]
    slates: tuple[tuple[str, ...], ...]
    deadline: float


@dataclass(frozen=True)
class Change:
    """The catalog is another from here on; requests sent before are answered from the old one."""

    changes: tuple[ItemChange, ...]
    edition: int


@dataclass(frozen=True)
class Fits:
    """Could these changes be taken over? Nothing changes yet."""

    number: int
    changes: tuple[ItemChange, ...]
    deadline: float


@dataclass(frozen=True)
class Load:
    """Open the bundle in this folder beside the one in use, please; the answer is its version."""

    number: int
    folder: str
    deadline: float


@dataclass(frozen=True)
class Use:
    """The bundle that was loaded is the one in use from here on; requests that name the one before still get it."""

    version: str


@dataclass(frozen=True)
class Hold:
    """Keep the bundles of these versions beside the one in use, and no others, please; each stands in its folder, and
    those that are new get these changes of the catalog."""

    number: int
    folders: Mapping[str, str]
    changes: tuple[Change, ...]
    deadline: float


@dataclass(frozen=True)
class Ready:
    """The bundle is loaded. seconds: how long that took; beside: versions of those that are held beside it."""

    version: str
    seconds: float
    pid: int
    beside: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Measured:
    """What the engine has counted and timed since it began, in Prometheus' text format."""

    text: bytes


@dataclass(frozen=True)
class Broken:
    """It cannot be loaded, and trying again would not help."""

    error: GenrecError


@dataclass(frozen=True)
class Done:
    """batch: requests that were ranked together."""

    number: int
    value: Any
    batch: int = 1


@dataclass(frozen=True)
class Failed:
    """error: what the request did wrong; where that is not known, None, and `kind` names the exception."""

    number: int
    error: GenrecError | None
    kind: str = ""
    at: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Unchanged:
    """Edits of the catalog could not be taken over; what is asked on later editions is refused from here on.

    items: ids of those edits that do not fit."""

    error: GenrecError
    items: tuple[str, ...]


@dataclass(frozen=True)
class Late:
    """The time limit had passed before the work began."""

    number: int
