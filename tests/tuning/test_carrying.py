"""A bundle as base of another catalog: words and blocks are its own, codes this catalog's, and texts mean the same."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedModel

from genrec.bundle import Bundle
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.items.index import ItemIndex
from genrec.model.loading import vocabulary_of
from genrec.preparing import save
from genrec.priors import text_vectors
from genrec.priors.stored import load_priors
from genrec.recommender import Recommender
from genrec.tuning.carrying import carried_model, move_words, read_rows, tables_of, words_alone
from genrec.tuning.settings import ItemSettings, SftSettings
from genrec.world import WorldConfig, load_films, simulate
from tests.helpers.running import Tiny, trained_here
from tests.helpers.tiny import qwen3, small_index, small_vocabulary

WEIGHTS = "model/model.safetensors"


def test_words_stay_and_codes_go() -> None:
    before = small_vocabulary(small_index())
    words = words_alone(before.tokenizer)
    text = "<|user|>Once upon a time 她看了"
    assert words(text)["input_ids"] == before.ids(text)
    assert len(words) == len(before) - len(small_index().tokens)
    assert (words.pad_token_id, words.eos_token_id) == (before.pad_id, before.end_id)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("sizes", [(3, 4, 6), (9, 9, 9)], ids=["fewer codes", "more codes"])
def test_rows_move_with_their_words(sizes: tuple[int, ...], tied: bool) -> None:
    before = small_vocabulary(small_index())
    model = qwen3(before, tied=tied)
    old = [table.clone() for table in tables_of(model)]
    vocabulary = type(before).extend(words_alone(before.tokenizer), small_index(sizes=sizes), ["<|new|>"])
    move_words(model, before, vocabulary, seed=0)
    text = "<|user|>The user watched"
    assert [len(table) for table in tables_of(model)] == [len(vocabulary)] * (1 if tied else 2)
    for was, now in zip(old, tables_of(model), strict=True):
        torch.testing.assert_close(now[vocabulary.ids(text)], was[before.ids(text)])
        code, same = int(vocabulary.code_ids[0][1]), int(before.code_ids[0][1])
        assert not torch.allclose(now[code], was[same])  # <a_1> was another item
    assert model(input_ids=torch.tensor([vocabulary.ids(text)])).logits.shape[-1] == len(vocabulary)


def test_a_code_starts_where_the_base_would_have_stood_its_text() -> None:
    """What the base's rows say linearly of the texts is said of new texts, whatever number the new codes have."""
    random = np.random.default_rng(0)
    known, told = (random.normal(size=(count, 4)).astype(np.float32) * 30 for count in (40, 12))
    meaning = random.normal(size=(4, 6)).astype(np.float32)
    base = one_level(random.permutation(50)[:40], 50)
    index = one_level(random.permutation(20)[:12], 20)
    table = torch.zeros(60, 6)
    table[torch.from_numpy(10 + base.codes[:, 0])] = torch.from_numpy(known @ meaning)
    ((level,),) = read_rows([table], (10 + np.arange(50),), base, known, index, told)
    codes, rows = level
    order = np.argsort(index.codes[:, 0])
    np.testing.assert_array_equal(codes, index.codes[order, 0])
    np.testing.assert_allclose(rows.numpy(), (told @ meaning)[order], atol=0.1)


def one_level(codes: np.ndarray, size: int) -> ItemIndex:
    index = small_index(len(codes), sizes=(size,))
    return replace(index, codes=codes[:, None].astype(np.int64))


# From data to bundle


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data of films that the tiny world does not have."""
    out = tmp_path_factory.mktemp("others") / "data"
    world = simulate(load_films().select(range(4, 500, 8)), WorldConfig(users=40, events_per_user=12, max_events=20))
    save(dataset(world.interactions, world.catalog.table, Tally("simulated viewers")), out)
    return out


@pytest.fixture(scope="module")
def carried(tiny: Tiny, others: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Next to nothing is learnt, so that what the base had is to be seen."""
    still = ("optimiser.learning_rate=1e-9", "optimiser.epochs=0.5", "follow=false")
    out = tmp_path_factory.mktemp("carried") / "bundle"
    return Bundle.open(trained_here(others, out, f"base={tiny.bundle}", *still))


def test_blocks_and_words_are_the_bases_and_codes_are_not(tiny: Tiny, carried: Bundle) -> None:
    base = Bundle.open(tiny.bundle)
    was, now = load_file(base.folder / WEIGHTS), load_file(carried.folder / WEIGHTS)
    rows = {name for name, table in now.items() if table.shape[0] == len(vocabulary_of(carried))}
    assert len(rows) == 2
    assert was.keys() == now.keys()
    for name in now.keys() - rows:
        torch.testing.assert_close(now[name], was[name], atol=1e-6, rtol=0)
    words = words_alone(vocabulary_of(base).tokenizer)
    for name in rows:
        torch.testing.assert_close(now[name][: len(words)], was[name][: len(words)], atol=1e-6, rtol=0)
        assert not torch.allclose(now[name][len(words) :][:20], was[name][len(words) :][:20], atol=1e-3)


def test_the_bundle_is_one_of_its_own_catalog_and_names_what_it_came_from(tiny: Tiny, carried: Bundle) -> None:
    base, manifest = Bundle.open(tiny.bundle), carried.manifest
    assert (manifest.base, manifest.parent, manifest.lineage) == ("scratch", base.version, ())
    assert not set(carried.index.item_ids) & set(base.index.item_ids)
    tokens = AutoTokenizer.from_pretrained(carried.folder / "model").get_vocab()
    assert {token for token in tokens if token.startswith("<a_")} == set(carried.index.tokens)
    slate = Recommender.open(carried.folder).recommend(carried.catalog.item_ids[:3], 4)
    assert len(slate.items) == 4


def test_an_adapter_over_a_base_of_another_catalog(tiny: Tiny, others: Path, tmp_path: Path) -> None:
    lora = ("adapter=lora", "lora.rank=4", "optimiser.epochs=0.5", "follow=false")
    bundle = Bundle.open(trained_here(others, tmp_path / "bundle", f"base={tiny.bundle}", *lora))
    assert (bundle.manifest.base, bundle.manifest.adapter) == ("scratch", "lora")
    assert Recommender.open(bundle.folder).recommend(bundle.catalog.item_ids[:3], 4).items


def test_texts_of_one_encoder_carry_their_rows(tiny: Tiny, tmp_path: Path) -> None:
    """The base's own catalog again: a code starts near where the base has the item."""
    base = Bundle.open(tiny.bundle).extended(tmp_path / "base", lambda new: None, encoder="a-sentence-encoder")
    known = text_vectors(load_priors(base.folder / "priors"))
    assert known is not None
    settings = SftSettings(base=str(base.folder), items=ItemSettings(encoder="a-sentence-encoder"))
    model, vocabulary = carried_model(settings, base, base.index, known, base.prompts, 0.0)
    own = vocabulary.semantic_tokens(base.index.codes)[:, 0]
    theirs = vocabulary_of(base).semantic_tokens(base.index.codes)[:, 0]
    was = load_file(base.folder / WEIGHTS)["model.embed_tokens.weight"][torch.from_numpy(theirs)]
    now = embedding(model)[torch.from_numpy(own)]
    alike = torch.nn.functional.cosine_similarity(now - now.mean(0), was - was.mean(0))
    assert alike.mean() > 0.3
    strange = settings.model_copy(update={"items": ItemSettings(encoder="tfidf")})
    other, _ = carried_model(strange, base, base.index, known, base.prompts, 0.0)
    fresh = embedding(other)[torch.from_numpy(own)]
    assert torch.nn.functional.cosine_similarity(fresh - fresh.mean(0), was - was.mean(0)).mean() < alike.mean() - 0.1


def embedding(model: torch.nn.Module) -> torch.Tensor:
    assert isinstance(model, PreTrainedModel)
    return tables_of(model)[0]


# What cannot carry over


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("scratch.hidden=48", "another shape.*scratch.hidden=48.*scratch.hidden=32"),
        ("reasons_in=[de]", "no words of a language.*de.*en, zh"),
    ],
)
def test_a_base_that_does_not_fit_is_refused(
    tiny: Tiny, others: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], override: str, said: str
) -> None:
    with pytest.raises(SystemExit) as end:
        trained_here(others, tmp_path / "bundle", f"base={tiny.bundle}", override)
    assert end.value.code == 2
    told = " ".join(capfd.readouterr().err.replace("│", " ").split())
    assert re.search(said, told), told
