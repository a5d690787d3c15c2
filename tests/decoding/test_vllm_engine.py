"""vLLM on this machine's CPU: the engine contract for whole weights and adapters, and the same slates as torch."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from genrec.decoding.engine import TextRule
from genrec.decoding.torch_engine import TorchEngine
from genrec.errors import BundleError, ConfigError, EngineError
from genrec.items.trie import Trie, View
from genrec.recommender import Recommender
from tests.decoding.conftest import Served
from tests.decoding.contract import EngineContract, World, assert_best, assert_same, some_views
from tests.helpers.small_bundles import CONTEXT
from tests.helpers.tiny import TEXTS

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=[None, "long", "short"], ids=["base", "long", "short"])
def world(request: pytest.FixtureRequest, served: Served) -> World:
    index, vocabulary, speaker = served.index, served.vocabulary, served.speakers[request.param]
    engine = served.engine.speaking(request.param)
    histories = ["".join(index.text(item) for item in items) for items in ([], [3], [7, 1, 3], range(12))]
    prompts = [vocabulary.ids(text + history) for text, history in zip(TEXTS, histories, strict=True)]
    return World(
        engine, index, vocabulary.code_ids, vocabulary.end_id, CONTEXT, prompts, speaker.exact, engine.ending_at,
    )  # fmt: skip


class TestVllmEngine(EngineContract):
    pass
