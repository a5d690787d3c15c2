"""Models from scratch and from folders: what is loaded, what is refused, and how vocabularies grow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, PreTrainedModel

from genrec.decoding.engine import TextRule
from genrec.decoding.torch_engine import TorchEngine
from genrec.errors import ConfigError
from genrec.items.trie import View
from genrec.model.base import ScratchConfig, make_room, pretrained, scratch
from genrec.model.vocabulary import Vocabulary
from tests.helpers.tiny import TEXTS, gpt2, llama, qwen3, small_index, small_vocabulary, whole_passes

INDEX = small_index()
VOCABULARY = small_vocabulary(INDEX)
SMALL = ScratchConfig(hidden=16, layers=1, heads=2, feed_forward=16)
MADE: dict[str, Callable[[], PreTrainedModel]] = {
    "qwen3": lambda: qwen3(VOCABULARY),
    "qwen3-tied": lambda: qwen3(VOCABULARY, tied=True),
    "llama": lambda: llama(VOCABULARY),
    "llama-tied": lambda: llama(VOCABULARY, tied=True),
    "gpt2": lambda: gpt2(VOCABULARY),
}


def small(seed: int) -> dict[str, torch.Tensor]:
    return scratch(SMALL, 300, pad_id=0, end_id=1, seed=seed).state_dict()


def logits(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(input_ids=torch.tensor([ids])).logits
    return found


def rows_of(model: PreTrainedModel) -> torch.Tensor:
    rows = model.get_input_embeddings().weight
    assert isinstance(rows, torch.Tensor)
    return rows


def test_the_seed_decides_the_scratch_model() -> None:
    first, again, other = small(3), small(3), small(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("tied", [False, True])
def test_the_scratch_model_has_the_shape_asked_for(tied: bool) -> None:
    model = scratch(SMALL.model_copy(update={"tied": tied}), 300, pad_id=0, end_id=1)
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == tied
    assert logits(model, [2, 3]).shape == (1, 2, 300)
    assert (model.config.pad_token_id, model.config.eos_token_id, model.config.bos_token_id) == (0, 1, None)


@pytest.mark.parametrize("name", MADE)
def test_a_saved_folder_loads_by_name(name: str, tmp_path: Path) -> None:
    model = MADE[name]()
    model.save_pretrained(tmp_path)
    loaded = pretrained(str(tmp_path))
    assert type(loaded) is type(model)
    assert torch.equal(logits(loaded, [5, 9, 250]), logits(model, [5, 9, 250]))


def test_precision_is_chosen(tmp_path: Path) -> None:
    qwen3(VOCABULARY).save_pretrained(tmp_path)
    assert pretrained(str(tmp_path), dtype=torch.bfloat16).dtype == torch.bfloat16
    assert pretrained(str(tmp_path)).dtype == torch.float32


def test_a_model_that_is_not_there_teaches() -> None:
    with pytest.raises(ConfigError) as caught:
        pretrained("nobody/no-such-model")
    message = str(caught.value)
    assert "nobody/no-such-model" in message
    assert "scratch" in message
    assert "Qwen/Qwen3-0.6B" in message
    assert "network" in message


def test_pickles_are_refused(tmp_path: Path) -> None:
    model = qwen3(VOCABULARY)
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="safetensors"):
        pretrained(str(tmp_path))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError):
        pretrained(str(tmp_path))


@pytest.mark.parametrize("name", MADE)
def test_room_for_codes_keeps_what_was_there(name: str) -> None:
    model = MADE[name]()
    rows, old = len(VOCABULARY), logits(model, [5, 9, 250])
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    before = rows_of(model).detach().clone()
    make_room(model, rows + 40)
    after, head = rows_of(model), model.get_output_embeddings().weight
    assert after.shape == head.shape == (rows + 40, 32)
    assert (head is after) == tied
    assert torch.equal(after[:rows], before)
    torch.testing.assert_close(logits(model, [5, 9, 250])[..., :rows], old, atol=1e-4, rtol=1e-4)
    assert (after[rows:] - before.mean(0)).norm(dim=1).max() < 0.01 * before.norm(dim=1).median()


def test_new_rows_are_the_same_each_time_and_enough_room_is_left_alone() -> None:
    first, second = qwen3(VOCABULARY), qwen3(VOCABULARY)
    for model in (first, second):
        make_room(model, 400, seed=7)
    assert torch.equal(rows_of(first), rows_of(second))
    make_room(first, 10)
    assert len(rows_of(first)) == 400


def test_a_pretrained_model_tells_its_story(stories: Path) -> None:
    vocabulary = Vocabulary.extend(AutoTokenizer.from_pretrained(stories), INDEX, [])
    model = pretrained(str(stories))
    make_room(model, len(vocabulary))
    engine = TorchEngine(model, vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    begin = int(vocabulary.tokenizer.bos_token_id)
    told = engine.generate([[begin, *vocabulary.ids("Once upon a time")]], TextRule(max_tokens=40))[0]
    assert vocabulary.text(told).startswith(
        ", there was a little girl named Lily. She loved to play outside in the park."
    )


def test_a_pretrained_model_with_codes_is_decoded(stories: Path) -> None:
    vocabulary = Vocabulary.extend(AutoTokenizer.from_pretrained(stories), INDEX, [])
    model = pretrained(str(stories))
    make_room(model, len(vocabulary))
    engine = TorchEngine(model, vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    prompt = vocabulary.ids(TEXTS[0])
    (found,) = engine.beam([prompt], [View(INDEX.trie)], len(INDEX))
    exact = whole_passes(model, vocabulary, prompt, INDEX)
    np.testing.assert_allclose(found.logprobs, exact[found.items], atol=1e-4)
    assert (np.diff(exact[found.items]) <= 1e-4).all()
