"""What a GPU says is what the processor says: engine, teacher, SASRec, EASE, and a whole run. Skipped without one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from genrec.decoding.engine import Candidates, Float64
from genrec.decoding.torch_engine import TorchEngine
from genrec.evaluation.baselines import ease
from genrec.evaluation.baselines.sasrec import Sasrec, SasrecConfig
from genrec.interactions import Histories
from genrec.items.trie import View
from genrec.model.vocabulary import Vocabulary
from genrec.ragged import Ragged
from genrec.recommender import Recommender
from genrec.splitting import Cases
from genrec.tuning.distilling import TrieDistillation
from tests.helpers.running import Tiny
from tests.helpers.tiny import TEXTS, adapted, gpt2, llama, qwen3, small_index, small_vocabulary
from tests.helpers.toyworld import grid

pytestmark = pytest.mark.gpu
ITEMS = 300


def network(drawn: int | None = None, device: str = "cpu") -> Sasrec:
    """Of a few histories, trained for six epochs."""
    rows = np.random.default_rng(0).integers(0, ITEMS, (80, 8)).tolist()
    names, train = [f"u{row}" for row in range(len(rows))], Ragged.from_lists([row[:7] for row in rows])
    histories = Histories(names, train, np.zeros(len(train.items), dtype=np.int64))
    valid = Cases(names, train, Ragged.from_lists([row[7:] for row in rows]), np.zeros(len(rows), dtype=np.int64))
    config = SasrecConfig(width=16, length=7, batch=16, learning_rate=0.01, epochs=6, patience=6, drawn=drawn)
    return Sasrec.fit(histories, valid, ITEMS, config, device=device)


@pytest.mark.parametrize("made", [qwen3, llama, gpt2, adapted])
def test_the_engine_answers_alike(made: Callable[[Vocabulary], torch.nn.Module]) -> None:
    index = small_index()
    vocabulary = small_vocabulary(index)
    prompts = [vocabulary.ids(text) for text in TEXTS]
    model = made(vocabulary)
    found: dict[str, tuple[list[Candidates], list[Float64]]] = {}
    for device in ("cpu", "cuda"):
        engine = TorchEngine(
            copy.deepcopy(model).to(device), vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=vocabulary.end_id
        )
        beams = engine.beam(prompts, [View(index.trie)] * len(prompts), len(index))
        scores = engine.score(prompts, [index.codes] * len(prompts))
        found[device] = (beams, scores)
    for beam, other in zip(found["cpu"][0], found["cuda"][0], strict=True):
        np.testing.assert_allclose(beam.logprobs, other.logprobs, atol=2e-3)
    for score, again in zip(found["cpu"][1], found["cuda"][1], strict=True):
        np.testing.assert_allclose(score, again, atol=2e-3)


@pytest.mark.parametrize("drawn", [None, 50])
def test_sasrec_trains_there_and_scores_alike(drawn: int | None) -> None:
    model = network(drawn, "cuda")
    assert model.device.type == "cuda"
    assert model.curve[-1].loss < model.curve[0].loss
    histories = Ragged.from_lists([[1, 2, 3], [5], [7, 7, 7, 8, 9, 10, 11, 12]])
    there = model.scores(histories)
    np.testing.assert_allclose(there, model.to("cpu").scores(histories), atol=1e-4)


def test_sasrec_saved_there_opens_anywhere(tmp_path: Path) -> None:
    model = network(device="cuda")
    model.save(tmp_path / "network.safetensors")
    np.testing.assert_array_equal(Sasrec.load(tmp_path / "network.safetensors").item_vectors, model.item_vectors)


@pytest.mark.parametrize("sizes", [(ITEMS,), (15, 20)])
def test_the_teachers_loss_and_gradients_are_alike(sizes: tuple[int, ...]) -> None:
    index = grid(*sizes)
    first = 20 + np.cumsum([0, *sizes[:-1]])
    ids = [start + np.arange(size) for start, size in zip(first, sizes, strict=True)]
    named = [3, 250, 17, 8]
    tokens = [int(ids[level][index.codes[item, level]]) for item in named for level in range(len(sizes))]
    labels = torch.tensor([[-100, 3, *tokens], [-100, 2, *tokens]])
    logits = torch.randn(*labels.shape, 20 + sum(sizes), generator=torch.Generator().manual_seed(1))
    found = []
    for device in ("cpu", "cuda"):
        teacher = network().to(device)
        loss = TrieDistillation(teacher, index.trie, index.codes, ids, 0.6)
        there, wanted = logits.to(device).requires_grad_(), labels.to(device)
        value = loss(SimpleNamespace(logits=there[:, :-1][wanted[:, 1:] != -100][None]), wanted)
        (slope,) = torch.autograd.grad(value, there)
        found.append((value.detach().cpu(), slope.cpu()))
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_ease_is_solved_alike() -> None:
    gram = np.random.default_rng(0).random((400, 60)).astype(np.float32)
    gram = gram @ gram.T + 5 * np.eye(400, dtype=np.float32)
    (upper, diagonal), (again, other) = ease._inverse(gram.copy()), ease._inverse_on_gpu(gram.copy())
    np.testing.assert_allclose(upper, again, atol=1e-4)
    np.testing.assert_allclose(diagonal, other, rtol=1e-3)


def test_a_whole_run_answers_alike_on_both(tiny: Tiny) -> None:
    """tests/conftest.py trains it where the default says: here, on the GPU."""
    slates = []
    for device in ("cpu", "cuda"):
        recommender = Recommender.open(tiny.bundle, device=device)
        items = recommender.catalog.item_ids
        slates.append([recommender.recommend(items[row : row + 4], k=5) for row in range(3)])
    for one, other in zip(*slates, strict=True):
        here, there = ([item.score for item in slate.items] for slate in (one, other))
        np.testing.assert_allclose(here, there, atol=5e-3)
