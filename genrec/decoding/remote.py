"""A `vllm serve` that runs genrec's processor, as the driver's backend: OpenAI's completions over HTTP.

    vllm serve FOLDER --logits-processors genrec.decoding.vllm:TrieProcessor --logprobs-mode processed_logits \\
        --max-logprobs -1 --enable-prompt-tokens-details

Works without vLLM installed. Does not know tries or bundles.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from genrec.decoding.asks import KEY, Answer, Ask, TextAsk, Want, pack
from genrec.decoding.asynchronous import together
from genrec.decoding.driver import Voice
from genrec.errors import EngineError

_FLAGS = "start it with --logits-processors genrec.decoding.vllm:TrieProcessor --logprobs-mode processed_logits"
_NOTHING = -9999.0  # what vLLM's JSON says for minus infinity
_BLOCK = re.compile(r'^vllm:cache_config_info\{[^}]*\bblock_size="(\d+)"', re.MULTILINE)


class RemoteVllm:
    """Made by `connect`, used in one event loop."""

    def __init__(self, client: httpx.AsyncClient, model: str, block: int) -> None:
        self._client, self._model, self.block = client, model, block

    @classmethod
    async def connect(cls, url: str, key: str | None, model: str | None, voice: Voice) -> RemoteVllm:
        """Looks up the model's name and cache block, and asks once to see that the processor runs.

        Raises EngineError where nobody answers, the model is not there, or the processor is absent.
        """
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
        client = httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=httpx.Timeout(300, connect=10))
        try:
            served = [one["id"] for one in (await _get(client, "/v1/models")).json()["data"]]
            if not served or (model is not None and model not in served):
                raise EngineError("the server has no such model", value=model, where=url, allowed=", ".join(served))
            found = _BLOCK.search((await _get(client, "/metrics")).text)
            backend = cls(client, model or served[0], int(found[1]) if found else 1)
            first = voice.code_ids[0]
            await backend.ask([Ask([int(first[0])], Want(first, len(first), columns=voice.columns))])
        except BaseException:
            await client.aclose()
            raise
        return backend

    async def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        return await together(map(self._answer, asks))

    async def write(self, text: TextAsk) -> list[int]:
        rule = text.rule
        body: dict[str, Any] = {"max_tokens": rule.max_tokens, "temperature": rule.temperature, "seed": rule.seed}
        body |= {"stop_token_ids": text.ends, "return_token_ids": True}
        if rule.schema is not None:
            body["structured_outputs"] = {"json": json.loads(rule.schema)}
        done = await self._complete(text.prompt, body, text.want, text.adapter)
        tokens = [int(token) for token in done["choices"][0]["token_ids"]]
        return tokens[:-1] if tokens and tokens[-1] in text.ends else tokens

    async def close(self) -> None:
        await self._client.aclose()

    async def _answer(self, ask: Ask) -> Answer:
        body = {"max_tokens": 1, "temperature": 0, "logprobs": ask.want.returned, "return_tokens_as_token_ids": True}
        done = await self._complete(ask.prompt, body, ask.want, ask.adapter)
        found = {
            int(name.removeprefix("token_id:")): value
            for name, value in done["choices"][0]["logprobs"]["top_logprobs"][0].items()
            if value > _NOTHING
        }
        if ask.want.allowed is not None and not found.keys() <= set(ask.want.allowed.tolist()):
            raise EngineError("the server answers without genrec's processor", remedy=_FLAGS)
        details = done["usage"].get("prompt_tokens_details") or {}
        cached = int(details.get("cached_tokens") or 0)
        tokens = np.fromiter(found.keys(), dtype=np.int64, count=len(found))
        return Answer(tokens, np.fromiter(found.values(), np.float32, len(found)), len(ask.prompt) - cached)

    async def _complete(self, prompt: list[int], body: dict[str, Any], want: Want, adapter: str | None) -> Any:
        packed = base64.b64encode(pack(want)).decode()
        common = {"model": adapter or self._model, "prompt": prompt, "ignore_eos": True, "vllm_xargs": {KEY: packed}}
        try:
            reply = await self._client.post("/v1/completions", json=common | body)
        except httpx.HTTPError as cause:
            raise EngineError("the vLLM server does not answer", where=str(self._client.base_url)) from cause
        if reply.status_code != 200:
            raise EngineError("the vLLM server refuses", value=_reason(reply), where=str(self._client.base_url))
        return reply.json()


async def _get(client: httpx.AsyncClient, path: str) -> httpx.Response:
    try:
        reply = await client.get(path)
    except httpx.HTTPError as cause:
        raise EngineError(
            "no vLLM server answers", where=f"{client.base_url}", remedy="check the address, and that it has started"
        ) from cause
    if reply.status_code != 200:
        raise EngineError("the vLLM server refuses", value=_reason(reply), where=f"{client.base_url}{path}")
    return reply


def _reason(reply: httpx.Response) -> str:
    """Status and the server's own sentence, never the request."""
    try:
        said = reply.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = reply.reason_phrase
    return f"{reply.status_code}: {said}"
