"""Slates that cover a person's interests in proportion, as the topics of the bundle's detector have them.

Does not know bundles, requests or how the ranking came about.
"""

from __future__ import annotations

import numpy as np

from genrec.diversity import calibrated
from genrec.errors import ConfigError
from genrec.fusing import Ranking
from genrec.interest.topics import Topics
from genrec.ragged import Int64

CANDIDATES = 100
"""Best items that the slate is picked from."""


def covering(topics: Topics | None, ranking: Ranking, chosen: Int64, k: int, weight: float) -> Ranking:
    """The k of the ranking's items that cover the interests of these choices, best score first; weight: 0 keeps the
    ranking's best, towards 1 only the shares count. Items that came after the topics are of no interest.

    Raises ConfigError without topics, and for a weight out of range.
    """
    if not 0 <= weight <= 1:
        raise ConfigError("cover is out of range", value=weight, allowed="0 to 1")
    if topics is None:
        raise ConfigError(
            "the bundle knows no topics to cover", remedy="train it on a larger log, or leave cover out"
        )  # fmt: skip
    wanted = topics.interests(chosen[chosen < topics.items])
    shares, known = np.zeros((len(ranking.items), len(topics))), ranking.items < topics.items
    shares[known] = topics.within(wanted, ranking.items[known])
    picks = calibrated(ranking.scores, shares, wanted, k, weight)
    return Ranking(ranking.items[picks], ranking.logprobs[picks], ranking.scores[picks])
