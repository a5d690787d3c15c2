"""Soft targets by hand, the chain rule they must obey, and the loss that teaches with them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genrec.items.index import ItemIndex
from genrec.tuning.distilling import SoftTargets, TrieDistillation
from tests.helpers.toyworld import grid

TWO = grid(2, 2)  # items 0 to 3: codes 00, 01, 10, 11
IDS = [np.array([10, 11]), np.array([12, 13])]
TOKENS = 14
CHANCES = torch.tensor([[0.1, 0.2, 0.3, 0.4]])


def targets_of(index: ItemIndex) -> SoftTargets:
    return SoftTargets.of(index.trie, index.codes, index.sizes)


def scattered(items: int, levels: int, seed: int) -> ItemIndex:
    """Some of the semantic IDs of a grid, in a random order."""
    whole = grid(*[4] * levels)
    rows = np.random.default_rng(seed).permutation(len(whole))[:items]
    return whole.select(rows)


def test_soft_targets_are_sums_over_leaves() -> None:
    targets = targets_of(TWO)
    torch.testing.assert_close(targets.at(0, CHANCES, torch.tensor([2])), torch.tensor([[0.3, 0.7]]))
    torch.testing.assert_close(targets.at(1, CHANCES, torch.tensor([2])), torch.tensor([[3 / 7, 4 / 7]]))
    torch.testing.assert_close(targets.at(1, CHANCES, torch.tensor([0])), torch.tensor([[1 / 3, 2 / 3]]))


def test_a_prefix_the_teacher_excludes_teaches_nothing() -> None:
    nothing = targets_of(TWO).at(1, torch.tensor([[0.0, 0.0, 0.5, 0.5]]), torch.tensor([1]))
    assert nothing.tolist() == [[0, 0]]


@given(items=st.integers(1, 16), levels=st.integers(2, 3), seed=st.integers(0, 99))
def test_along_a_path_they_multiply_to_the_items_chance(items: int, levels: int, seed: int) -> None:
    index = scattered(items, levels, seed)
    targets = targets_of(index)
    chances = torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(items), size=items))
    truth = torch.arange(items)
    product = torch.ones(items, dtype=torch.float64)
    for level in range(levels):
        soft = targets.at(level, chances, truth)
        torch.testing.assert_close(soft.sum(1), torch.ones(items, dtype=torch.float64))
        product *= soft[truth, targets.codes[:, level]]
    torch.testing.assert_close(product, chances.diagonal())


def labels_of(*items: int) -> list[int]:
    """Two words that are not learnt, then semantic IDs."""
    return [-100, -100, *(int(IDS[level][code]) for item in items for level, code in enumerate(TWO.codes[item]))]


class Told:
    """A teacher that always says the same, and remembers what it was shown."""

    def __init__(self, row: list[float]) -> None:
        self.vectors, self.shown = torch.tensor(row).log()[:, None], torch.empty(0)

    def states(self, windows: torch.Tensor) -> torch.Tensor:
        self.shown = windows
        return torch.ones(int((windows >= 0).sum()), 1)


def kept(logits: torch.Tensor, labels: torch.Tensor) -> SimpleNamespace:
    """The logits of the learnt places alone, as the model gives them under `flattened`."""
    return SimpleNamespace(logits=logits[:, :-1][labels[:, 1:] != -100][None])


def loss_of(teacher: Told, weight: float, logits: torch.Tensor, labels: list[list[int]]) -> float:
    loss = TrieDistillation(teacher, TWO.trie, TWO.codes, IDS, weight)
    return float(loss(kept(logits, torch.tensor(labels)), torch.tensor(labels)))


def test_the_teacher_is_shown_the_histories_that_stand_in_the_labels() -> None:
    teacher = Told([0.1, 0.2, 0.3, 0.4])
    rows = [labels_of(3, 0, 2), [*labels_of(1), *[-100] * 4], [*labels_of(2, 1), -100, -100]]
    loss_of(teacher, 0.7, torch.zeros(3, len(rows[0]), TOKENS), rows)
    assert teacher.shown.tolist() == [[3, 0], [-1, 2]]


def test_without_weight_it_is_cross_entropy() -> None:
    logits = torch.randn(1, 8, TOKENS, generator=torch.Generator().manual_seed(0))
    labels = [labels_of(3, 0, 2)]
    plain = torch.nn.functional.cross_entropy(logits[0, :-1], torch.tensor(labels)[0, 1:], ignore_index=-100)
    assert loss_of(Told([1.0, 1, 1, 1]), 0.0, logits, labels) == pytest.approx(float(plain), rel=1e-5)


def test_by_hand() -> None:
    """Uniform logits: each code costs log 14 whatever the target is, so the weight changes nothing. Where the model is
    sure of the truth, the teacher's doubt costs: of code 0 (.3, .7) and then (1/3, 2/3), for item 1 = codes 0, 1."""
    labels = [labels_of(3, 1)]
    flat = torch.zeros(1, 6, TOKENS)
    assert loss_of(Told([0.1, 0.2, 0.3, 0.4]), 0.7, flat, labels) == pytest.approx(np.log(14), rel=1e-5)
    sure = torch.zeros(1, 6, TOKENS)
    sure[0, 3, 10], sure[0, 4, 13] = 5.0, 5.0
    truth, other = np.log(1 + 13 * np.exp(-5)), np.log(np.exp(5) + 13)
    soft = (0.3 * truth + 0.7 * other) + (1 / 3 * other + 2 / 3 * truth)
    wanted = (2 * np.log(14) + 0.4 * 2 * truth + 0.6 * soft) / 4
    assert loss_of(Told([0.1, 0.2, 0.3, 0.4]), 0.6, sure, labels) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("levels", [1, 2])
def test_gradients_are_those_of_the_formula(levels: int) -> None:
    """Against autograd through the loss as its docstring writes it; codes that no item has get nothing."""
    index = grid(2, 3).select(np.array([4, 0, 3])) if levels == 2 else grid(6).select(np.array([4, 0, 3]))
    ids = [np.array([5, 6]), np.array([7, 8, 9])] if levels == 2 else [np.arange(5, 11)]
    row = torch.tensor([0.2, 0.5, 0.3])
    names = [2, 0, 1]
    tokens = [int(ids[level][index.codes[item, level]]) for item in names for level in range(levels)]
    labels = torch.tensor([[-100, 3, *tokens], [-100, 2, *tokens[:levels], *[-100] * (2 * levels)]])
    logits = torch.randn(*labels.shape, 12, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = TrieDistillation(Told(row.tolist()), index.trie, index.codes, ids, 0.7)
    ours = loss(kept(logits, labels), labels)
    (found,) = torch.autograd.grad(ours, logits)

    says = torch.log_softmax(logits[:, :-1], dim=-1)
    total = torch.nn.functional.nll_loss(says.flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
    for place, item in enumerate(names[1:], 1):
        for level in range(levels):
            column = 1 + place * levels + level
            same = (index.codes[:, :level] == index.codes[item, :level]).all(axis=1)
            for other in np.flatnonzero(same):
                chance = row[other] / row[torch.from_numpy(same)].sum()
                total = total - 0.7 * chance * says[0, column, int(ids[level][index.codes[other, level]])]
            total = total + 0.7 * says[0, column, labels[0, column + 1]]
    wanted = total / (labels[:, 1:] != -100).sum()
    torch.testing.assert_close(ours, wanted)
    torch.testing.assert_close(found, torch.autograd.grad(wanted, logits)[0])


def test_a_batch_of_words_alone_is_cross_entropy() -> None:
    labels = [[-100, 3, 4, 5]]
    assert loss_of(Told([1.0, 1, 1, 1]), 0.7, torch.zeros(1, 4, TOKENS), labels) == pytest.approx(np.log(14), rel=1e-5)
