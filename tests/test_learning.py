"""The bandit finds the better setting, within bounds, and takes back what it is told to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from genrec.errors import ConfigError
from genrec.learning import Arm, Bandit

ARMS = (Arm(name="own", weights={}), Arm(name="fresh", weights={"recent": 1.0}))


def test_the_better_arm_is_shown_more_and_the_other_never_given_up() -> None:
    bandit, rng = Bandit(arms=ARMS), np.random.default_rng(0)
    for seed in range(600):
        arm, chance = bandit.choose(seed)
        assert 0.05 <= round(chance, 9) <= 0.95
        bandit = bandit.with_feedback(arm.name, bool(rng.random() < {"own": 0.1, "fresh": 0.3}[arm.name]))
    assert bandit.chances()["fresh"] > 0.9
    assert sum(bandit.chances().values()) == pytest.approx(1)
    assert bandit.reset() == Bandit(arms=ARMS)
    assert bandit.weights("fresh") == {"recent": 1.0}


@given(st.lists(st.booleans(), max_size=20), st.booleans())
def test_feedback_can_be_taken_back(before: list[bool], last: bool) -> None:
    bandit = Bandit(arms=ARMS)
    for success in before:
        bandit = bandit.with_feedback("own", success)
    back = bandit.with_feedback("own", last).without("own", last)
    assert back.arms[0].shown == pytest.approx(bandit.arms[0].shown, abs=1e-9)
    assert back.arms[0].won == pytest.approx(bandit.arms[0].won, abs=1e-9)


@given(st.lists(st.tuples(st.sampled_from(["own", "fresh"]), st.booleans()), max_size=40))
def test_a_log_says_all_that_was_learnt(log: list[tuple[str, bool]]) -> None:
    bandit = one_by_one = Bandit(arms=ARMS, memory=10)
    for name, won in log:
        one_by_one = one_by_one.with_feedback(name, won)
    outcomes = {name: [won for arm, won in log if arm == name] for name in ("own", "fresh")}
    at_once = bandit.with_feedback("own", True).learnt(outcomes)
    for ours, theirs in zip(at_once.arms, one_by_one.arms, strict=True):
        assert (ours.shown, ours.won) == pytest.approx((theirs.shown, theirs.won))


def test_knowing_nothing_all_arms_are_equal_and_rates_are_by_hand() -> None:
    assert Bandit(arms=ARMS).chances()["own"] == pytest.approx(0.5, abs=0.05)
    assert Arm(name="a", weights={}, shown=8, won=4).rate == 0.5


def test_what_it_refuses() -> None:
    with pytest.raises(ConfigError, match=r"no such arm.*old.*own, fresh"):
        Bandit(arms=ARMS).with_feedback("old", True)
    with pytest.raises(ValidationError, match="two arms or more"):
        Bandit(arms=ARMS[:1])
    with pytest.raises(ValidationError, match="below 1"):
        Bandit(arms=ARMS, floor=0.5)
