"""What every engine owes, as tests: subclass `EngineContract` and give it a fixture `world`. Knows no engine.

`World.exact` is the referee: the log-probability of every item by the plainest way the engine's model has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from genrec.decoding.engine import Candidates, Engine, Float64, Prompt, TextRule
from genrec.errors import EngineError
from genrec.items.index import ItemIndex
from genrec.items.trie import Trie, View
from genrec.ragged import Int64

NEAR = 1e-4


@dataclass(frozen=True)
class World:
    """An engine and what is known of it.

    prompts: of different lengths, at least four; exact: log p(semantic ID | prompt) of every item, float64 [items];
    ending_at: the same engine with another end token.
    """

    engine: Engine
    index: ItemIndex
    code_ids: Sequence[Int64]
    end_id: int
    context: int
    prompts: list[list[int]]
    exact: Callable[[Prompt], Float64]
    ending_at: Callable[[int], Engine]

    @property
    def whole(self) -> View:
        return View(self.index.trie)

    def one(self, prompt: Prompt, view: View, width: int) -> Candidates:
        return self.engine.beam([prompt], [view], width)[0]

    def long(self, tokens: int) -> list[int]:
        return (self.prompts[0] * tokens)[:tokens]


def some_views(index: ItemIndex, seed: int = 0) -> list[View]:
    """No rule, a filter, a prior, a filter with a prior that forbids some more, and one that leaves a single item."""
    random = np.random.default_rng(seed)
    allowed = random.random(len(index)) < 0.4
    prior = random.normal(0, 3, len(index)).astype(np.float32)
    harsh = np.where(random.random(len(index)) < 0.5, prior, -np.inf).astype(np.float32)
    only = np.arange(len(index)) == int(random.integers(len(index)))
    trie = index.trie
    return [
        View(trie),
        View.of(trie, allowed=allowed),
        View.of(trie, prior=prior),
        View.of(trie, allowed=allowed, prior=harsh),
        View.of(trie, allowed=only),
    ]


def prior_of(view: View) -> Float64:
    """The view as one number per item: its prior, −inf where it forbids. The plainest reading of a view."""
    leaves = np.arange(len(view.trie))
    found = np.zeros(len(view.trie)) if view.bounds is None else view.bounds.levels[-1].astype(np.float64)
    if view.filter is not None:
        found = np.where(view.filter.count(leaves, leaves + 1) > 0, found, -np.inf)
    by_item = np.empty(len(view.trie))
    by_item[view.trie.items] = found
    return by_item


def assert_best(found: Candidates, exact: Float64, prior: Float64) -> None:
    """All allowed items, each with its exact log-probability, best sum first (up to ties)."""
    assert sorted(found.items.tolist()) == np.flatnonzero(prior > -np.inf).tolist()
    np.testing.assert_allclose(found.logprobs, exact[found.items], atol=NEAR)
    assert (np.diff((exact + prior)[found.items]) <= NEAR).all()


def assert_same(found: Candidates, other: Candidates) -> None:
    assert found.items.tolist() == other.items.tolist()
    np.testing.assert_allclose(found.logprobs, other.logprobs, atol=NEAR)


class EngineContract:
    def test_a_beam_as_wide_as_the_catalog_is_exhaustive(self, world: World) -> None:
        for prompt in world.prompts:
            assert_best(
                world.one(prompt, world.whole, len(world.index)), world.exact(prompt), np.zeros(len(world.index))
            )

    def test_wider_than_the_catalog_changes_nothing(self, world: World) -> None:
        wide = world.one(world.prompts[0], world.whole, len(world.index))
        assert_same(world.one(world.prompts[0], world.whole, 10 * len(world.index)), wide)

    @pytest.mark.parametrize("width", [1, 2, 7, 20])
    def test_a_narrow_beam_is_full_exact_sorted_and_distinct(self, world: World, width: int) -> None:
        for prompt in world.prompts:
            found = world.one(prompt, world.whole, width)
            assert len(found.items) == len(set(found.items.tolist())) == width
            np.testing.assert_allclose(found.logprobs, world.exact(prompt)[found.items], atol=NEAR)
            assert (np.diff(found.logprobs) <= 0).all()

    def test_scores_are_those_of_plain_passes(self, world: World) -> None:
        random = np.random.default_rng(1)
        chosen = [random.integers(len(world.index), size=size) for size in (1, 9, 40, 0)]  # doubled items among them
        found = world.engine.score(world.prompts[:4], [world.index.codes[items] for items in chosen])
        for prompt, items, scores in zip(world.prompts, chosen, found, strict=False):
            np.testing.assert_allclose(scores, world.exact(prompt)[items], atol=NEAR)

    def test_scores_of_nothing(self, world: World) -> None:
        found = world.engine.score([world.prompts[0]], [world.index.codes[:0]])
        assert [len(scores) for scores in found] == [0]

    @pytest.mark.parametrize("seed", range(3))
    def test_filters_and_priors_decide_what_is_best(self, world: World, seed: int) -> None:
        for prompt, view in zip(world.prompts * 2, some_views(world.index, seed), strict=False):
            assert_best(world.one(prompt, view, len(world.index)), world.exact(prompt), prior_of(view))

    @pytest.mark.parametrize("width", [1, 5, 30])
    def test_never_short_and_never_forbidden(self, world: World, width: int) -> None:
        for prompt, view in zip(world.prompts * 2, some_views(world.index, 7), strict=False):
            found, prior = world.one(prompt, view, width), prior_of(view)
            assert len(set(found.items.tolist())) == min(width, view.allowed) == len(found.items)
            assert (prior[found.items] > -np.inf).all()
            assert (np.diff(found.logprobs + prior[found.items]) <= NEAR).all()

    def test_a_strong_prior_is_found_by_a_beam_of_one(self, world: World) -> None:
        """The bound on the best prior below keeps the branch that the model alone would have dropped."""
        wanted = int(world.exact(world.prompts[0]).argmin())
        prior = np.zeros(len(world.index), dtype=np.float32)
        prior[wanted] = 100
        found = world.one(world.prompts[0], View.of(world.index.trie, prior=prior), 1)
        assert found.items.tolist() == [wanted]
        np.testing.assert_allclose(found.logprobs, world.exact(world.prompts[0])[wanted], atol=NEAR)

    def test_a_batch_says_what_each_says_alone(self, world: World) -> None:
        views = some_views(world.index, 3)
        prompts = (world.prompts * len(views))[: len(views)]
        for width in (3, len(world.index)):
            for prompt, view, found in zip(prompts, views, world.engine.beam(prompts, views, width), strict=True):
                assert_same(found, world.one(prompt, view, width))

    def test_text_of_a_batch_is_that_of_each_alone(self, world: World) -> None:
        for rule in (TextRule(12), TextRule(12, temperature=1.0, seed=5)):
            alone = [world.engine.generate([prompt], rule)[0] for prompt in world.prompts]
            assert world.engine.generate(world.prompts, rule) == alone

    def test_a_view_that_forbids_everything_gives_nothing(self, world: World) -> None:
        nothing = [
            View.of(world.index.trie, allowed=np.zeros(len(world.index), dtype=bool)),
            View.of(world.index.trie, prior=np.full(len(world.index), -np.inf, dtype=np.float32)),
        ]
        for view in nothing:
            found = world.one(world.prompts[0], view, 5)
            assert len(found.items) == len(found.logprobs) == 0
        beside = world.engine.beam(world.prompts[:3], [nothing[0], world.whole, nothing[1]], 5)
        assert [len(found.items) for found in beside] == [0, 5, 0]
        assert_same(beside[1], world.one(world.prompts[1], world.whole, 5))

    def test_another_catalog_is_another_view(self, world: World) -> None:
        """Views carry their trie, so one engine serves old and new catalogs at once, down to a single item."""
        few = [1, 7, len(world.index)]
        views = [View(Trie.build(world.index.codes[:items])) for items in few]
        found = world.engine.beam(world.prompts[:3], views, len(world.index))
        for prompt, items, best in zip(world.prompts, few, found, strict=False):
            assert_best(best, world.exact(prompt)[:items], np.zeros(items))

    def test_the_longest_prompt_that_fits(self, world: World) -> None:
        prompt = world.long(world.context - world.index.levels)
        assert_best(world.one(prompt, world.whole, 1000), world.exact(prompt), np.zeros(len(world.index)))

    def test_prompts_that_cannot_be_served(self, world: World) -> None:
        for prompt in ([], world.long(world.context), world.long(world.context - world.index.levels + 1)):
            with pytest.raises(EngineError):
                world.engine.beam([world.prompts[0], prompt], [world.whole] * 2, 5)
            with pytest.raises(EngineError):
                world.engine.score([world.prompts[0], prompt], [world.index.codes[:2]] * 2)
        for prompt in ([], world.long(world.context - 7)):
            with pytest.raises(EngineError):
                world.engine.generate([world.prompts[0], prompt], TextRule(8))

    def test_requests_that_do_not_fit_together(self, world: World) -> None:
        with pytest.raises(EngineError):
            world.engine.beam(world.prompts[:2], [world.whole], 5)
        with pytest.raises(EngineError):
            world.engine.score(world.prompts[:2], [world.index.codes[:2]])
        with pytest.raises(EngineError):
            world.one(world.prompts[0], world.whole, 0)
        with pytest.raises(EngineError):
            world.engine.generate(world.prompts, TextRule(0))

    def test_no_request_no_answer(self, world: World) -> None:
        assert world.engine.beam([], [], 5) == world.engine.score([], []) == world.engine.generate([], TextRule()) == []

    def test_weighing_agrees_with_what_is_written(self, world: World) -> None:
        """The token that it would write next weighs most, alone or in a batch, among whichever others."""
        firsts = [world.engine.generate([prompt], TextRule(1))[0] for prompt in world.prompts]
        pairs = [(prompt, first[0]) for prompt, first in zip(world.prompts, firsts, strict=True) if first]
        others = [token for token in range(5, 60) if token not in {world.end_id, *np.concatenate(world.code_ids)}]
        asked = [np.array([token, *(one for one in others if one != token)], dtype=np.int64) for _, token in pairs]
        found = world.engine.weigh([prompt for prompt, _ in pairs], asked)
        for (prompt, _), tokens, weights in zip(pairs, asked, found, strict=True):
            assert weights.shape == tokens.shape
            assert weights.argmax() == 0
            (alone,) = world.engine.weigh([prompt], [tokens[:3]])
            np.testing.assert_allclose(alone - alone[0], weights[:3] - weights[0], atol=NEAR)
        assert world.engine.weigh([], []) == []
        with pytest.raises(EngineError, match="differ in number"):
            world.engine.weigh(world.prompts[:2], [np.array(others[:1])])

    @pytest.mark.parametrize("temperature", [0.0, 1.5])
    def test_text_has_no_codes_no_end_and_no_more_than_asked(self, world: World, temperature: float) -> None:
        banned = {world.end_id} | {int(token) for level in world.code_ids for token in level}
        for seed in range(4):
            texts = world.engine.generate(world.prompts, TextRule(18, temperature, seed))
            assert all(len(text) <= 18 and not banned & set(text) for text in texts)
            assert any(texts)

    def test_text_stops_at_the_end_token(self, world: World) -> None:
        text = world.engine.generate([world.prompts[0]], TextRule(16))[0]
        end = text[len(text) // 2]
        assert world.ending_at(end).generate([world.prompts[0]], TextRule(16)) == [text[: text.index(end)]]

    def test_the_same_request_gets_the_same_answer(self, world: World) -> None:
        views = some_views(world.index, 11)
        prompts = (world.prompts * len(views))[: len(views)]
        first, second = (world.engine.beam(prompts, views, 9) for _ in range(2))
        for found, again in zip(first, second, strict=True):
            assert found.items.tolist() == again.items.tolist()
            assert found.logprobs.tolist() == again.logprobs.tolist()
        rule = TextRule(12, temperature=1.0, seed=3)
        assert world.engine.generate(world.prompts, rule) == world.engine.generate(world.prompts, rule)
