"""Bootstrap intervals: known widths, pairing, users that stay together, seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.errors import ConfigError
from genrec.evaluation import bootstrap
from genrec.evaluation.bootstrap import difference_interval, mean_interval, mean_intervals


def test_equal_values_have_no_width():
    interval = mean_interval(np.full(50, 0.25))
    assert (interval.mean, interval.low, interval.high, interval.margin) == (0.25, 0.25, 0.25, 0.0)


def test_the_width_is_that_of_the_normal_approximation():
    values = (np.arange(2000) % 2).astype(float)  # standard error 0.5 / sqrt(2000)
    interval = mean_interval(values, resamples=4000)
    assert interval.margin == pytest.approx(1.96 * 0.5 / 2000**0.5, rel=0.06)


def test_pairing_sees_a_small_sure_difference():
    theirs = np.random.default_rng(0).random(300)
    interval = difference_interval(theirs + 0.01, theirs)
    assert interval.low == pytest.approx(0.01)
    assert interval.high == pytest.approx(0.01)


def test_cases_of_one_user_are_drawn_together():
    values = np.repeat((np.arange(20) % 2).astype(float), 50)
    users = [f"u{row // 50}" for row in range(1000)]
    assert mean_interval(values, users).margin > 5 * mean_interval(values).margin


def test_users_are_told_apart_by_name_not_by_order():
    values, users = np.array([0.0, 1.0, 0.0, 1.0]), ["a", "b", "a", "b"]
    grouped = mean_interval(values, users, seed=3)
    assert grouped.low == 0.0
    assert grouped.high == 1.0


def test_the_seed_decides_and_memory_chunks_do_not(monkeypatch):
    values = np.random.default_rng(1).random((40, 2))
    first, other = mean_intervals(values, seed=1), mean_intervals(values, seed=2)
    assert first != other
    monkeypatch.setattr(bootstrap, "_CELLS", 400)
    for whole, chunked in zip(first, mean_intervals(values, seed=1), strict=True):
        assert chunked.low == pytest.approx(whole.low, abs=1e-12)
        assert chunked.high == pytest.approx(whole.high, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(deadline=None, max_examples=30)
def test_bounds_lie_within_the_values(values):
    interval = mean_interval(np.array(values), resamples=200)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


def test_nothing_to_draw_from_is_refused():
    with pytest.raises(ConfigError, match="no cases"):
        mean_interval(np.empty(0))


def test_unpaired_values_are_refused():
    with pytest.raises(ConfigError, match="same cases"):
        difference_interval(np.zeros(3), np.zeros(4))
