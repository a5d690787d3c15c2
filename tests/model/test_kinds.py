"""Every kind of adapter: it learns under either trainer, outlives its file, serves the same list, merges if it can."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from genrec.decoding.engine import Candidates
from genrec.decoding.torch_engine import TorchEngine
from genrec.errors import BundleError
from genrec.examples import Examples
from genrec.items.trie import View
from genrec.model.adapters import UNMERGED, Kind, LoraSettings, adapted, finish, kind_of, merged
from genrec.model.base import is_quantised
from genrec.model.exporting import export_merged
from genrec.model.loading import engine_of, load, weights
from genrec.model.quantising import in_bits
from genrec.model.voices import prepare
from genrec.ragged import Ragged
from genrec.tuning.learnt import cross_entropy, flattened
from genrec.tuning.model import context_of
from genrec.tuning.settings import OptimiserSettings
from genrec.tuning.trainer import trainer
from tests.helpers.small_bundles import vocabulary_for, written
from tests.helpers.tiny import CONTEXT, gpt2, llama, qwen3, small_index, whole_passes

pytestmark = pytest.mark.filterwarnings("ignore")  # the trainers', peft's and bitsandbytes' own

INDEX = small_index()
VOCABULARY = vocabulary_for(INDEX)
ROWS = [int(token) for level in VOCABULARY.code_ids for token in level]
SMALL = LoraSettings(rank=4, alpha=8, dropout=0)
KINDS: dict[str, tuple[Kind, LoraSettings]] = {
    "lora": ("lora", SMALL), "rslora": ("lora", SMALL.model_copy(update={"rslora": True})),
    "dora": ("lora", SMALL.model_copy(update={"dora": True})), "qlora": ("qlora", SMALL),
    "adalora": ("adalora", SMALL), "ia3": ("ia3", SMALL), "prefix": ("prefix", SMALL), "prompt": ("prompt", SMALL),
}  # fmt: skip
BASES: dict[str, Callable[[], PreTrainedModel]] = {
    "qwen3": lambda: qwen3(VOCABULARY), "llama-tied": lambda: llama(VOCABULARY, tied=True),
}  # fmt: skip
VIRTUAL = 5


def examples() -> Examples:
    """Toy users who watch the catalog in order; every item but the first is to be learnt."""
    tokens = VOCABULARY.semantic_tokens(INDEX.codes)
    rows = [tokens[start : start + 3 + start % 2].ravel().tolist() for start in range(48)]
    labels = [[-100] * 3 + row[3:] for row in rows]
    return Examples(Ragged.from_lists(rows), Ragged.from_lists(labels))


def fresh(name: str, base: str) -> PeftModel:
    kind, settings = KINDS[name]
    model = BASES[base]()
    found = adapted(in_bits(model, "nf4") if kind == "qlora" else model, kind, settings, VIRTUAL, ROWS)
    assert isinstance(found, PeftModel)
    return found


def learn(model: PeftModel, run: Path, *, own: bool) -> list[float]:
    """Under trl's fused head or a loss of our own; returns the training losses."""
    settings = OptimiserSettings(batch_size=12, learning_rate=1e-2, epochs=5, evaluations=2)
    loss = cross_entropy if own else None
    made = trainer(model, VOCABULARY.tokenizer, examples(), examples(), settings, run, passes=5, loss=loss)
    if own:
        with flattened(model):
            made.train()
    else:
        made.train()
    finish(model)
    return [entry["loss"] for entry in made.state.log_history if "loss" in entry]


def slates(engine: TorchEngine) -> list[Candidates]:
    tokens = VOCABULARY.semantic_tokens(INDEX.codes)
    prompts = [tokens[: 1 + start].ravel().tolist() for start in range(3)]  # of several lengths: padded on the left
    return engine.beam(prompts, [View(INDEX.trie)] * 3, len(INDEX))


def assert_same(found: list[Candidates], wanted: list[Candidates], tolerance: float) -> None:
    for one, other in zip(found, wanted, strict=True):
        mine, theirs = (dict(zip(each.items.tolist(), each.logprobs, strict=True)) for each in (one, other))
        assert len(mine) == len(INDEX)
        np.testing.assert_allclose([mine[item] for item in theirs], list(theirs.values()), atol=tolerance)


@pytest.mark.parametrize(("base", "own"), [("qwen3", False), ("llama-tied", True)], ids=["fused", "tied-own-loss"])
@pytest.mark.parametrize("name", KINDS)
def test_the_life_of_a_kind(name: str, base: str, own: bool, tmp_path: Path) -> None:
    model = fresh(name, base)
    losses = learn(model, tmp_path / "run", own=own)
    assert losses[-1] < 0.9 * losses[0]
    before = slates(engine_of(model, VOCABULARY, context_of(model)))
    kind = kind_of(model)
    assert kind == KINDS[name][0]
    bundle = written(tmp_path / "bundle", model, VOCABULARY, INDEX)
    assert bundle.manifest.adapter == kind

    # Served: what peft itself says of the whole sequences, and what training ended with.
    found = weights(bundle)
    assert isinstance(found, PeftModel)
    after = slates(load(bundle, device="cpu").engine)
    assert_same(after, before, 1e-4)
    prompt = VOCABULARY.semantic_tokens(INDEX.codes)[:2].ravel().tolist()
    exact = whole_passes(found.eval(), VOCABULARY, prompt, INDEX)
    np.testing.assert_allclose(after[1].logprobs, exact[after[1].items], atol=1e-4)

    # Merged: the same, where there is something to merge.
    if kind in UNMERGED:
        with pytest.raises(BundleError, match="cannot be merged"):
            merged(found)
    else:
        whole = export_merged(bundle, tmp_path / "merged", "f32")
        assert not is_quantised(whole.folder / "model")
        assert_same(slates(load(whole, device="cpu").engine), before, 5e-4)


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_a_prefix_before_learnt_positions(name: str) -> None:
    """GPT-2 numbers its places by a table: the prefix takes the first ones."""
    found = adapted(gpt2(VOCABULARY), KINDS[name][0], SMALL, VIRTUAL, ROWS)
    assert context_of(found) == CONTEXT - VIRTUAL
    (slate,) = engine_of(found, VOCABULARY, CONTEXT).beam([[1, 2, 3]], [View(INDEX.trie)], len(INDEX))
    exact = whole_passes(found.eval(), VOCABULARY, [1, 2, 3], INDEX)
    np.testing.assert_allclose(slate.logprobs, exact[slate.items], atol=1e-4)


@pytest.mark.parametrize("name", ["ia3", "prefix", "prompt"])
def test_rows_that_the_adapter_cannot_hold_are_the_bases(name: str) -> None:
    model = fresh(name, "qwen3")
    base: Any = model.get_base_model()
    table = base.get_input_embeddings().token_adapter.trainable_tokens_delta["default"]
    with torch.no_grad():
        table += 1
    finish(model)
    text = np.setdiff1d(np.arange(len(VOCABULARY)), ROWS)
    whole: Any = qwen3(VOCABULARY)
    old, new = whole.get_input_embeddings().weight, base.get_input_embeddings().weight
    assert torch.equal(new[text], old[text])
    torch.testing.assert_close(new[ROWS], old[ROWS] + 1)


def test_adalora_cuts_ranks(tmp_path: Path) -> None:
    """A target of 4 of the first 6 ranks: a third of the directions ends as zeros."""
    model = fresh("adalora", "qwen3")
    learn(model, tmp_path, own=True)
    kept = torch.cat([part.flatten() for name, part in model.named_parameters() if "lora_E" in name]) != 0
    assert len(kept) == 2 * 7 * 6
    assert kept.float().mean() == pytest.approx(4 / 6, abs=0.01)


@pytest.mark.parametrize("name", ["dora", "qlora", "adalora", "ia3", "prefix", "prompt"])
def test_what_vllm_does_not_read_is_refused_with_a_way_out(name: str, tmp_path: Path) -> None:
    model = fresh(name, "qwen3")
    finish(model)
    bundle = written(tmp_path / "bundle", model, VOCABULARY, INDEX)
    way = "torch engine" if name in UNMERGED else "--merged"
    with pytest.raises(BundleError, match=way):
        prepare(bundle, {}, tmp_path / "vllm")
