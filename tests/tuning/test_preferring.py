"""Losses by hand, what their gradients do, and a pass of training that learns what it should."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genrec.model.vocabulary import Vocabulary
from genrec.ragged import Ragged
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.learnt import flattened
from genrec.tuning.preferring import Compared, Comparing, Objective, Preferred, Rewarded, Rows, learn
from tests.helpers.tiny import adapted, qwen3, small_index, small_vocabulary, whole_passes

NONE = -torch.inf
SAID = torch.tensor([[-1.0, -2.0, -3.0]])


def loss_of(objective: Objective, logprobs: list[float], reference: list[float], rewards: list[float]) -> float:
    return float(objective(*(torch.tensor([row]) for row in (logprobs, reference, rewards)))[0])


def gradient_of(objective: Objective, rewards: list[float]) -> torch.Tensor:
    """Of the log-probabilities, where model and reference say the same."""
    logprobs = SAID.clone().requires_grad_(True)
    objective(logprobs, SAID, torch.tensor([rewards])).sum().backward()
    assert logprobs.grad is not None
    return logprobs.grad[0]


def test_preferences_by_hand() -> None:
    """Δ = (.5, −.5, 1): −log σ(−log(e^{½(−.5−.5)} + e^{½(1−.5)})), as Chen et al. write it."""
    found = loss_of(Preferred(0.5), [-1.0, -2.0, -2.0], [-1.5, -1.5, -3.0], [0.0] * 3)
    inner = -math.log(math.exp(-0.5) + math.exp(0.25))
    assert found == pytest.approx(math.log(1 + math.exp(-inner)), rel=1e-6)


def test_with_one_rejected_it_is_dpo() -> None:
    found = loss_of(Preferred(0.3), [-1.0, -2.0, -9.0], [-1.5, -1.2, NONE], [0.0] * 3)
    assert found == pytest.approx(-math.log(1 / (1 + math.exp(-0.3 * (0.5 + 0.8)))), rel=1e-6)


def test_at_the_start_every_rejected_one_is_pushed_down_alike() -> None:
    torch.testing.assert_close(gradient_of(Preferred(0.6), [0.0] * 3), 0.6 * torch.tensor([-2 / 3, 1 / 3, 1 / 3]))


def test_rewards_by_hand() -> None:
    """Chances .8 and .2 where the reference has .5 each, rewards 1 and 0: −.8 + β KL."""
    apart = 0.8 * math.log(1.6) + 0.2 * math.log(0.4)
    found = loss_of(Rewarded(0.1), [math.log(0.4), math.log(0.1)], [-2.0, -2.0], [1.0, 0.0])
    assert found == pytest.approx(-0.8 + 0.1 * apart, rel=1e-5)


def test_where_all_rewards_are_alike_only_the_reference_pulls() -> None:
    torch.testing.assert_close(gradient_of(Rewarded(0.1), [2.0] * 3), torch.zeros(3))


def test_the_rewarded_rises_and_the_worst_falls_in_step_with_its_chance() -> None:
    up, *down = (-gradient_of(Rewarded(0.1), [1.0, -0.2, -0.2])).tolist()
    assert up > 0 > max(down)
    assert down[0] / down[1] == pytest.approx(math.exp(1), rel=1e-4)


@given(seed=st.integers(0, 200))
def test_candidates_that_are_not_there_count_for_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    logprobs, reference, rewards = random.normal(size=(3, 4)).tolist()
    for objective in (Preferred(0.7), Rewarded(0.7)):
        short = loss_of(objective, logprobs, reference, rewards)
        longer = loss_of(objective, [*logprobs, random.normal()], [*reference, NONE], [*rewards, 5.0])
        assert longer == pytest.approx(short, abs=1e-6)


@given(seed=st.integers(0, 200))
def test_their_best_is_the_tilted_reference(seed: int) -> None:
    """No chances have a smaller loss than reference · exp(reward / β) (Rafailov et al. 2023, equation 4)."""
    random = np.random.default_rng(seed)
    reference, rewards = torch.from_numpy(random.normal(size=(2, 1, 5))).float()
    best = reference + rewards / 0.5
    other = best + 0.3 * torch.from_numpy(random.normal(size=(1, 5))).float()
    loss = Rewarded(0.5)
    assert float(loss(best, reference, rewards)) <= float(loss(other, reference, rewards)) + 1e-6


# With a model


def compared(
    vocabulary: Vocabulary, prompts: list[list[int]], items: list[list[int]], levels: tuple[int, ...]
) -> Compared:
    index = small_index(30, levels)
    chosen = np.array(items)
    tokens = vocabulary.semantic_tokens(index.codes)[np.maximum(chosen, 0)]
    reference = np.where(chosen >= 0, -3.0, -np.inf).astype(np.float32)
    rewards = np.zeros_like(reference)
    rewards[:, 0] = 1
    return Compared(Ragged.from_lists(prompts), tokens, reference, rewards)


@pytest.mark.parametrize("levels", [(40,), (4, 8)])
def test_log_probabilities_are_those_of_plain_passes(levels: tuple[int, ...]) -> None:
    index = small_index(30, levels)
    vocabulary = small_vocabulary(index)
    model, prompts = qwen3(vocabulary), [[5, 6, 7], [9, 8, 7, 6, 5]]
    pairs = compared(vocabulary, prompts, [[1, 2, 3], [4, 5, -1]], levels)
    batch = Rows(pairs.tokens, vocabulary.pad_id)([{"input_ids": prompts[row], "labels": [row]} for row in (0, 1)])
    seen: list[torch.Tensor] = []

    def watch(logprobs: torch.Tensor, reference: torch.Tensor, rewards: torch.Tensor) -> torch.Tensor:
        seen.append(logprobs)
        return logprobs.sum(1)

    labels = batch.pop("labels")
    with flattened(model), torch.no_grad():
        Comparing(pairs, watch)(model(**batch), labels)
    plain = [whole_passes(model, vocabulary, prompt, index) for prompt in prompts]
    wanted = torch.tensor(np.stack([plain[0][[1, 2, 3]], plain[1][[4, 5, 0]]]), dtype=torch.float32)
    torch.testing.assert_close(seen[0][0], wanted[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(seen[0][1, :2], wanted[1, :2], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("objective", [Preferred(0.5), Rewarded(0.1)])
@pytest.mark.parametrize("levels", [(40,), (4, 8)])
def test_a_pass_raises_the_chosen_among_its_candidates(
    objective: Objective, levels: tuple[int, ...], tmp_path: Path
) -> None:
    index = small_index(30, levels)
    vocabulary = small_vocabulary(index)
    model, prompts = qwen3(vocabulary), [[5, 6, 7], [9, 8, 7, 6, 5]] * 8
    rows = [[1, 2, 3], [4, 5, -1]] * 8
    pairs = compared(vocabulary, prompts, rows, levels)
    before = [whole_passes(model, vocabulary, prompt, index) for prompt in prompts[:2]]
    settings = AlignSettings(batch_size=4, learning_rate=1e-3)
    loss = learn(model, pairs, objective, settings, tmp_path, pad_id=vocabulary.pad_id)
    after = [whole_passes(model.eval(), vocabulary, prompt, index) for prompt in prompts[:2]]
    assert math.isfinite(loss)
    for was, now, row in zip(before, after, rows[:2], strict=True):
        others = [item for item in row[1:] if item >= 0]
        assert (now[row[0]] - now[others] > was[row[0]] - was[others]).all()


def test_of_an_adapter_nothing_but_the_adapter_moves(tmp_path: Path) -> None:
    vocabulary = small_vocabulary(small_index(30, (40,)))
    model = adapted(vocabulary)
    pairs = compared(vocabulary, [[5, 6, 7]] * 4, [[1, 2, 3]] * 4, (40,))
    still = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    learn(model, pairs, Preferred(0.5), AlignSettings(batch_size=4), tmp_path, pad_id=vocabulary.pad_id)  # type: ignore[arg-type]
    assert all(torch.equal(weight, dict(model.named_parameters())[name]) for name, weight in still.items())


def test_a_pass_ends_when_its_time_is_up(tmp_path: Path) -> None:
    vocabulary = small_vocabulary(small_index(30, (40,)))
    pairs = compared(vocabulary, [[5, 6, 7]] * 40, [[1, 2, 3]] * 40, (40,))
    steps: list[SimpleNamespace] = []

    def counting(logprobs: torch.Tensor, reference: torch.Tensor, rewards: torch.Tensor) -> torch.Tensor:
        steps.append(SimpleNamespace())
        return -logprobs[:, 0]

    settings = AlignSettings(batch_size=4)
    learn(qwen3(vocabulary), pairs, counting, settings, tmp_path, pad_id=vocabulary.pad_id, until=0.0)
    assert len(steps) == 1
