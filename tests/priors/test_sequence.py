"""The sequence prior: log-probabilities where SASRec knows something, silence where it does not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from genrec.evaluation.baselines.sasrec import Sasrec, SasrecConfig
from genrec.evaluation.baselines.sasrec_network import SasrecNetwork
from genrec.interactions import Histories
from genrec.priors import Sequential, standardised
from genrec.priors.stored import load_priors, save_priors
from genrec.ragged import Ragged

CONFIG = SasrecConfig(width=4, heads=1, length=5)
COLD = 3


@pytest.fixture
def prior() -> Sequential:
    torch.manual_seed(0)
    network = SasrecNetwork(6, CONFIG).eval()
    train = Histories(["a", "b"], Ragged.from_lists([[0, 1, 2], [4, 5]]), np.arange(5, dtype=np.int64))
    return Sequential.of(Sasrec(CONFIG, network), train)


def test_what_training_chose_is_known(prior: Sequential) -> None:
    assert np.flatnonzero(~prior.known).tolist() == [COLD]


def test_known_items_have_the_networks_log_probabilities(prior: Sequential) -> None:
    histories = Ragged.from_lists([[0, 1], [5]])
    found, wanted = prior.values(histories), prior.model.scores(histories)
    centred = wanted - wanted[:, prior.known].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, prior.known], centred[:, prior.known], atol=1e-6)
    assert not found[:, COLD].any()
    assert found.dtype == np.float32


def test_of_people_without_a_history_it_says_nothing(prior: Sequential) -> None:
    found = standardised(prior.values(Ragged.from_lists([[], [COLD]])))
    assert not found[0].any()
    assert not found[1].any()


def test_a_cold_item_in_a_history_is_passed_over(prior: Sequential) -> None:
    found = prior.values(Ragged.from_lists([[0, COLD, 1], [0, 1]]))
    np.testing.assert_allclose(found[0], found[1])


def test_another_catalog_keeps_what_is_known_of_its_items(prior: Sequential) -> None:
    """Item 0 is the old item 5, item 1 is new, item 2 the old item 0."""
    other = prior.select(np.array([5, -1, 0]))
    assert other.known.tolist() == [True, False, True]
    found, old = other.values(Ragged.from_lists([[2]])), prior.values(Ragged.from_lists([[0]]))
    np.testing.assert_allclose(found[0, 0] - found[0, 2], old[0, 5] - old[0, 0], rtol=1e-5)


def test_an_item_that_is_like_another_in_all_is_scored_and_read_as_it(prior: Sequential) -> None:
    rows = csr_matrix(np.eye(6, dtype=np.float32)[[0, 1, 2, 5, 4, 5]])
    likened = prior.likened(rows)
    assert likened.known.all()
    found = likened.values(Ragged.from_lists([[0, COLD], [0, 5]]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    np.testing.assert_allclose(found[:, COLD], found[:, 5], rtol=1e-5)
    assert not prior.known[COLD]


def test_it_comes_back_from_disk(prior: Sequential, tmp_path: Path) -> None:
    save_priors(tmp_path, (prior,))
    (back,) = load_priors(tmp_path)
    histories = Ragged.from_lists([[0, 1], [4]])
    assert isinstance(back, Sequential)
    np.testing.assert_array_equal(back.values(histories), prior.values(histories))
