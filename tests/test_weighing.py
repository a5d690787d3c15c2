"""Weights of priors on toy worlds: what alone knows the answer gets weight, what knows nothing is left out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from genrec.items.index import ItemIndex
from genrec.priors import Mix, Prior
from genrec.ragged import Ragged
from genrec.splitting import Cases
from genrec.tuning.weighing import MOST, from_beam, weighed, weights_alone
from tests.helpers.toyworld import Said, fusion, grid

INDEX: ItemIndex = grid(5, 6)
ITEMS = len(INDEX)
NOISE = Said("noise", tuple(np.random.default_rng(0).normal(size=ITEMS)))


def following(item: int) -> int:
    """The truth: what everybody takes after an item."""
    return (7 * item + 3) % ITEMS


@dataclass(frozen=True)
class Knows:
    """A prior that singles out what follows."""

    name: str = "knows"

    def values(self, histories: Ragged) -> np.ndarray:
        out = np.zeros((len(histories), ITEMS), dtype=np.float32)
        for row in range(len(histories)):
            out[row, following(int(histories[row][-1]))] = 1
        return out


def even(history: list[int]) -> list[float]:
    return [1 / ITEMS] * ITEMS


def sure(history: list[int]) -> list[float]:
    chances = np.full(ITEMS, 0.001)
    chances[following(history[-1])] = 0.9
    return chances.tolist()


def wrong(history: list[int]) -> list[float]:
    """The model is rather sure of something else."""
    chances = np.full(ITEMS, 0.02)
    chances[(following(history[-1]) + 1) % ITEMS] = 0.2
    return chances.tolist()


def cases(last: range = range(20)) -> Cases:
    histories = [[item] for item in last if following(item) != item]
    targets = [[following(history[-1])] for history in histories]
    users = [f"u{row}" for row in range(len(histories))]
    return Cases(users, Ragged.from_lists(histories), Ragged.from_lists(targets), np.zeros(len(users), dtype=np.int64))


def weights(opinion: Callable[[list[int]], list[float]], *priors: Prior, width: int = 8) -> dict[str, float]:
    return dict(weighed(fusion(INDEX, opinion, priors, width=width), cases()).weights)


@pytest.mark.parametrize("opinion", [even, wrong])
def test_what_alone_knows_the_answer_gets_weight(opinion: Callable[[list[int]], list[float]]) -> None:
    found = weights(opinion, NOISE, Knows())
    assert found["knows"] > 0


def test_a_prior_of_noise_beside_a_sure_model_is_left_out() -> None:
    assert weights(sure, NOISE)["noise"] < 0.1


def test_weights_are_bounded_and_the_same_again() -> None:
    found = weights(wrong, Knows(), NOISE)
    assert found == weights(wrong, Knows(), NOISE)
    assert all(0 <= weight <= MOST for weight in found.values())


def test_the_maximum_is_that_of_the_likelihood() -> None:
    """Two candidates, the prior's values ±1, the better one right in three cases of four: w = log(3) / 2, less a little
    for the decay. A flat model's own share does not matter."""
    right = [[0], [0], [0], [1]]
    histories = Ragged.from_lists([[2]] * 4)
    some = Cases(list("abcd"), histories, Ragged.from_lists(right), np.zeros(4, dtype=np.int64))
    values = np.zeros(ITEMS, dtype=np.float32)
    values[:2] = 1, -1
    scale = np.float32(values.std())
    rule = Said("rule", tuple(np.where(np.arange(ITEMS) < 2, 0.0, -np.inf)))
    found = weights_alone(Mix((Said("half", tuple(values)), rule), {}), some, ITEMS, width=2)
    assert found["half"] / scale == pytest.approx(np.log(3) / 2, rel=0.02)


def test_the_answer_need_not_be_in_the_beam() -> None:
    """A beam of one never shows the target; the prior's best items are tried all the same."""
    assert weights(wrong, Knows(), width=1)["knows"] > 0


def test_a_model_without_opinion_is_not_taken_for_perfect() -> None:
    """Where all scores are equal, the target stands where its number puts it, not first."""
    assert weights(even, Knows())["knows"] > 0


def test_a_hard_rule_among_the_priors() -> None:
    rule = Said("rule", tuple(np.where(np.arange(ITEMS) == ITEMS - 1, -np.inf, 0.0)))
    assert weights(wrong, rule, Knows())["knows"] > 0


def test_a_case_that_has_seen_everything() -> None:
    """Nothing is left to rank: the case counts as a miss, the others decide."""
    some = cases()
    lists = [some.histories[row].tolist() for row in range(len(some))]
    whole = Cases(
        [*some.users, "all"], Ragged.from_lists([*lists, list(range(ITEMS))]),
        Ragged.from_lists([*([int(some.targets[row][0])] for row in range(len(some))), [0]]), np.append(some.times, 0),
    )  # fmt: skip
    assert weighed(fusion(INDEX, wrong, [Knows()], width=8), whole).weights["knows"] > 0


def test_no_priors_no_weights() -> None:
    assert weights(sure) == {}
    assert weighed(fusion(INDEX, sure), cases()).model


@pytest.mark.parametrize("opinion", [even, wrong])
def test_a_model_that_adds_nothing_is_left_out(opinion: Callable[[list[int]], list[float]]) -> None:
    """The priors then stand as they would without it."""
    found = weighed(fusion(INDEX, opinion, [NOISE, Knows()], width=8), cases())
    assert not found.model
    assert found.weights == weights_alone(Mix((NOISE, Knows()), {}), cases(), ITEMS)


def test_a_model_that_knows_more_than_the_priors_ranks() -> None:
    found = weighed(fusion(INDEX, sure, [NOISE], width=8), cases())
    assert found.model
    assert found.weights["noise"] < 0.1


def test_a_model_is_not_left_out_where_no_case_says_anything() -> None:
    """A beam of one and a prior whose best one is another: no target is a candidate."""
    other = Said("other", tuple(np.arange(ITEMS) == 1.0))
    some = Cases(["u"], Ragged.from_lists([[0]]), Ragged.from_lists([[2]]), np.zeros(1, dtype=np.int64))
    found = weighed(fusion(INDEX, sure, [other], width=1), some)
    assert (found.model, dict(found.weights)) == (True, {"other": 1.0})


def test_the_beam_may_be_there_already() -> None:
    asked = fusion(INDEX, wrong, [NOISE, Knows()], width=8)
    assert weighed(asked, cases(), from_beam(asked, cases().histories)) == weighed(asked, cases())


def test_priors_are_weighed_without_a_model() -> None:
    found = weights_alone(Mix((NOISE, Knows()), {}), cases(), ITEMS, width=4)
    assert found["knows"] > 10 * found["noise"]
