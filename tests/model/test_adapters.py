"""An adapter learns, stays small, survives its file, serves, and merges into the same answers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedModel

from genrec.decoding.torch_engine import TorchEngine
from genrec.errors import ConfigError
from genrec.items.trie import View
from genrec.model.adapters import LoraSettings, merged, with_lora
from genrec.model.base import make_room, pretrained
from genrec.model.vocabulary import Vocabulary
from tests.helpers.tiny import gpt2, llama, qwen3, shake, small_index, small_vocabulary, whole_passes

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # peft 0.21

INDEX = small_index()
VOCABULARY = small_vocabulary(INDEX)
MADE: dict[str, Callable[[], PreTrainedModel]] = {
    "qwen3": lambda: qwen3(VOCABULARY),
    "qwen3-tied": lambda: qwen3(VOCABULARY, tied=True),
    "llama": lambda: llama(VOCABULARY),
    "llama-tied": lambda: llama(VOCABULARY, tied=True),
    "gpt2": lambda: gpt2(VOCABULARY),
}
SETTINGS = LoraSettings(rank=4, alpha=8, dropout=0)


def rows_of(vocabulary: Vocabulary) -> list[int]:
    return [int(token) for level in vocabulary.code_ids for token in level]


def histories(vocabulary: Vocabulary) -> torch.Tensor:
    """Toy users who watch the catalog in order: int64 [users, tokens]."""
    tokens = vocabulary.semantic_tokens(INDEX.codes)
    return torch.from_numpy(np.stack([tokens[start : start + 4].ravel() for start in range(0, 40, 4)]))


def train(model: torch.nn.Module, vocabulary: Vocabulary, steps: int = 8) -> list[float]:
    """A plain loop; returns the losses."""
    ids, losses = histories(vocabulary), []
    optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=5e-3)
    for _ in range(steps):
        loss = model.train()(input_ids=ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    model.eval()
    return losses


def logits(model: torch.nn.Module, vocabulary: Vocabulary) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(input_ids=histories(vocabulary)).logits
    return found


def saved_in(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "adapter_model.safetensors")
    return found


def weight_of(part: torch.nn.Module) -> torch.Tensor:
    assert isinstance(part.weight, torch.Tensor)
    return part.weight


def serves(model: torch.nn.Module, vocabulary: Vocabulary) -> None:
    """Beams of the torch engine are those of plain passes of the same model."""
    engine = TorchEngine(model, vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    prompt = histories(vocabulary)[0].tolist()
    (found,) = engine.beam([prompt], [View(INDEX.trie)], len(INDEX))
    exact = whole_passes(model, vocabulary, prompt, INDEX)
    np.testing.assert_allclose(found.logprobs, exact[found.items], atol=1e-4)
    assert len(found.items) == len(INDEX)


def check_a_life(base: Callable[[], PreTrainedModel], vocabulary: Vocabulary, folder: Path) -> None:
    """Train, save, reload by plain peft, serve, merge."""
    model = with_lora(base(), SETTINGS, rows_of(vocabulary))
    before = logits(model, vocabulary)
    losses = train(model, vocabulary)
    assert losses[-1] < 0.9 * losses[0]
    after = logits(model, vocabulary)
    assert not torch.allclose(after, before, atol=0.1)
    model.save_pretrained(str(folder))
    assert all("lora_" in name or "trainable_tokens_delta" in name for name in saved_in(folder))
    reloaded = PeftModel.from_pretrained(base(), folder)
    torch.testing.assert_close(logits(reloaded, vocabulary), after, atol=1e-5, rtol=1e-5)
    serves(reloaded, vocabulary)
    with reloaded.disable_adapter():
        torch.testing.assert_close(logits(reloaded, vocabulary), before, atol=1e-5, rtol=1e-5)
    plain = merged(model)
    assert not any("lora" in name or "token_adapter" in name for name in plain.state_dict())
    torch.testing.assert_close(logits(plain, vocabulary), after, atol=1e-4, rtol=0)
    serves(plain, vocabulary)
    plain.save_pretrained(folder / "merged")
    torch.testing.assert_close(logits(pretrained(str(folder / "merged")), vocabulary), after, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", MADE)
def test_the_life_of_an_adapter(name: str, tmp_path: Path) -> None:
    check_a_life(MADE[name], VOCABULARY, tmp_path)


def test_the_life_of_an_adapter_of_a_pretrained_model(stories: Path, tmp_path: Path) -> None:
    vocabulary = Vocabulary.extend(AutoTokenizer.from_pretrained(stories), INDEX, [])

    def base() -> PreTrainedModel:
        model = pretrained(str(stories))
        make_room(model, len(vocabulary))
        return model

    check_a_life(base, vocabulary, tmp_path)


@pytest.mark.parametrize("name", MADE)
def test_only_the_code_rows_and_the_updates_are_trained_and_saved(name: str, tmp_path: Path) -> None:
    base = MADE[name]()
    tied = base.get_output_embeddings().weight is base.get_input_embeddings().weight
    embedding = weight_of(base.get_input_embeddings()).detach().clone()
    head = weight_of(base.get_output_embeddings()).detach().clone()
    model = with_lora(base, SETTINGS, rows_of(VOCABULARY))
    shake(model, 0)
    model.save_pretrained(str(tmp_path))
    whole = {name: weight.shape for name, weight in saved_in(tmp_path).items() if "lora_" not in name}
    assert sorted(whole.values()) == [(len(rows_of(VOCABULARY)), 32)] * (1 if tied else 2)
    plain = merged(model)
    text = np.setdiff1d(np.arange(len(VOCABULARY)), rows_of(VOCABULARY))
    for old, part in ((embedding, plain.get_input_embeddings()), (head, plain.get_output_embeddings())):
        assert torch.equal(weight_of(part)[text], old[text])
        assert (weight_of(part)[rows_of(VOCABULARY)] != old[rows_of(VOCABULARY)]).any(dim=1).all()
    assert (plain.get_output_embeddings().weight is plain.get_input_embeddings().weight) == tied


def test_a_fresh_adapter_changes_nothing() -> None:
    base = qwen3(VOCABULARY)
    before = logits(base, VOCABULARY)
    torch.testing.assert_close(
        logits(with_lora(base, SETTINGS, rows_of(VOCABULARY)), VOCABULARY), before, atol=1e-5, rtol=0
    )


def test_targets_by_name() -> None:
    model = with_lora(qwen3(VOCABULARY), LoraSettings(rank=2, targets=("q_proj", "v_proj")), rows_of(VOCABULARY))
    names = {name.split(".lora_")[0].rpartition(".")[2] for name, _ in model.named_parameters() if "lora_" in name}
    assert names == {"q_proj", "v_proj"}


def test_targets_that_the_model_lacks() -> None:
    with pytest.raises(ConfigError, match="no_such_layer"):
        with_lora(qwen3(VOCABULARY), LoraSettings(targets=("no_such_layer",)), rows_of(VOCABULARY))
