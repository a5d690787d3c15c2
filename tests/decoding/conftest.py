"""One vLLM for all tests: starting it takes half a minute. The contract's assertions explain themselves."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genrec.bundle import Bundle
from genrec.decoding.engine import Prompt
from genrec.items.index import ItemIndex
from genrec.model.vocabulary import Vocabulary
from tests.helpers.small_bundles import adapted_model, base_model, small_world, written
from tests.helpers.tiny import whole_passes

pytest.register_assert_rewrite("tests.decoding.contract")


class Speaker:
    """A model by plain torch, and the bundle that holds it: the referee of the engine's answers."""

    def __init__(self, model: torch.nn.Module, bundle: Bundle, vocabulary: Vocabulary, index: ItemIndex) -> None:
        self.model, self.bundle, self._vocabulary, self._index = model, bundle, vocabulary, index
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def exact(self, prompt: Prompt) -> np.ndarray:
        """log p of every item, float64 [items]."""
        if tuple(prompt) not in self._known:
            self._known[tuple(prompt)] = whole_passes(self.model, self._vocabulary, prompt, self._index)
        return self._known[tuple(prompt)]


@dataclass(frozen=True)
class Served:
    """engine: the base's voice; speakers: by adapter name, None for the base; registry: where its metrics go."""

    engine: Any
    index: ItemIndex
    vocabulary: Vocabulary
    speakers: dict[str | None, Speaker]
    registry: Any


def speakers_of(folder: Path, index: ItemIndex, vocabulary: Vocabulary) -> dict[str | None, Speaker]:
    """The base and two adapters on it."""
    made: dict[str | None, torch.nn.Module] = {None: base_model(vocabulary)}
    made |= {name: adapted_model(vocabulary, seed=seed) for seed, name in enumerate(("long", "short"), start=1)}
    bundles = {name: written(folder / str(name), model, vocabulary, index) for name, model in made.items()}
    fresh: dict[str | None, torch.nn.Module] = {None: base_model(vocabulary)}  # saving takes adapters off their model
    fresh |= {name: adapted_model(vocabulary, seed=seed) for seed, name in enumerate(("long", "short"), start=1)}
    return {name: Speaker(fresh[name], bundle, vocabulary, index) for name, bundle in bundles.items()}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # vLLM's own, on import and start
        from prometheus_client import CollectorRegistry

        from genrec.decoding.meter import Prometheus
        from genrec.decoding.vllm import Settings
        from genrec.decoding.vllm_engine import VllmEngine

        index, vocabulary = small_world()
        speakers = speakers_of(tmp_path_factory.mktemp("speakers"), index, vocabulary)
        adapters = {str(name): one.bundle for name, one in speakers.items() if name}
        registry = CollectorRegistry()
        settings = Settings(cache_gib=0.25, threads=1)
        engine = VllmEngine.open(
            speakers[None].bundle, adapters=adapters, settings=settings, meter=Prometheus(registry)
        )
        with engine:
            yield Served(engine, index, vocabulary, speakers, registry)
