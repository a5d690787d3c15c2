"""Streams of losses: silent while nothing changes, heard soon when it does."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.errors import ConfigError
from genrec.interest.cohorts import Adwin, PageHinkley


def losses(count: int, mean: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, mean / 2.0, count)


@pytest.mark.parametrize("kind", [PageHinkley, Adwin])
def test_a_rise_is_heard_and_silence_kept(kind: type[PageHinkley] | type[Adwin]) -> None:
    found = kind.calibrated(losses(4000, 3.0, 0), every=4_000)
    false = [found.alarm(losses(1000, 3.0, seed)) is not None for seed in range(1, 41)]
    assert sum(false) <= 20  # a quarter of the stretch without alarms: 1 − exp(−1/4) of 40 is 9
    moved = [np.concatenate([losses(320, 3.0, 50 + n), losses(480, 4.0, 70 + n)]) for n in range(10)]
    heard = [found.alarm(one) for one in moved]
    assert None not in heard
    assert 320 <= np.median([one for one in heard if one is not None]) < 640


def test_page_hinkley_by_hand() -> None:
    found = PageHinkley(mean=1.0, slack=0.0, threshold=1.5)
    assert found.statistic(np.array([1.0, 0.0, 2.0, 2.0])).tolist() == [0, 0, 1, 2]
    assert found.alarm(np.array([1.0, 0.0, 2.0, 2.0])) == 3


def test_a_constant_stream_calibrates_nothing() -> None:
    with pytest.raises(ConfigError, match="all alike"):
        Adwin.calibrated(np.ones(100))
