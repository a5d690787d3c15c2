"""vLLM: the processor that answers packed requests, for both of its model runners, and the engine on it.

The only file that imports vllm. The beam is driven from outside (see driver): vLLM sees nothing but next-token
requests whose prompts share a prefix. Does not know tries, catalogs or bundles.

    vllm serve FOLDER --logits-processors genrec.decoding.vllm:TrieProcessor …     # docs/vllm.md
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import VLLMClientError
from vllm.inputs.engine import tokens_input
from vllm.lora.request import LoRARequest
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError
from vllm.v1.executor.uniproc_executor import UniProcExecutor
from vllm.v1.sample.logits_processor import LogitsProcessor, process_dict_updates
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as LogitsProcessorV2

from genrec.decoding.asks import KEY, Answer, Ask, TextAsk, Want, pack, unpack
from genrec.decoding.asynchronous import together
from genrec.decoding.masking import constrain
from genrec.errors import EngineDied, EngineError

_HERE = "genrec.decoding.vllm"
_WAVE = "genrec_wave"
"""Where a request's extra arguments say which wave it is of, and how many that has."""


def _want(params: SamplingParams) -> Want | None:
    """What a request wants of the processor; None where it is none of ours."""
    packed = (params.extra_args or {}).get(KEY)
    return None if packed is None else unpack(packed)


def _refuse_garbled(params: SamplingParams) -> None:
    """Raises ValueError, which vLLM turns into a refusal of this request alone."""
    try:
        _want(params)
    except EngineError as cause:
        raise ValueError(str(cause)) from cause


class TrieProcessor(LogitsProcessor):  # type: ignore[misc]
    """For model runner V1 (CPUs, and wherever vLLM falls back to it)."""

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        _refuse_garbled(sampling_params)

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._wants: dict[int, Want] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: Any) -> None:
        process_dict_updates(self._wants, batch_update, lambda params, prompt, output: _want(params))

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        return constrain(logits, self._wants) if self._wants else logits


class TrieProcessorV2(LogitsProcessorV2):  # type: ignore[misc]
    """For model runner V2 (GPUs). Rows are looked up by request slot, for V2 orders them anew in every step."""

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        _refuse_garbled(sampling_params)

    def __init__(self, vllm_config: Any, req_states: Any) -> None:
        self._wants: dict[int, Want] = {}

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        want = _want(sampling_params)
        if want is None:
            self._wants.pop(req_idx, None)  # the slot's former tenant may have been ours
            return False
        self._wants[req_idx] = want
        return True

    def apply(self, logits: torch.Tensor, ctx: Any) -> torch.Tensor:
        slots = ctx.idx_mapping_np
        if len(slots) != len(logits):  # several rows a request: drafts of speculative decoding
            slots = ctx.expanded_idx_mapping.cpu().numpy()
        wants = {row: self._wants[slot] for row, slot in enumerate(slots.tolist()) if slot in self._wants}
        return constrain(logits, wants) if wants else logits


class _Waves:
    """Requests of one wave begin together: vLLM's core reads them one by one, and would begin a step with the first.

    What is held is as if it had not come yet; if one of a wave is taken back, the others wait no longer.
    """

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self._held: dict[int, list[Any]] = {}

    def add_request(self, request: Any) -> None:
        wave, size = (request.sampling_params.extra_args or {}).get(_WAVE, (-1, 1))
        held = self._held.setdefault(wave, [])
        held.append(request)
        if len(held) == size:
            self._begin(wave)

    def finish_requests(self, request_ids: Any, finished_status: Any) -> Any:
        named = {request_ids} if isinstance(request_ids, str) else request_ids and set(request_ids)
        for wave, held in list(self._held.items()):
            if named is None or not named.isdisjoint(one.request_id for one in held):
                self._begin(wave)
        return super().finish_requests(named, finished_status)  # type: ignore[misc]

    def _begin(self, wave: int) -> None:
        for request in self._held.pop(wave):
            super().add_request(request)  # type: ignore[misc]


class WaveScheduler(_Waves, Scheduler):  # type: ignore[misc]
    """Where vLLM schedules a step after the one before has ended."""


class AsyncWaveScheduler(_Waves, AsyncScheduler):  # type: ignore[misc]
    """Where vLLM schedules a step while the one before runs."""


@dataclass(frozen=True)
class Settings:
    """How a vLLM is started. dtype: "auto" is float32 on a CPU, bfloat16 on a GPU; context: tokens of prompt and
    answer; cache_gib: memory for keys and values; block: tokens of a cache block, None for vLLM's own (128 on CPUs,
    where only multiples of 32 work); sequences: requests that run at once; quantization: as vLLM names it; compiled:
    with torch.compile, slow to start; threads: of a CPU that the model runs on, None for OMP_NUM_THREADS or all; loras,
    lora_rank: room for adapters.
    """

    dtype: str = "auto"
    context: int = 1024
    cache_gib: float = 1.0
    block: int | None = 32
    sequences: int = 256
    quantization: str | None = None
    compiled: bool = False
    threads: int | None = None
    lora_rank: int = 0
    loras: int = 0


class LocalVllm:
    """A running AsyncLLM as the driver's backend. Made and used in one event loop."""

    def __init__(self, model: Path, settings: Settings, adapters: Mapping[str, Path]) -> None:
        with _environment(settings):
            config = _arguments(model, settings).create_engine_config()
            chosen = TrieProcessorV2 if config.use_v2_model_runner else TrieProcessor
            config.model_config.logits_processors = [f"{_HERE}:{chosen.__name__}"]
            waves = AsyncWaveScheduler if config.scheduler_config.async_scheduling else WaveScheduler
            config.scheduler_config.scheduler_cls = waves
            self._llm: Any = AsyncLLM.from_vllm_config(config, disable_log_stats=True)
        self.block = int(config.cache_config.block_size)
        self._loras = {
            name: LoRARequest(name, number, str(path)) for number, (name, path) in enumerate(adapters.items(), start=1)
        }
        self._numbers = itertools.count()

    async def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        wave = (next(self._numbers), len(asks))
        return await together(self._answer(ask, wave) for ask in asks)

    async def write(self, text: TextAsk) -> list[int]:
        tokens = list((await self._run(text.prompt, _text_params(text), text.adapter)).outputs[0].token_ids)
        return tokens[:-1] if tokens and tokens[-1] in text.ends else tokens

    async def close(self) -> None:
        if self._llm is not None:
            self._llm.shutdown()
            await asyncio.sleep(0)  # lets its tasks end
            self._llm = None  # it would shut down once more when collected, perhaps after Python took itself apart

    async def _answer(self, ask: Ask, wave: tuple[int, int]) -> Answer:
        done = await self._run(ask.prompt, _next_params(ask.want, wave), ask.adapter)
        found = done.outputs[0].logprobs
        tokens = np.array(found.token_ids[1:], dtype=np.int64)  # the first is the sampled one, which stands twice
        logprobs = np.array(found.logprobs[1:], dtype=np.float32)
        held = logprobs > -np.inf
        return Answer(tokens[held], logprobs[held], len(ask.prompt) - int(done.num_cached_tokens or 0))

    async def _run(self, prompt: list[int], params: SamplingParams, adapter: str | None) -> Any:
        lora = None if adapter is None else self._loras[adapter]
        try:
            done = None
            requests = self._llm.generate(tokens_input(prompt), params, str(next(self._numbers)), lora_request=lora)
            async for step in requests:
                done = step
        except EngineDeadError as cause:
            raise EngineDied("vLLM's process has ended", remedy="see its log, then open the engine again") from cause
        except (ValueError, VLLMClientError) as cause:
            raise EngineError("vLLM refuses the request", value=str(cause)) from cause
        assert done is not None
        return done


def _next_params(want: Want, wave: tuple[int, int]) -> SamplingParams:
    return SamplingParams(
        max_tokens=1, temperature=0, logprobs=want.returned, flat_logprobs=True, detokenize=False, ignore_eos=True,
        output_kind=RequestOutputKind.FINAL_ONLY, extra_args={KEY: pack(want), _WAVE: wave}, skip_clone=True,
    )  # fmt: skip


def _text_params(text: TextAsk) -> SamplingParams:
    rule = text.rule
    schema = None if rule.schema is None else StructuredOutputsParams(json=rule.schema)
    return SamplingParams(
        max_tokens=rule.max_tokens, temperature=rule.temperature, seed=rule.seed, detokenize=False, ignore_eos=True,
        stop_token_ids=text.ends, structured_outputs=schema, output_kind=RequestOutputKind.FINAL_ONLY,
        extra_args={KEY: pack(text.want)},
    )  # fmt: skip


def _arguments(model: Path, settings: Settings) -> AsyncEngineArgs:
    own: dict[str, Any] = {} if settings.block is None else {"block_size": settings.block}
    # JSON without free whitespace: a small model may write nothing else until its tokens are used up
    own |= {"structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True}}
    if settings.loras:  # and a slot that stays empty: vLLM 0.32 on CPUs gives rows without adapter the last one's
        own |= {"enable_lora": True, "max_loras": settings.loras + 1, "max_lora_rank": settings.lora_rank}
    if current_platform.is_cpu():  # vLLM would put the worker in one more process, whose reader spins on a core
        own |= {"distributed_executor_backend": UniProcExecutor}
    return AsyncEngineArgs(
        model=str(model), dtype=settings.dtype, max_model_len=settings.context, max_num_seqs=settings.sequences,
        kv_cache_memory_bytes=int(settings.cache_gib * 2**30), enable_prefix_caching=True, max_logprobs=-1,
        logprobs_mode="processed_logits", quantization=settings.quantization, enforce_eager=not settings.compiled,
        trust_remote_code=False, disable_log_stats=True, **own,
    )  # fmt: skip


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """What vLLM's processes read only from the environment, set while they start."""
    wanted = {"VLLM_NO_USAGE_STATS": "1"}
    if not settings.compiled:
        wanted["TORCH_COMPILE_DISABLE"] = "1"  # else counting ranks alone compiles for half a minute
    if settings.threads is not None:
        wanted["OMP_NUM_THREADS"] = str(settings.threads)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
