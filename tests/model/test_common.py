"""Bundles of one base on one copy of its weights: each says what it says alone and holds only its own."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genrec.decoding.torch_engine import TorchEngine
from genrec.items.trie import View
from genrec.model.common import Common, OwnRows, bytes_of
from genrec.model.loading import load
from tests.helpers.small_bundles import KINDS, base_model, of_kind, small_world

pytestmark = pytest.mark.filterwarnings("ignore")  # peft's and bitsandbytes' own

INDEX, VOCABULARY = small_world()


def says(engine: TorchEngine) -> list[dict[int, float]]:
    tokens = VOCABULARY.semantic_tokens(INDEX.codes)
    prompts = [tokens[: 1 + start].ravel().tolist() for start in range(3)]
    found = engine.beam(prompts, [View(INDEX.trie)] * 3, len(INDEX))
    return [dict(zip(one.items.tolist(), one.logprobs.tolist(), strict=True)) for one in found]


def assert_same(found: list[dict[int, float]], wanted: list[dict[int, float]]) -> None:
    for mine, theirs in zip(found, wanted, strict=True):
        assert len(mine) == len(INDEX)
        np.testing.assert_allclose([mine[item] for item in theirs], list(theirs.values()), atol=2e-5)


@pytest.mark.parametrize(("first", "tied"), [("full", True), ("prefix", False)], ids=["tied", "untied"])
def test_each_says_what_it_says_alone_and_the_base_is_there_once(first: str, tied: bool, tmp_path: Path) -> None:
    names = [first, *(name for name in KINDS if name != first)]
    bundles = {
        name: of_kind(name, tmp_path / name, VOCABULARY, INDEX, seed=seed, tied=tied) for seed, name in enumerate(names)
    }
    alone = {name: says(load(bundle, device="cpu").engine) for name, (bundle, _) in bundles.items()}
    common = Common()
    engines = {name: load(bundle, device="cpu", common=common).engine for name, (bundle, _) in bundles.items()}
    for name, engine in engines.items():
        assert_same(says(engine), alone[name])
        assert not any(weight.requires_grad for weight in engine.model.parameters())
    whole = base_model(VOCABULARY, tied=tied)
    own = sum(trained for name, (_, trained) in bundles.items() if name != "full")
    assert bytes_of(*(engine.model for engine in engines.values())) <= bytes_of(whole) + own
    assert alone["lora"] != alone["full"] != alone["prefix"]


def test_bases_in_four_bits_are_shared_with_each_other_and_their_tables_with_whole_ones(tmp_path: Path) -> None:
    names = {"full": 0, "qlora": 1, "other": 2}
    bundles = {
        name: of_kind("qlora" if seed else "full", tmp_path / name, VOCABULARY, INDEX, seed=seed)
        for name, seed in names.items()
    }
    alone = {name: says(load(bundle, device="cpu").engine) for name, (bundle, _) in bundles.items()}
    common = Common()
    engines = {name: load(bundle, device="cpu", common=common).engine for name, (bundle, _) in bundles.items()}
    for name, engine in engines.items():
        assert_same(says(engine), alone[name])
        assert_same(says(engine), alone[name])  # bitsandbytes packs weights when it first uses them
    assert alone["qlora"] != alone["other"]
    one, two = (engines[name].model for name in ("qlora", "other"))
    assert bytes_of(one, two) == bytes_of(one) + bundles["other"][1]
    linear = sum(weight.nbytes for weight in one.parameters() if weight.dtype == torch.uint8)
    assert bytes_of(engines["full"].model, one) == bytes_of(engines["full"].model) + linear + bundles["qlora"][1]


def test_what_nobody_uses_any_more_is_forgotten(tmp_path: Path) -> None:
    common = Common()
    kept = load(of_kind("full", tmp_path / "full", VOCABULARY, INDEX)[0], device="cpu", common=common).engine
    held = len(common._held)
    other = load(of_kind("lora", tmp_path / "lora", VOCABULARY, INDEX)[0], device="cpu", common=common).engine
    assert len(common._held) > held
    del other
    gc.collect()
    assert len(common._held) == held == len({id(weight) for weight in kept.model.parameters()})


def test_rows_of_a_table_that_are_its_own() -> None:
    torch.manual_seed(0)
    rows, own = torch.tensor([4, 1]), torch.randn(2, 3)
    wanted = torch.randn(6, 3)
    table = torch.nn.Embedding(6, 3, _weight=wanted.clone())
    head = torch.nn.Linear(3, 6, bias=False)
    head.weight = table.weight
    wanted[rows] = own
    tokens, hidden = torch.tensor([[0, 1], [4, 5]]), torch.randn(2, 5, 3)
    with torch.no_grad():
        torch.testing.assert_close(OwnRows(table, rows, own)(tokens), wanted[tokens])
        torch.testing.assert_close(OwnRows(head, rows, own)(hidden), hidden @ wanted.T)
        torch.testing.assert_close(OwnRows(head, rows, own).weight, wanted)


def test_rows_that_make_a_table_equal_to_one_that_is_held(tmp_path: Path) -> None:
    """What one kind keeps in its base and another beside it may come to the same."""
    common = Common()
    first, same = (of_kind(name, tmp_path / name, VOCABULARY, INDEX)[0] for name in ("prefix", "lora"))
    alone = says(load(same, device="cpu").engine)
    kept: Any = load(first, device="cpu", common=common).engine
    engine: Any = load(same, device="cpu", common=common).engine
    assert type(engine.model.get_input_embeddings()) is torch.nn.Embedding
    assert engine.model.get_input_embeddings().weight is kept.model.model.get_input_embeddings().weight
    assert_same(says(engine), alone)
