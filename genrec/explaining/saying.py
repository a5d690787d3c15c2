"""What may be said: the sentences of a prompt file that hold in a situation. Knows no model and no catalog."""

from __future__ import annotations

import re
from typing import NamedTuple

from genrec.explaining.evidence import KEPT, Told
from genrec.prompting import Part, Prompt
from genrec.slots import markers_in

CAUSAL = re.compile(r"\b(because|since|so here|so now)\b|因为|由于", re.IGNORECASE)
"""Words that say that an interaction moved the item."""
_LIKED = {"liked_1", "liked_2"}


class Situation(NamedTuple):
    """fields: names of the told fields, rarest value first; sharing: how many of the named items share them (at most
    two); moved: whether each of them moved the item."""

    part: Part
    fields: tuple[str, ...]
    sharing: int
    moved: bool


def situation(part: Part, told: Told) -> Situation:
    return Situation(part, told.fields, min(told.sharing, KEPT), told.moved)


def sentences(prompt: Prompt, now: Situation) -> tuple[str, ...]:
    """All sentences of a situation, each once; what its evidence does not support is not among them."""
    fields = [one.lower() for one in now.fields]
    texts = prompt.fitting(fields, now.sharing, now.part)
    if not texts and now.part == "short":
        texts = prompt.fitting(fields, now.sharing)
    said = dict.fromkeys(one for text in texts for one in text)
    if now.part == "counterfactual":  # what is gone without two choices need not be gone without one of them
        return tuple(one for one in said if len(markers_in(one) & _LIKED) == now.sharing)
    if not now.fields and not now.moved and now.part in ("reason", "short"):
        return ()  # nothing is known but that the one came after the other
    return tuple(one for one in said if now.moved or not CAUSAL.search(one))
