"""training/sft.py from data to bundle: the same again, going on with an adapter and new items, pretrained bases."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from peft import PeftModel
from pydantic import BaseModel
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen3ForCausalLM,
)
from transformers.models.qwen3 import Qwen3Config

from genrec.bundle import Bundle
from genrec.errors import ConfigError
from genrec.formats import dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.model.adapters import UNMERGED
from genrec.model.loading import load as load_engine
from genrec.model.vocabulary import Vocabulary, train_tokenizer
from genrec.preparing import load, save
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.settings import load_settings
from genrec.storage import sha256
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.reading import ReadingSettings
from genrec.tuning.settings import RefreshSettings, SftSettings, ShrinkSettings
from genrec.world import load_films
from tests.helpers.llama2c import convert
from tests.helpers.running import Tiny, trained_here
from tests.helpers.tiny import TEXTS, whole_passes

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # peft 0.21

CONFIGS = folder("training") / "configs"
ADAPTED = ("adapter=lora", "lora.rank=4", "mixture.explain=30", "optimiser.evaluations=1")
WEIGHTS = "model/model.safetensors"
GONE, NEW = "f0041", [3, 11, 20]  # an item of the tiny world, and rows of films that are not in it


# The same run again


def test_the_same_seed_gives_the_same_bundle(tiny: Tiny, tmp_path: Path) -> None:
    again = Bundle.open(trained_here(tiny.data, tmp_path / "again"))
    first = Bundle.open(tiny.bundle)
    assert again.manifest.files[WEIGHTS] == first.manifest.files[WEIGHTS]
    assert again.version == first.version
    assert again.manifest.model_copy(update={"model_ranks": True}) == first.manifest


def test_a_run_leaves_its_logs(tiny: Tiny) -> None:
    run = tiny.bundle.with_name(tiny.bundle.name + "-run")
    assert list((run / "tensorboard").glob("events.*"))
    assert list(run.glob("checkpoint-*"))


def test_the_bundle_says_how_it_was_made(tiny: Tiny) -> None:
    manifest = Bundle.open(tiny.bundle).manifest
    assert (manifest.base, manifest.adapter, manifest.parent) == ("scratch", None, None)
    assert (manifest.split, manifest.encoder, manifest.language) == ("global time", "tfidf", "en")
    assert set(manifest.prior_weights) == {"popularity", "recent", "content", "collaborative", "sequence"}
    for name in ("validation recall@10", "validation ndcg@10"):
        assert manifest.metrics[name]["low"] <= manifest.metrics[name]["value"] <= manifest.metrics[name]["high"]
    assert manifest.data_hash in (tiny.bundle / "README.md").read_text(encoding="utf-8")


def test_a_time_limit_still_leaves_a_whole_bundle(tiny: Tiny, tmp_path: Path) -> None:
    out = trained_here(tiny.data, tmp_path / "bundle", "optimiser.epochs=100000", "optimiser.max_seconds=1")
    assert Recommender.open(out).recommend(["f0001"], 3, explain=False).items


# Settings


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_is_read(path: Path) -> None:
    kinds: dict[str, type[BaseModel]] = {
        "chat": ReadingSettings, "refresh": RefreshSettings, "align": AlignSettings, "shrink": ShrinkSettings,
    }  # fmt: skip
    kind: type[BaseModel] = kinds.get(path.stem, SftSettings)
    assert load_settings(kind, path)
    if path.stem == "chat":
        assert load_settings(ReadingSettings, path) == ReadingSettings()


def test_an_unknown_setting_is_named_with_its_line_and_what_is_allowed(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("window: 12\noptimiser:\n  epochs: 2\n  learning_rat: 0.1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.yaml:4.*learning_rat: no such key.*epochs.*learning_rate"):
        load_settings(SftSettings, config)


def test_a_window_too_long_for_the_model_is_refused_before_training(
    tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        trained_here(tiny.data, tmp_path / "bundle", "window=2000")
    assert end.value.code == 2
    assert "too long for the model" in capfd.readouterr().err
    assert not (tmp_path / "bundle").exists()


# Going on from a bundle


@pytest.fixture(scope="module")
def grown_data(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data later on: three new films, which half of the viewers have seen, and one film gone."""
    data, out = load(tiny_data), tmp_path_factory.mktemp("grown") / "data"
    films = load_films().table
    items = pl.concat([films[NEW], data.catalog.table.filter(pl.col("item_id") != GONE)], how="diagonal_relaxed")
    table = data.interactions.table.filter(pl.col("item_id") != GONE).select("user_id", "item_id", "timestamp")
    users = data.interactions.users[::2]
    when = int(table["timestamp"].quantile(0.6) or 0)
    seen = [(user, films["item_id"][film], when + 60 * place) for user in users for place, film in enumerate(NEW)]
    more = pl.DataFrame(seen, schema=table.schema, orient="row")
    save(dataset(Interactions.from_table(pl.concat([table, more])), items, Tally("later")), out)
    return out


@pytest.fixture(scope="module")
def parent(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny bundle with words of its own in the prompt: what ships may have changed since."""
    out = Path(shutil.copytree(tiny.bundle, tmp_path_factory.mktemp("parent") / "bundle"))
    name = "prompts/en/next_item.yaml"
    text = (out / name).read_text(encoding="utf-8")
    (out / name).write_text(re.sub(r"(prompt: \|-\n\s+<\|next\|>).*", r"\1Seen:", text), encoding="utf-8")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][name] = sha256(out / name)
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert Bundle.open(out).prompts["next_item"].prompt.startswith("<|next|>Seen:\n")
    return Bundle.open(out)


@pytest.fixture(scope="module")
def refreshed(grown_data: Path, parent: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    options = ("--start", str(parent.folder), "--config", str(CONFIGS / "start.yaml"))
    out = tmp_path_factory.mktemp("refreshed") / "bundle"
    return Bundle.open(trained_here(grown_data, out, *ADAPTED, "optimiser.learning_rate=0.01", options=options))


def test_a_refresh_names_its_parent_and_keeps_its_words(refreshed: Bundle, parent: Bundle) -> None:
    manifest = refreshed.manifest
    assert (manifest.parent, manifest.adapter, manifest.base) == (parent.version, "lora", "scratch")
    assert refreshed.prompts["next_item"].prompt == parent.prompts["next_item"].prompt
    assert refreshed.manifest.files["prompts/en/next_item.yaml"] == parent.manifest.files["prompts/en/next_item.yaml"]


def test_a_refresh_keeps_ids_and_gives_new_items_free_ones(refreshed: Bundle, parent: Bundle) -> None:
    index, before = refreshed.index, parent.index
    known = {item: before.text(place) for place, item in enumerate(before.item_ids)}
    for place, item in enumerate(index.item_ids):
        assert index.text(place) == known.get(item, index.text(place))
    fresh = [index.text(place) for place, item in enumerate(index.item_ids) if item not in known]
    assert len(set(fresh) - set(known.values())) == len(fresh) == len(NEW)
    assert index.item_ids == refreshed.catalog.item_ids
    assert GONE not in index.item_ids
    assert index.sizes == before.sizes


def test_a_refresh_leaves_the_parents_weights_alone(refreshed: Bundle, parent: Bundle) -> None:
    before, after = load_file(parent.folder / WEIGHTS), load_file(refreshed.folder / WEIGHTS)
    assert before.keys() == after.keys()
    assert all(before[name].equal(after[name]) for name in before)
    assert (refreshed.folder / "adapter" / "adapter_model.safetensors").is_file()


def assert_served_as_plain_peft(bundle: Bundle) -> None:
    """The bundle's engine against transformers and peft as everybody loads them, item by item."""
    plain: PreTrainedModel = AutoModelForCausalLM.from_pretrained(bundle.folder / "model")
    adapted = PeftModel.from_pretrained(plain, bundle.folder / "adapter").eval()
    loaded = load_engine(bundle, device="cpu")
    asking = Recommender.open(bundle.folder).fusion.asking
    prompt = asking.ids([0, 5, 9])
    wanted = whole_passes(adapted, loaded.vocabulary, prompt, bundle.index)
    np.testing.assert_allclose(loaded.engine.score([prompt], [bundle.index.codes])[0], wanted, atol=1e-4)
    with adapted.disable_adapter():
        alone = whole_passes(adapted, loaded.vocabulary, prompt, bundle.index)
    assert np.abs(alone - wanted).max() > 1e-2  # the adapter has learnt something


def test_a_refreshed_bundle_loads_with_plain_peft(refreshed: Bundle) -> None:
    assert_served_as_plain_peft(refreshed)


def test_new_items_can_be_recommended_and_read(refreshed: Bundle) -> None:
    recommender, films = Recommender.open(refreshed.folder), load_films().item_ids
    new = [films[row] for row in NEW]
    mask = np.isin(recommender.catalog.item_ids, new)
    slate = recommender.recommend(["f0001", "f0009"], 3, allowed=mask)
    assert sorted(item.id for item in slate.items) == sorted(new)
    assert all(item.explanation for item in slate.items)
    assert recommender.recommend(new, 5).items
    # Half of the viewers took them lately: the whole ranking has seen it.
    everything = recommender.recommend(["f0001", "f0009"], 40, explain=False)
    assert {item.id for item in everything.items} & set(new)


def test_a_refreshed_bundle_goes_on_again(refreshed: Bundle, grown_data: Path, tmp_path: Path) -> None:
    """Its adapter becomes part of the weights that the next one stands on."""
    options = ("--start", str(refreshed.folder))
    out = trained_here(grown_data, tmp_path / "next", *ADAPTED, "optimiser.epochs=0.2", options=options)
    after = Bundle.open(out)
    assert (after.manifest.parent, after.manifest.base) == (refreshed.version, "scratch")
    before = load_file(refreshed.folder / WEIGHTS)
    assert any(not before[name].equal(weight) for name, weight in load_file(after.folder / WEIGHTS).items())
    assert after.index.version == refreshed.index.version


# Pretrained bases


def made(kind: str, tokenizer: PreTrainedTokenizerBase, out: Path) -> Path:
    """A small model of this architecture for this tokenizer, as a folder that transformers loads."""
    shape = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "bos_token_id": None,
        "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    if kind == "llama":
        LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=False)).save_pretrained(out)
    else:
        Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=8, tie_word_embeddings=True)).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@pytest.fixture
def base(request: pytest.FixtureRequest, shared: Callable[[str], Path], tmp_path: Path) -> Path:
    if request.param == "stories260k":
        source = shared("models/stories260k")
        return convert(source / "stories260K.bin", source / "tok512.bin", tmp_path / "base")
    if request.param == "qwen3-words":  # the real one: 151,669 words and an end of text of its own
        return made("qwen3", AutoTokenizer.from_pretrained(shared("tokenizers/qwen3")), tmp_path / "base")
    tokenizer = train_tokenizer([*TEXTS, "What is next? Title, director, genre."], 400)
    return made(request.param, tokenizer, tmp_path / "base")


SLOW = pytest.param("qwen3-words", marks=[pytest.mark.slow, pytest.mark.timeout(900)])


@pytest.mark.parametrize("base", ["stories260k", "llama", "qwen3", SLOW], indirect=True)
def test_an_adapter_on_a_pretrained_base(base: Path, tiny_data: Path, tmp_path: Path) -> None:
    """From a folder of anybody's to a bundle that recommends, its own rows untouched."""
    fast = ("optimiser.learning_rate=0.01", "optimiser.epochs=1", "mixture.item_to_id=0.3")
    bundle = Bundle.open(trained_here(tiny_data, tmp_path / "bundle", f"base={base}", *ADAPTED, *fast))
    assert (bundle.manifest.base, bundle.manifest.adapter) == (str(base), "lora")
    assert bundle.manifest.context == 512
    assert_served_as_plain_peft(bundle)
    before, after = load_file(base / "model.safetensors"), load_file(bundle.folder / WEIGHTS)
    assert before.keys() == after.keys()
    assert all(weight.equal(after[name][: len(weight)]) for name, weight in before.items())
    slate = Recommender.open(bundle.folder).recommend(bundle.catalog.item_ids[:3], 4)
    assert len(slate.items) == 4
    assert all(item.explanation for item in slate.items)


@pytest.mark.parametrize("base", ["llama"], indirect=True)
@pytest.mark.parametrize("kind", ["qlora", "adalora", "prefix"])
def test_every_kind_of_adapter_from_data_to_bundle(kind: str, base: Path, tiny_data: Path, tmp_path: Path) -> None:
    fast = ("optimiser.learning_rate=0.01", "optimiser.epochs=0.3", "mixture.item_to_id=0.3", "virtual=4")
    options = (f"base={base}", *ADAPTED, f"adapter={kind}", *fast)
    bundle = Bundle.open(trained_here(tiny_data, tmp_path / "bundle", *options))
    assert bundle.manifest.adapter == kind
    assert bundle.manifest.context == 512 - (4 if kind in UNMERGED else 0)
    plain: PreTrainedModel = AutoModelForCausalLM.from_pretrained(bundle.folder / "model")
    adapted = PeftModel.from_pretrained(plain, bundle.folder / "adapter").eval()
    recommender, loaded = Recommender.open(bundle.folder), load_engine(bundle, device="cpu")
    prompt = recommender.fusion.asking.ids([0, 5, 9])
    wanted = whole_passes(adapted, loaded.vocabulary, prompt, bundle.index)
    np.testing.assert_allclose(loaded.engine.score([prompt], [bundle.index.codes])[0], wanted, atol=1e-4)
    assert len(recommender.recommend(bundle.catalog.item_ids[:3], 4).items) == 4


def test_adalora_does_not_go_on(tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        trained_here(tiny_data, tmp_path / "bundle", "adapter=adalora", options=("--resume",))
    assert "AdaLoRA cannot go on" in capfd.readouterr().err


def test_a_base_that_is_not_there(tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as end:
        trained_here(tiny_data, tmp_path / "bundle", f"base={tmp_path / 'empty'}", "adapter=lora")
    assert end.value.code == 2
    assert "the base model's tokenizer cannot be loaded" in capfd.readouterr().err


def test_code_tokens_are_in_the_tokenizer_of_the_bundle(tiny: Tiny) -> None:
    loaded = load_engine(Bundle.open(tiny.bundle), device="cpu")
    assert isinstance(loaded.vocabulary, Vocabulary)
    assert sum(len(level) for level in loaded.vocabulary.code_ids) == len(Bundle.open(tiny.bundle).index.tokens)
