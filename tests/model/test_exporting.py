"""Merged and quantised bundles: valid, distinct, exact for their own weights, and how far from the original."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from genrec.bundle import Bundle
from genrec.decoding.torch_engine import TorchEngine
from genrec.errors import BundleError, MissingExtra
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.model.exporting import Bits, export_merged, export_quantised
from genrec.model.loading import load, vocabulary_of
from genrec.model.voices import prepare
from genrec.ragged import Ragged
from genrec.recommender import Recommender
from tests.decoding.contract import EngineContract, World
from tests.helpers.running import Done
from tests.helpers.small_bundles import CONTEXT, adapted_model, small_world, written
from tests.helpers.tiny import TEXTS, whole_passes

BITSANDBYTES = importlib.util.find_spec("bitsandbytes") is not None
WITH_BITS = pytest.mark.skipif(not BITSANDBYTES, reason="bitsandbytes is not installed: pip install 'genrec[quant]'")
WITHOUT_BITS = pytest.mark.skipif(BITSANDBYTES, reason="bitsandbytes is installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),  # peft 0.21
    pytest.mark.filterwarnings("ignore:MatMul8bitLt:UserWarning"),  # bitsandbytes: inputs are cast to float16
]
KINDS = ["f32", "bf16", pytest.param("int8", marks=WITH_BITS), pytest.param("nf4", marks=WITH_BITS)]
APART = {"f32": 1e-4, "bf16": 0.5, "int8": 1.0, "nf4": 8.0}
"""Largest difference of a log-probability, in nats, of a model whose log-probabilities spread over some 20."""
NDCG_APART = {"f32": 1e-9, "bf16": 0.03, "int8": 0.05, "nf4": 0.2}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    index, vocabulary = small_world()
    return written(tmp_path_factory.mktemp("made") / "bundle", adapted_model(vocabulary, seed=1), vocabulary, index)


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def exported(original: Bundle, kind: str, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return exported_as(original, kind, tmp_path_factory.mktemp(kind) / "out")


def exported_as(bundle: Bundle, kind: str, out: Path) -> Bundle:
    if kind in ("f32", "bf16"):
        return export_merged(bundle, out, kind)  # type: ignore[arg-type]
    bits: Bits = "int8" if kind == "int8" else "nf4"
    return export_quantised(bundle, out, bits)


@pytest.fixture(scope="module")
def world(exported: Bundle) -> World:
    """The referee is the exported model itself, by plain passes of transformers."""
    index, vocabulary = exported.index, vocabulary_of(exported)
    engine = load(exported, device="cpu").engine
    histories = ["".join(index.text(item) for item in items) for items in ([], [3], [7, 1, 3], range(12))]
    prompts = [vocabulary.ids(text + history) for text, history in zip(TEXTS, histories, strict=True)]
    known: dict[tuple[int, ...], np.ndarray] = {}

    def exact(prompt: list[int]) -> np.ndarray:
        if tuple(prompt) not in known:
            known[tuple(prompt)] = whole_passes(engine.model, vocabulary, prompt, index)
        return known[tuple(prompt)]

    def ending_at(end: int) -> TorchEngine:
        return TorchEngine(
            engine.model, vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=end, context=CONTEXT
        )  # fmt: skip

    return World(engine, index, vocabulary.code_ids, vocabulary.end_id, CONTEXT, prompts, exact, ending_at)  # type: ignore[arg-type]


class TestExportedEngine(EngineContract):
    pass


def test_an_export_is_a_bundle_of_its_own(original: Bundle, exported: Bundle) -> None:
    opened = Bundle.open(exported.folder)
    assert (opened.manifest.adapter, opened.manifest.parent) == (None, original.version)
    assert not (opened.folder / "adapter").exists()
    assert opened.index.version == original.index.version
    assert Recommender.open(opened, width=8).recommend(opened.catalog.item_ids[:3], 5).model == opened.version


def test_scores_and_ndcg_stay_near_the_originals(
    original: Bundle, exported: Bundle, kind: str, record_property: Callable[[str, object], None]
) -> None:
    random = np.random.default_rng(6)
    prompts = [vocabulary_of(original).ids(TEXTS[0] + original.index.text(item)) for item in range(40)]
    targets = Ragged.from_lists([[int(item)] for item in random.integers(60, size=40)])
    sides = [scored(bundle, prompts) for bundle in (original, exported)]
    apart = float(np.abs(sides[0] - sides[1]).max())
    values = [float(ndcg(np.argsort(-side, axis=1, kind="stable"), targets, 10).mean()) for side in sides]
    record_property("largest difference of a log-probability", apart)
    record_property("NDCG@10, original and exported", values)
    print(f"{kind}: log-probabilities differ by {apart:.2g} at most; NDCG@10 {values[0]:.4f} and {values[1]:.4f}")
    assert apart < APART[kind]
    assert abs(values[0] - values[1]) < NDCG_APART[kind]
    assert kind == "f32" or apart > 1e-4  # else nothing was rounded


def scored(bundle: Bundle, prompts: list[list[int]]) -> np.ndarray:
    """log p of every item after every prompt, float64 [prompts, items]."""
    codes = [bundle.index.codes] * len(prompts)
    return np.stack(load(bundle, device="cpu").engine.score(prompts, codes))


def test_the_type_of_the_weights_is_the_one_that_was_asked_for(original: Bundle, tmp_path: Path) -> None:
    made = export_merged(original, tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(made.folder / "model")
    assert model.dtype == torch.bfloat16


@WITHOUT_BITS
def test_without_bitsandbytes_the_extra_is_named(original: Bundle, tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"genrec\[quant\]"):
        export_quantised(original, tmp_path / "out", "nf4")
    assert not (tmp_path / "out").exists()
    with pytest.raises(MissingExtra, match=r"genrec\[quant\]"):
        load(pretending(original, tmp_path / "pretending"))


def test_a_quantised_bundle_is_no_base(original: Bundle, tmp_path: Path) -> None:
    quantised = pretending(original, tmp_path / "pretending")
    with pytest.raises(BundleError, match="quantised"):
        export_merged(quantised, tmp_path / "out")
    with pytest.raises(BundleError, match="need whole weights"):
        prepare(quantised, {"other": original}, tmp_path / "prepared")


def pretending(bundle: Bundle, out: Path) -> Bundle:
    """A merged bundle that says its weights have 4 bits."""
    made = export_merged(bundle, out)
    path = made.folder / "model" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    path.write_text(json.dumps(config), encoding="utf-8")
    return made


@pytest.mark.parametrize("words", [(), ("--merged", "--quantise", "nf4")])
def test_the_command_wants_one_of_both(
    original: Bundle, tmp_path: Path, genrec_command: Callable[..., Done], words: tuple[str, ...]
) -> None:
    done = genrec_command("export", "--bundle", original.folder, "--out", tmp_path / "out", *words)
    assert (done.code, "say what to export" in done.err) == (2, True)


def test_the_command_exports(original: Bundle, tmp_path: Path, genrec_command: Callable[..., Done]) -> None:
    words = ("--bundle", original.folder, "--out", tmp_path / "out", "--merged", "--dtype", "f32")
    done = genrec_command("export", *words)
    assert done.code == 0, done.err
    assert Bundle.open(tmp_path / "out").manifest.adapter is None
