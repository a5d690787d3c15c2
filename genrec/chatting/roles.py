"""What a mention can be asked to do, the JSON schema of a reading, and the reading of a message. Knows no catalog.

    {"A":"avoid","B":"below","act":"find","also":false}

One role for each mention in its order, an act and whether the rules stand beside earlier ones: nothing else can be
written under the schema, so no reading can name an item, a field or a value that the message does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genrec.chatting.mentions import Kind, Mention, letters

_NUMBER = ("is", "not", "below", "most", "above", "least", "near", "drop", "none")
_STEP = ("less", "more", "drop", "none")
ROLES: dict[Kind, tuple[str, ...]] = {
    "item": ("like", "dislike", "seen", "drop", "none"),
    "shown": ("like", "dislike", "seen", "than", "none"),
    "value": ("want", "any", "avoid", "like", "dislike", "drop", "none"),
    "year": _NUMBER, "minutes": _NUMBER, "price": _NUMBER, "pages": _NUMBER, "amount": _NUMBER, "decade": _NUMBER,
    "number": ("count", "none"),
    "field": ("drop", "none"),
    "low": _STEP, "high": _STEP, "lower": _STEP, "higher": _STEP,
    "phrase": ("mood", "avoid", "name", "none"),
}  # fmt: skip
"""Kind of mention → roles. like, dislike: soft; want, any (one of several), avoid: hard rules; drop: what was said of
it before holds no longer; than: what a comparison compares with; name: it names what the catalog lacks."""
ACTS = ("find", "more", "surprise", "reset", "talk")
"""more: others than those shown; reset: all that was said before is void; talk: nothing is asked for."""


@dataclass(frozen=True)
class Reading:
    """roles: one for each mention, in order; also: the rules stand beside earlier ones on the same field."""

    roles: tuple[str, ...]
    act: str = "find"
    also: bool = False

    def json(self, mentions: Sequence[Mention]) -> str:
        """As the model writes it."""
        said: dict[str, Any] = dict(zip(letters(mentions), self.roles, strict=True))
        return json.dumps({**said, "act": self.act, "also": self.also}, separators=(",", ":"))

    @classmethod
    def of_json(cls, text: str, mentions: Sequence[Mention]) -> Reading:
        said = json.loads(text)
        return cls(tuple(said[letter] for letter in letters(mentions)), said["act"], said["also"])


def schema_of(mentions: Sequence[Mention]) -> str:
    """The JSON schema of a reading of these mentions, as JSON."""
    properties: dict[str, Mapping[str, Any]] = {
        letter: {"enum": list(ROLES[one.kind])} for letter, one in zip(letters(mentions), mentions, strict=True)
    }
    properties |= {"act": {"enum": list(ACTS)}, "also": {"type": "boolean"}}
    whole = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return json.dumps(whole, separators=(",", ":"))
