"""kill -9 of the writing process at random moments; benchmarks/_service_kill.py does it two hundred times."""

from __future__ import annotations

from benchmarks._service_kill import StoreTarget, run, stored


def test_nothing_acknowledged_is_lost_or_doubled(url: str) -> None:
    outcome = run(StoreTarget(url), url, kills=3, seed=3)
    assert (outcome.lost, outcome.doubled, outcome.torn) == (0, 0, 0)
    assert outcome.acknowledged > 0
    assert sum(stored(url).values()) == outcome.acknowledged
