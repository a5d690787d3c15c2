"""SASRec: its loss, its windows, its causality, and that it learns a chain."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.errors import DataError
from genrec.evaluation.baselines.full_softmax import full_softmax_loss
from genrec.evaluation.baselines.sampled_softmax import sampled_softmax_loss
from genrec.evaluation.baselines.sasrec import Epoch, Sasrec, SasrecConfig, training_windows
from genrec.evaluation.baselines.tuning import validation_ndcg
from genrec.interactions import Histories
from genrec.ragged import Ragged
from genrec.splitting import Cases

SMALL = SasrecConfig(
    width=16, dropout=0.1, length=4, batch=16, learning_rate=0.01, epochs=12, patience=12, threads=1, mask_seen=False
)


def _chain(users, n_items=10):
    """Item i is always followed by i + 1 (mod n_items): what comes next can be known exactly."""
    rows = [[(user + step) % n_items for step in range(6)] for user in range(users)]
    train = Ragged.from_lists([row[:5] for row in rows])
    names = [f"u{user}" for user in range(users)]
    valid = Cases(names, train, Ragged.from_lists([row[5:] for row in rows]), np.zeros(users, dtype=np.int64))
    return Histories(names, train, np.zeros(len(train.items), dtype=np.int64)), valid


@pytest.fixture(scope="module")
def trained():
    train, valid = _chain(60)
    return Sasrec.fit(train, valid, 10, SMALL, device="cpu"), train, valid


def test_the_loss_and_its_gradients_are_cross_entropy():
    torch.manual_seed(0)
    states, items = torch.randn(300, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    targets = torch.randint(0, 50, (300,))
    plain = torch.nn.functional.cross_entropy(states @ items.T, targets)
    expected = torch.autograd.grad(plain, [states, items])
    ours = full_softmax_loss(states, items, targets)
    found = torch.autograd.grad(ours * 1.0, [states, items])
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(found, expected)


def test_windows_of_a_short_and_a_long_history():
    windows = training_windows(Ragged.from_lists([[7], [1, 2], [1, 2, 3, 4, 5, 6], []]), 3)
    assert windows.tolist() == [[-1, -1, 1, 2], [3, 4, 5, 6], [-1, 1, 2, 3]]


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=8), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_every_event_but_the_first_is_a_target_once(rows, length):
    windows = training_windows(Ragged.from_lists(rows), length)
    pairs = [(a, b) for window in windows.tolist() for a, b in pairwise(window) if a >= 0]
    assert sorted(pairs) == sorted((a, b) for row in rows for a, b in pairwise(row))


def test_it_learns_a_chain(trained):
    model, _, valid = trained
    assert validation_ndcg(model, valid, mask_seen=False) > 0.95
    assert max(epoch.valid_ndcg for epoch in model.curve) == validation_ndcg(model, valid, mask_seen=False)


def test_scores_are_log_probabilities_of_vectors(trained):
    model, _, valid = trained
    scores = model.scores(valid.histories)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1.0, rtol=1e-5)
    logits = model.user_vectors(valid.histories) @ model.item_vectors.T
    shift = (scores - logits)[:, :1]
    np.testing.assert_allclose(scores - logits, np.broadcast_to(shift, logits.shape), atol=1e-4)


def test_only_the_newest_events_count(trained):
    model = trained[0]
    short, long = Ragged.from_lists([[3, 4, 5, 6]]), Ragged.from_lists([[9, 9, 3, 4, 5, 6]])
    np.testing.assert_array_equal(model.scores(short), model.scores(long))


def test_scores_do_not_depend_on_the_company(trained):
    model = trained[0]
    together = model.scores(Ragged.from_lists([[1], [2, 3, 4, 5], []]))
    alone = np.concatenate([model.scores(Ragged.from_lists([row])) for row in ([1], [2, 3, 4, 5], [])])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.isfinite(together).all()


def test_a_later_event_does_not_change_an_earlier_state(trained):
    network = trained[0].network
    with torch.inference_mode():
        states = network(torch.tensor([[-1, 1, 2, 3], [-1, 1, 2, 9]]))
    torch.testing.assert_close(states[0, :3], states[1, :3])
    assert not torch.allclose(states[0, 3], states[1, 3])


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    train, valid = _chain(20)
    short = SMALL.model_copy(update={"epochs": 1})
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again = (Sasrec.fit(train, valid, 10, short).item_vectors for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert torch.equal(before, torch.random.get_rng_state())
    other = Sasrec.fit(train, valid, 10, short.model_copy(update={"seed": 1})).item_vectors
    assert not np.array_equal(first, other)


def test_time_budget_and_patience_stop_training():
    train, valid = _chain(20)
    seen: list[Epoch] = []
    model = Sasrec.fit(train, valid, 10, SMALL.model_copy(update={"max_seconds": 1e-6}), report=seen.append)
    assert len(model.curve) == len(seen) == 1
    flat = SMALL.model_copy(update={"patience": 2, "learning_rate": 1e-12, "epochs": 50})
    assert len(Sasrec.fit(train, valid, 10, flat).curve) == 3


def test_it_comes_back_from_disk(trained, tmp_path):
    model, _, valid = trained
    model.save(tmp_path / "sasrec.safetensors")
    back = Sasrec.load(tmp_path / "sasrec.safetensors")
    assert back.config == model.config
    np.testing.assert_array_equal(back.scores(valid.histories), model.scores(valid.histories))


def test_a_foreign_file_is_not_sasrec(tmp_path):
    from safetensors.torch import save_file

    save_file({"other": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match="not a SASRec file"):
        Sasrec.load(tmp_path / "x.safetensors")


def test_heads_must_share_the_width():
    with pytest.raises(ValueError, match="not a multiple of heads"):
        SasrecConfig(width=10, heads=3)


def test_histories_of_single_events_cannot_train():
    _, valid = _chain(2)
    single = Histories(["a"], Ragged.from_lists([[1]]), np.zeros(1, dtype=np.int64))
    with pytest.raises(DataError, match="two events"):
        Sasrec.fit(single, valid, 10, SMALL)


def test_a_sampled_softmax_over_all_is_cross_entropy_and_over_some_near_it():
    torch.manual_seed(0)
    states, items, targets = torch.randn(200, 8), torch.randn(400, 8) / 2, torch.randint(0, 400, (200,))
    plain = torch.nn.functional.cross_entropy(states @ items.T, targets)
    torch.testing.assert_close(sampled_softmax_loss(states, items, targets, 400), plain)
    some = torch.stack([sampled_softmax_loss(states, items, targets, 100) for _ in range(50)])
    assert abs(float(some.mean() - plain)) < 0.05
    assert float(some.std()) > 0


def test_a_large_catalog_is_learnt_from_a_sample():
    train, valid = _chain(60)
    model = Sasrec.fit(train, valid, 10, SMALL.model_copy(update={"drawn": 4}))
    assert validation_ndcg(model, valid, mask_seen=False) > 0.9
