"""Slates that cover interests, picked from candidates by a catalog as it is now. No server."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.bundle import Bundle
from serving.answering import picks
from serving.live import Live
from serving.schemas.recommendations import SlateRequest
from tests.helpers.running import Tiny
from tests.serving.test_refresh_live import with_detector

K = 8


@pytest.fixture(scope="module")
def live(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Two topics, the halves of the catalog."""
    return Live.open(Bundle.open(with_detector(tiny.bundle, tmp_path_factory.mktemp("cover") / "bundle", own=0.99)))


def picked(live: Live, shown: tuple[str, ...], **asked: Any) -> list[int]:
    """Item numbers of the slate out of the hundred best by priors that are not in the history."""
    request = SlateRequest(history=list(shown), k=K, **asked)
    allowed = np.ones(len(live.catalog), dtype=bool)
    allowed[live.catalog.numbers(shown)] = False
    past: Any = SimpleNamespace(shown=shown)
    items = picks(live, live.by_priors(shown, allowed, 100), request, past)
    assert [item.rank for item in items] == list(range(1, len(items) + 1))
    scores = [item.score for item in items]
    assert asked.get("diversity") or scores == sorted(scores, reverse=True)
    return [int(number) for number in live.catalog.numbers(item.id for item in items)]


def test_a_slate_covers_the_interests_of_the_history_in_proportion(live: Live) -> None:
    """A quarter of the choices is of the second half: two places of eight."""
    past = (*live.catalog.item_ids[:9], *live.catalog.item_ids[-3:])
    plain, covering = picked(live, past), picked(live, past, cover=0.5)
    late = [sum(item >= len(live.catalog) // 2 for item in slate) for slate in (plain, covering)]
    assert abs(late[1] - 2) < abs(late[0] - 2)
    assert picked(live, past, cover=1e-9) == plain


def test_without_a_history_there_is_nothing_to_cover(live: Live) -> None:
    assert picked(live, (), cover=0.9) == picked(live, ())


def test_a_bundle_without_a_detector_has_no_topics(live: Live, tiny: Tiny, tmp_path: Path) -> None:
    assert live.topics is not None
    assert Live.open(Bundle.open(tiny.bundle)).topics is None
