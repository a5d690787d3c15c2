"""Model and priors joined: exact sums, rescue of what a narrow beam misses, rules, and the brute force over all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from genrec.evaluation.generative import GenerativeRanker
from genrec.fusing import Fusion, Slated, unseen
from genrec.priors import Mix
from genrec.priors.stand_ins import StandIns
from genrec.ragged import Ragged
from tests.helpers.toyworld import Said, fusion, grid

FOUR = grid(2, 2)
ONE = Ragged.from_lists([[0]])
NEAR = 1e-6  # engines hand the model's part on in single precision

# The first code of items 0 and 1 is likelier, but what the prior loves there is a thousand times less so.
TRAP = [0.5495, 0.0005, 0.05, 0.40]
LOVED = Said("love", (-1, 1, 1, -1))  # mean 0, deviation 1: standardising changes nothing


def trapped(*, width: int, rescued: int) -> Fusion:
    return fusion(FOUR, lambda history: TRAP, [LOVED], {"love": 3.0}, width=width, rescued=rescued)


def test_the_score_is_logprob_plus_prior() -> None:
    found = trapped(width=4, rescued=0).rank(ONE, 4, allowed=[None])[0]
    # ln .05 + 3, ln .5495 − 3, ln .4 − 3, ln .0005 + 3
    assert found.items.tolist() == [2, 0, 3, 1]
    np.testing.assert_allclose(found.logprobs, np.log([0.05, 0.5495, 0.4, 0.0005]), atol=NEAR)
    np.testing.assert_allclose(found.scores, found.logprobs + np.array([3, -3, -3, 3]), atol=NEAR)


def test_what_the_beam_misses_and_the_prior_loves_is_rescued() -> None:
    alone = trapped(width=1, rescued=0).rank(ONE, 1, allowed=[None])[0]
    assert alone.items.tolist() == [0]
    saved = trapped(width=1, rescued=2).rank(ONE, 1, allowed=[None])[0]
    assert saved.items.tolist() == [2]
    np.testing.assert_allclose(saved.scores, [np.log(0.05) + 3], atol=NEAR)


def test_the_rescued_stand_where_their_score_puts_them() -> None:
    """Item 1 is rescued, too, but the model finds it so unlikely that it comes last."""
    found = fusion(FOUR, lambda history: TRAP, [LOVED], {"love": 1.0}, width=1, rescued=2)
    ranking = found.rank(ONE, 1, allowed=[None])[0]
    assert ranking.items.tolist() == [0]  # ln .5495 − 1 > ln .05 + 1
    assert found.rank(ONE, 4, allowed=[None])[0].items.tolist() == [0, 3, 2, 1]


def test_the_model_is_asked_for_the_likes_of_an_item_that_came_after_training() -> None:
    """Item 3 has the text of item 0, and a code of its own that the model has never seen."""
    vectors = np.array([[1, 0], [0, 1], [-1, 0], [1, 0]], dtype=np.float32)
    late = StandIns.of(vectors[:3], np.ones(3, dtype=bool)).grown(vectors, 3)
    known = fusion(grid(4), lambda history: [0.6, 0.3, 0.0999, 0.0001], [LOVED], {"love": 0.0})
    mixed = Fusion(known.engine, known.asking, Mix(known.mix.priors, {"love": 1e-9}, late))
    scores = mixed.scores(ONE, np.array([3, 0, 1]))
    np.testing.assert_allclose(scores, np.log([[0.6, 0.6, 0.3]]), atol=1e-4)
    narrow = Fusion(known.engine, known.asking, Mix(known.mix.priors, {"love": 1e-9}, late), width=2, rescued=4)
    assert sorted(narrow.rank(ONE, 2, allowed=[None])[0].items.tolist()) == [0, 3]


def test_who_chose_an_item_that_came_after_training_is_read_as_if_it_were_the_likest_known() -> None:
    """Item 3 has the text of item 0, and what follows it is what follows item 0: mostly item 2."""
    vectors = np.array([[1, 0], [0, 1], [-1, 0], [1, 0]], dtype=np.float32)
    late = StandIns.of(vectors[:3], np.ones(3, dtype=bool)).grown(vectors, 3)

    def follows(history: list[int]) -> list[float]:
        return [0.2, 0.1, 0.6, 0.1] if history == [0] else [0.2, 0.6, 0.1, 0.1]

    plain = fusion(grid(4), follows)
    for fused in (Fusion(plain.engine, plain.asking, Mix((), {}, late)), plain):
        found = fused.rank(Ragged.from_lists([[0], [3]]), 1, allowed=[None, None])
        assert [one.items.tolist() for one in found] == [[2], [1 if fused is plain else 2]]
    scores = Fusion(plain.engine, plain.asking, Mix((), {}, late)).scores(Ragged.from_lists([[3]]), np.array([0, 2]))
    np.testing.assert_allclose(scores, np.log([[0.2, 0.6]]), atol=1e-4)


def test_filters_bind_the_beam_and_the_rescued() -> None:
    allowed = np.array([True, True, False, True])
    for width, rescued in ((1, 2), (4, 4), (4, 0)):
        found = trapped(width=width, rescued=rescued).rank(ONE, 4, allowed=[allowed])[0]
        assert found.items.tolist() == [0, 3, 1]
    assert trapped(width=4, rescued=4).rank(ONE, 2, allowed=[allowed])[0].items.tolist() == [0, 3]


def test_a_filter_that_allows_nothing() -> None:
    for plan in (trapped(width=4, rescued=4), fusion(FOUR, lambda history: TRAP)):
        found = plan.rank(ONE, 3, allowed=[np.zeros(4, dtype=bool)])[0]
        assert (len(found.items), len(found.scores), len(found.logprobs)) == (0, 0, 0)


def test_never_by_prior_is_never_however_likely() -> None:
    hard = fusion(FOUR, lambda history: TRAP, [Said("rule", (-np.inf, 0, 0, 0))], {"rule": 0.1}, width=4, rescued=4)
    assert hard.rank(ONE, 4, allowed=[None])[0].items.tolist() == [3, 2, 1]


def test_without_priors_the_order_is_the_beams() -> None:
    plan = fusion(FOUR, lambda history: TRAP)
    assert plan.rank(ONE, 3, allowed=[None])[0].items.tolist() == [0, 3, 2]
    unweighted = fusion(FOUR, lambda history: TRAP, [LOVED], {"love": 0.0})
    found = unweighted.rank(ONE, 3, allowed=[None])[0]
    assert found.items.tolist() == [0, 3, 2]
    assert found.scores.tolist() == found.logprobs.tolist()


def test_ties_go_to_the_item_of_the_lower_number() -> None:
    even = fusion(FOUR, lambda history: [0.25] * 4, [LOVED], {"love": 1.0})
    assert even.rank(ONE, 4, allowed=[None])[0].items.tolist() == [1, 2, 0, 3]


def left_out(*, weight: float = 3.0, rescued: int = 4) -> Fusion:
    """The trap, ranked without its model; asking the engine is an error."""
    plan = fusion(FOUR, lambda history: TRAP, [LOVED], {"love": weight}, width=4, rescued=rescued)
    silent = None if weight else plan.engine
    return replace(plan, engine=silent, mix=replace(plan.mix, model=False))  # type: ignore[arg-type]


def test_priors_rank_where_the_model_is_left_out() -> None:
    found = left_out().rank(ONE, 3, allowed=[None])[0]
    assert found.items.tolist() == [1, 2, 0]  # ties go to the lower number
    assert found.scores.tolist() == [3, 3, -3]
    assert found.logprobs.tolist() == [0, 0, 0]
    assert left_out().scores(ONE, found.items).tolist() == [[3, 3, -3]]


def test_filters_and_nudges_bind_without_the_model() -> None:
    nudge = np.array([9, 0, -np.inf, 0], dtype=np.float32)
    allowed = np.array([True, True, True, False])
    found = left_out().rank(ONE, 4, allowed=[allowed], nudges=[nudge])[0]
    assert found.items.tolist() == [0, 1]
    assert not len(left_out().rank(ONE, 3, allowed=[np.zeros(4, dtype=bool)])[0].items)


def test_a_model_that_is_left_out_speaks_where_no_prior_has_weight() -> None:
    found = left_out(weight=0.0).rank(ONE, 4, allowed=[None])[0]
    assert found.items.tolist() == [0, 3, 2, 1]
    assert left_out().alone().mix.spoken


def test_explanations_ask_the_priors_where_the_model_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrec.fusing.PRIORED", 3)
    judge = Slated(left_out(), 2)
    assert judge.whole
    assert judge.scores([np.array([0])], np.array([0, 1])).tolist() == [[-3, 3]]


def test_every_history_gets_its_own_ranking() -> None:
    """The model likes the next item; both histories are ranked at once and under their own rules."""
    plan = fusion(FOUR, lambda history: np.roll([0.7, 0.15, 0.1, 0.05], history[-1] + 1).tolist())
    both = Ragged.from_lists([[0, 1], [3]])
    first, second = plan.rank(both, 2, allowed=[None, np.array([False, True, True, True])])
    assert first.items.tolist() == [2, 3]
    assert second.items.tolist() == [1, 2]


def test_a_profile_is_read() -> None:
    heard: list[str] = []
    plan = fusion(FOUR, lambda history: TRAP)
    beam = plan.engine.beam

    def listening(prompts: list[list[int]], *rest: object) -> object:
        heard.extend("".join(chr(token) for token in prompt if token < 1 << 20) for prompt in prompts)
        return beam(prompts, *rest)  # type: ignore[arg-type]

    plan.engine.beam = listening  # type: ignore[method-assign, assignment]
    plan.rank(ONE, 1, allowed=[None], profiles=["likes tea"])
    assert "likes tea" in heard[0]


@given(st.integers(0, 10**6), st.integers(1, 30))
@example_settings(max_examples=25)
def test_as_wide_as_the_catalog_is_brute_force(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    index = grid(3, 4)
    chances = random.dirichlet(np.ones(12)) * 0.9 + 1e-4
    likes = np.where(random.random(12) < 0.2, -np.inf, random.normal(size=12))
    allowed = random.random(12) < 0.7
    plan = fusion(index, lambda history: chances.tolist(), [Said("likes", tuple(likes))], {"likes": 2.0}, width=12)
    found = plan.rank(Ragged.from_lists([[5]]), k, allowed=[allowed])[0]
    scores = np.where(allowed, np.log(chances) + plan.mix.values(ONE)[0], -np.inf)
    wanted = [item for item in np.argsort(-scores).tolist() if scores[item] > -np.inf][:k]
    assert found.items.tolist() == wanted
    np.testing.assert_allclose(found.scores, scores[wanted], atol=1e-5)


def test_explanations_ask_for_the_scores_that_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    fused = trapped(width=4, rescued=0)
    judge = Slated(fused, 2, np.array([True, True, True, False]))
    whole = fused.rank(ONE, 4, allowed=[None])[0]
    found = judge.scores([np.array([0])], whole.items)
    np.testing.assert_allclose(found[0], whole.scores, atol=NEAR)
    assert judge.whole
    assert [slate.tolist() for slate in judge.slates([np.array([0]), np.array([], dtype=np.int64)]) or []] == [
        [2, 0]
    ] * 2
    assert Slated(fused).slates([np.array([0])]) is None
    monkeypatch.setattr("genrec.fusing.PRIORED", 3)  # the catalog has four items
    np.testing.assert_allclose(judge.scores([np.array([0])], whole.items)[0], whole.logprobs, atol=NEAR)
    assert not judge.whole


def test_unseen_is_all_but_the_history() -> None:
    assert unseen(np.array([1, 1, 3]), 5).tolist() == [True, False, True, False, True]
    assert unseen(np.array([], dtype=np.int64), 2).tolist() == [True, True]


@pytest.mark.parametrize("mask_seen", [True, False])
def test_as_a_ranker(mask_seen: bool) -> None:
    """Rows of item numbers, −1 where there is no item left."""
    ranker = GenerativeRanker(fusion(FOUR, lambda history: TRAP))
    found = ranker.rank(Ragged.from_lists([[0], [0, 3, 2], []]), 3, mask_seen=mask_seen)
    masked = [[3, 2, 1], [1, -1, -1], [0, 3, 2]]
    assert found.tolist() == (masked if mask_seen else [[0, 3, 2]] * 3)
    assert found.dtype == np.int32
