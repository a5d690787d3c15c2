"""The beam over a model that runs elsewhere: level by level one wave of next-token requests, ranked by `widen`.

The trie, the filter and the prior of a request live in its view and are never sent; a request that is in flight keeps
its view, so a catalog may change at any moment without an answer mixing two. Knows no vLLM and no HTTP.
"""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrec.decoding.asks import Answer, Ask, Backend, Float32, Ranges, TextAsk, Want
from genrec.decoding.engine import Candidates, Float64, TextRule, widen
from genrec.decoding.meter import Meter
from genrec.items.trie import View
from genrec.ragged import Int64

_REMEMBERED = 256  # prompts whose first level is kept: a slate, its rescoring and its reasons ask the same


@dataclass(frozen=True)
class Voice:
    """Who speaks, in the token numbers of the running model.

    code_ids: per level the token of every code; own: what each token of the vocabulary is called here, int64
    [vocabulary], None where nothing differs; columns: over which probabilities sum to one, writable: what free text may
    hold (half-open ranges, empty: all); ends: the tokens that end a text.
    """

    code_ids: tuple[Int64, ...]
    ends: tuple[int, ...]
    writable: Ranges
    own: Int64 | None = None
    columns: Ranges = ()
    adapter: str | None = None

    def tokens(self, prompt: Sequence[int]) -> list[int]:
        """The prompt as the running model numbers its tokens."""
        if self.own is None:
            return list(prompt)
        found: list[int] = self.own[np.asarray(prompt, dtype=np.int64)].tolist()
        return found


class Driver:
    """Beams, scores and texts of one voice; safe for any number of concurrent coroutines of one loop."""

    def __init__(self, backend: Backend, voice: Voice, meter: Meter) -> None:
        self._backend, self._voice, self._meter = backend, voice, meter
        self._lookup = [_inverse(tokens) for tokens in voice.code_ids]
        self._roots: OrderedDict[tuple[int, ...], Float32] = OrderedDict()  # of the voice's own tokens

    async def beam(self, prompt: Sequence[int], view: View, width: int) -> Candidates:
        """As Engine.beam, of one prompt."""
        tokens = self._voice.tokens(prompt)
        nodes, scores = np.zeros(1, dtype=np.int64), np.zeros(1)
        written: Int64 = np.zeros((1, 0), dtype=np.int64)
        for level, codes in enumerate(self._voice.code_ids):
            start = time.perf_counter()
            if level:
                logprobs = await self._level(tokens, written, view, level, nodes, width)
            else:
                logprobs = (await self._root(tokens))[None]
            with self._meter.masking():
                step = widen(view, level, nodes, scores, logprobs, width)
            nodes, scores = step.nodes, step.scores
            written = np.column_stack([written[step.parents], codes[step.codes]])
            self._meter.step(level, time.perf_counter() - start)
            if not len(nodes):
                break
        return Candidates(view.trie.items[nodes].astype(np.int64) if len(nodes) else np.empty(0, np.int64), scores)

    async def score(self, prompt: Sequence[int], codes: Int64) -> Float64:
        """As Engine.score, of one prompt: every distinct prefix of the semantic IDs is asked once."""
        if not len(codes):
            return np.empty(0)
        tokens = self._voice.tokens(prompt)
        self._meter.rescored(len(codes))
        total = (await self._root(tokens))[codes[:, 0]].astype(np.float64)
        asks: list[Ask] = []
        waves = [self._prefixes(tokens, codes, level, asks) for level in range(1, codes.shape[1])]
        answers = await self._ask(asks) if asks else []
        for level, (first, place) in enumerate(waves, start=1):
            table = self._table(answers[first : first + int(place.max()) + 1], level)
            total += table[place, codes[:, level]]
        return total

    async def weigh(self, prompt: Sequence[int], tokens: Int64) -> Float64:
        """As Engine.weigh, of one prompt."""
        asked = np.array(self._voice.tokens(tokens.tolist()), dtype=np.int64)
        (answer,) = await self._ask([Ask(self._voice.tokens(prompt), Want(asked, len(asked)), self._voice.adapter)])
        found = dict(zip(answer.tokens.tolist(), answer.logprobs.tolist(), strict=True))
        return np.array([found.get(token, -np.inf) for token in asked.tolist()])

    async def text(self, prompt: Sequence[int], rule: TextRule) -> list[int]:
        """As Engine.generate, of one prompt."""
        voice = self._voice
        want = Want(None, 0, columns=voice.writable)
        ask = TextAsk(voice.tokens(prompt), rule, want, list(voice.ends), voice.adapter)
        with self._meter.waiting(1):
            return await self._backend.write(ask)

    async def _root(self, tokens: list[int]) -> Float32:
        """log-probabilities of all codes of the first level, float32 [codes]."""
        key = tuple(tokens)
        if key in self._roots:
            self._roots.move_to_end(key)
            return self._roots[key]
        first = self._voice.code_ids[0]
        want = Want(first, len(first), columns=self._voice.columns)
        row: Float32 = self._table(await self._ask([Ask(tokens, want, self._voice.adapter)], first=True), 0)[0]
        self._roots[key] = row
        while len(self._roots) > _REMEMBERED:
            self._roots.popitem(last=False)
        return row

    async def _level(
        self, tokens: list[int], written: Int64, view: View, level: int, nodes: Int64, width: int
    ) -> Float32:
        """What follows each beam, float32 [beams, codes]; −inf for what cannot be among the best `width`."""
        with self._meter.masking():
            wants = self._wants(view, level, nodes, width)
        prompts = [tokens + more for more in written.tolist()]
        answers = await self._ask(
            [Ask(prompt, want, self._voice.adapter) for prompt, want in zip(prompts, wants, strict=True)]
        )
        return self._table(answers, level)

    def _wants(self, view: View, level: int, nodes: Int64, width: int) -> list[Want]:
        """Each beam's allowed children; their bounds go along only where some must be left out."""
        children = view.trie.children(level, nodes)
        kept = view.permits(level + 1, children.nodes)
        rows, below, codes = (part[kept] for part in children)
        tokens = self._voice.code_ids[level][codes]
        edges = np.searchsorted(rows, np.arange(len(nodes) + 1)).tolist()
        bound = view.bound(level + 1, below) if view.bounds is not None else None
        columns = self._voice.columns
        return [
            Want(tokens[a:b], width, bound[a:b] if bound is not None and b - a > width else None, columns)
            for a, b in itertools.pairwise(edges)
        ]

    def _prefixes(self, tokens: list[int], codes: Int64, level: int, asks: list[Ask]) -> tuple[int, Int64]:
        """Adds one request per distinct prefix of `level` codes; where they begin, and which is each item's."""
        prefixes, place = np.unique(codes[:, :level], axis=0, return_inverse=True)
        deeper = np.unique(codes[:, : level + 1], axis=0)  # sorted, so the followers of a prefix stand together
        cuts = np.flatnonzero((deeper[1:, :level] != deeper[:-1, :level]).any(axis=1)) + 1
        first, ids, columns = len(asks), self._voice.code_ids, self._voice.columns
        written = np.column_stack([ids[depth][prefixes[:, depth]] for depth in range(level)]).tolist()
        for more, after in zip(written, np.split(ids[level][deeper[:, level]], cuts), strict=True):
            asks.append(Ask(tokens + more, Want(after, len(after), columns=columns), self._voice.adapter))
        return first, place.reshape(-1)

    async def _ask(self, asks: list[Ask], *, first: bool = False) -> list[Answer]:
        with self._meter.waiting(len(asks)):
            answers = await self._backend.ask(asks)
        asked, computed = sum(len(ask.prompt) for ask in asks), sum(answer.computed for answer in answers)
        self._meter.prefix(asked, computed, len(asks), first=first)
        return answers

    def _table(self, answers: Sequence[Answer], level: int) -> Float32:
        """Answers as rows of log-probabilities by code, float32 [answers, codes]; −inf where nothing came back."""
        table = np.full((len(answers), len(self._voice.code_ids[level])), -np.inf, dtype=np.float32)
        counts = [len(answer.tokens) for answer in answers]
        tokens = np.concatenate([answer.tokens for answer in answers])
        rows = np.repeat(np.arange(len(answers)), counts)
        table[rows, self._lookup[level][tokens]] = np.concatenate([answer.logprobs for answer in answers])
        return table


def _inverse(tokens: Int64) -> Int64:
    """Token → code, int64 [largest token + 1]."""
    found = np.zeros(int(tokens.max()) + 1, dtype=np.int64)
    found[tokens] = np.arange(len(tokens))
    return found
