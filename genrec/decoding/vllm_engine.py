"""The vLLM engine of a bundle: opened in this process, or as a client of a running `vllm serve`.

    engine = VllmEngine.open("bundle")                              # vLLM's processes beside this one
    engine = VllmEngine.connect("bundle", "http://127.0.0.1:8000")  # a fleet that runs our processor
    Recommender.open("bundle", engine=engine)

A catalog change needs nothing of the model: every request decodes under the trie of its own view. Does not know
recommenders or servers.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from genrec.bundle import Bundle
from genrec.decoding.asks import Backend
from genrec.decoding.asynchronous import AsyncEngine, Loop
from genrec.decoding.driver import Driver, Voice
from genrec.decoding.meter import Meter
from genrec.errors import ConfigError, EngineError, MissingExtra
from genrec.items.index import ItemIndex
from genrec.model.loading import vocabulary_of
from genrec.model.voices import OWN, Prepared, plain_voice, prepare, rows_of

if TYPE_CHECKING:
    from genrec.decoding.vllm import Settings


class VllmEngine(AsyncEngine):
    """An Engine over vLLM. Calls from many threads share the model's batches. `close` it, or use `with`."""

    _running: _Running
    _voice: Voice
    _meter: Meter
    sizes: tuple[int, ...]

    @classmethod
    def open(
        cls,
        bundle: Bundle | str | Path,
        *,
        adapters: Mapping[str, Bundle] | None = None,
        settings: Settings | None = None,
        meter: Meter | None = None,
    ) -> Self:
        """Starts vLLM on a bundle's model; takes from half a minute on.

        adapters: LoRA bundles of the same base, by the name that `speaking` takes; settings: context and dtype are the
        bundle's own and float32 (bfloat16 on a GPU) unless said; meter: what counts and times. Raises
        MissingExtra without vLLM, BundleError for adapters of another base, EngineError where vLLM does not start.
        """
        bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        local = _vllm()
        folder = Path(tempfile.mkdtemp(prefix="genrec-vllm-"))
        loop = Loop("genrec-vllm")
        try:
            prepared = prepare(bundle, adapters or {}, folder)
            chosen = _settings(settings, bundle, prepared, local)
            backend = loop.run(_started(local, prepared, chosen))
        except BaseException:
            loop.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        running = _Running(loop, backend, prepared.voices, folder)
        return cls._of(running, bundle, meter)

    @classmethod
    def connect(
        cls,
        bundle: Bundle | str | Path,
        url: str,
        *,
        key: str | None = None,
        model: str | None = None,
        meter: Meter | None = None,
    ) -> Self:
        """Speaks to a `vllm serve` that serves this bundle's model (merged where it has an adapter) by our processor.

        key: the server's API key; model: its name there, else the only one. Raises EngineError where nobody answers,
        or the server runs without the processor.
        """
        from genrec.decoding.remote import RemoteVllm

        bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        loop = Loop("genrec-vllm-client")
        voice = plain_voice(vocabulary_of(bundle), rows_of(bundle))
        try:
            backend = loop.run(RemoteVllm.connect(url, key, model, voice))
        except BaseException:
            loop.close()
            raise
        running = _Running(loop, backend, {None: voice}, None)
        return cls._of(running, bundle, meter)

    @classmethod
    def _of(cls, running: _Running, bundle: Bundle, meter: Meter | None) -> Self:
        voice = running.voices.get(OWN) or running.voices[None]
        engine = cls._with(running, voice, bundle.index.sizes, bundle.manifest.context, meter or Meter())
        engine.swap(bundle.index)
        return engine

    @classmethod
    def _with(cls, running: _Running, voice: Voice, sizes: tuple[int, ...], context: int, meter: Meter) -> Self:
        engine = cls(
            running.loop, Driver(running.backend, voice, meter), levels=len(sizes), context=context,
            block=running.backend.block,
        )  # fmt: skip
        engine._running, engine._voice, engine.sizes, engine._meter = running, voice, sizes, meter
        return engine

    def speaking(self, adapter: str | None) -> Self:
        """The same vLLM with another adapter's voice; None: the base model."""
        if adapter not in self._running.voices:
            known = ", ".join(str(name) for name in self._running.voices)
            raise ConfigError("no such adapter", value=adapter, allowed=known, remedy="name it when opening the engine")
        return self._with(self._running, self._running.voices[adapter], self.sizes, self._context, self._meter)

    def ending_at(self, token: int) -> Self:
        """The same vLLM whose texts end at another token."""
        return self._with(self._running, replace(self._voice, ends=(token,)), self.sizes, self._context, self._meter)

    def swap(self, index: ItemIndex) -> None:
        """Says that new requests come under this index; those in flight keep the trie of their view.

        Nothing is sent to the model, which knows no catalog. Raises EngineError if its vocabulary lacks the codes.
        """
        if index.sizes != self.sizes:
            raise EngineError(
                "the index has other codes than the model", value=index.sizes, allowed=str(self.sizes),
                remedy="add items to the bundle's own index (ItemIndex.add), or train anew",
            )  # fmt: skip
        self._meter.catalog(index.version)

    def close(self) -> None:
        """Ends vLLM's processes, or the client's connections; also of engines got by `speaking`."""
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Running:
    """What engines of one vLLM share."""

    def __init__(self, loop: Loop, backend: Backend, voices: Mapping[str | None, Voice], folder: Path | None) -> None:
        self.loop, self.backend, self.voices, self._folder = loop, backend, voices, folder
        self._closed = False

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self.loop.run(self.backend.close())
        finally:
            self.loop.close()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)


def vllm_settings(**chosen: Any) -> Settings:
    """`genrec.decoding.vllm.Settings`; raises MissingExtra without vLLM."""
    found: Settings = _vllm().Settings(**chosen)
    return found


def _vllm() -> Any:
    try:
        from genrec.decoding import vllm
    except ImportError as cause:
        raise MissingExtra(
            "the vLLM engine needs vLLM",
            value=str(cause),
            remedy="make setup-vllm, or pip install 'genrec[vllm]' on a GPU",
        ) from cause
    return vllm


async def _started(local: Any, prepared: Prepared, settings: Settings) -> Backend:
    try:
        backend: Backend = local.LocalVllm(prepared.model, settings, prepared.adapters)
    except (RuntimeError, ValueError) as cause:
        raise EngineError("vLLM does not start", value=str(cause), remedy="its own log, above, says why") from cause
    return backend


def _settings(given: Settings | None, bundle: Bundle, prepared: Prepared, local: Any) -> Settings:
    """The bundle's context; float32 on a CPU, where half precision gains little and slates then equal torch's."""
    chosen: Settings = given or local.Settings()
    dtype = chosen.dtype if chosen.dtype != "auto" else ("bfloat16" if torch.cuda.is_available() else "float32")
    rank = next((one for one in (8, 16, 32, 64, 128, 256, 320, 512) if one >= prepared.rank), prepared.rank)
    return replace(chosen, dtype=dtype, context=bundle.manifest.context, loras=len(prepared.adapters), lora_rank=rank)
