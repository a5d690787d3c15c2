"""The torch engine: any Hugging Face causal LM, on CPU or GPU, one prefill per prompt whatever the beam width.

Does not know catalogs or users; items are leaves of the view's trie.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from genrec.decoding.automaton import automaton
from genrec.decoding.engine import Candidates, Float64, Prompt, TextRule, check, widen
from genrec.decoding.masking import logprobs_at
from genrec.decoding.meter import Meter
from genrec.decoding.obeying import write
from genrec.decoding.tree import TokenTree
from genrec.decoding.writing import Writer
from genrec.errors import EngineError
from genrec.items.trie import View
from genrec.ragged import Int64

Float32 = npt.NDArray[np.float32]
Found = TypeVar("Found")
_LOGITS = 1 << 28  # of one step of a batch: 1 GiB in float32


class TorchEngine:
    """code_ids: per level the token number of every code (Vocabulary.code_ids); context: longest prompt in tokens;
    meter: what counts and times; writer: how text under a schema is spelt."""

    def __init__(
        self,
        model: torch.nn.Module,
        code_ids: Sequence[Int64],
        *,
        pad_id: int,
        end_id: int,
        context: int = 1 << 20,
        batch_tokens: int = 16384,
        meter: Meter | None = None,
        writer: Writer | None = None,
    ) -> None:
        self.model = model.eval()
        self._writer = writer
        self._codes = tuple(code_ids)
        self._pad, self._end, self._batch_tokens = pad_id, end_id, batch_tokens
        self._meter = meter or Meter()
        self._context = min([context, *_limits(model)])
        self._vocabulary = int(getattr(getattr(model, "config", None), "vocab_size", 1))
        self._device = next(model.parameters()).device
        self._columns = [torch.from_numpy(level).to(self._device) for level in self._codes]
        pad = [] if pad_id == end_id else [torch.tensor([pad_id], device=self._device)]
        self._unspeakable = torch.cat([*self._columns, *pad, torch.zeros(0, dtype=torch.int64, device=self._device)])

    @torch.inference_mode()
    def beam(self, prompts: Sequence[Prompt], views: Sequence[View], width: int) -> list[Candidates]:
        if width < 1:
            raise EngineError("the beam is empty", value=width, allowed="1 or more")
        check(prompts, len(views), self._context - len(self._codes))
        return self._in_batches(
            prompts, width, lambda rows: self._beam([prompts[i] for i in rows], [views[i] for i in rows], width)
        )

    @torch.inference_mode()
    def score(self, prompts: Sequence[Prompt], codes: Sequence[Int64]) -> list[Float64]:
        check(prompts, len(codes), self._context - len(self._codes))
        most = max((len(rows) for rows in codes), default=1)
        return self._in_batches(
            prompts, most, lambda rows: self._score([prompts[i] for i in rows], [codes[i] for i in rows])
        )

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Prompt], rule: TextRule) -> list[list[int]]:
        if rule.max_tokens < 1:
            raise EngineError("a text of no tokens", value=rule.max_tokens, allowed="1 or more")
        if rule.schema is not None:
            return self.write(prompts, [rule.schema] * len(prompts), rule)
        check(prompts, len(prompts), self._context - rule.max_tokens)
        return self._in_batches(prompts, 1, lambda rows: self._generate([prompts[i] for i in rows], rule))

    @torch.inference_mode()
    def write(self, prompts: Sequence[Prompt], schemas: Sequence[str], rule: TextRule) -> list[list[int]]:
        """Compact JSON after each prompt that obeys its own schema; raises EngineError for a schema that this engine
        does not cover (decoding.automaton), or a text of more than `rule.max_tokens`."""
        if self._writer is None:
            raise EngineError("this engine was opened without a spelling", remedy="open it with a Writer")
        check(prompts, len(schemas), self._context - rule.max_tokens)
        writer, automata = self._writer, [automaton(schema) for schema in schemas]
        return self._in_batches(
            prompts, 1,
            lambda rows: write(
                self.model, [prompts[i] for i in rows], [automata[i] for i in rows], writer, _Draw(len(rows), rule),
                pad_id=self._pad, most=rule.max_tokens,
            ),
        )  # fmt: skip

    @torch.inference_mode()
    def weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
        check(prompts, len(tokens), self._context)
        return self._in_batches(
            prompts, 1, lambda rows: self._weigh([prompts[i] for i in rows], [tokens[i] for i in rows])
        )

    def _in_batches(
        self, prompts: Sequence[Prompt], entries: int, work: Callable[[list[int]], list[Found]]
    ) -> list[Found]:
        """What `work` finds for the prompts of each batch, in the order of the prompts."""
        found: dict[int, Found] = {}
        for rows in self._batches(prompts, entries):
            found.update(zip(rows, work(rows), strict=True))
        return [found[row] for row in range(len(prompts))]

    def _batches(self, prompts: Sequence[Prompt], entries: int) -> Iterator[list[int]]:
        """Prompts of like length together, so many that tokens and logits of a batch stay within bounds."""
        rows: list[int] = []
        for row in sorted(range(len(prompts)), key=lambda row: len(prompts[row])):
            tokens = (len(rows) + 1) * (len(prompts[row]) + entries)
            logits = (len(rows) + 1) * entries * self._vocabulary
            if rows and (tokens > self._batch_tokens or logits > _LOGITS):
                yield rows
                rows = []
            rows.append(row)
        if rows:
            yield rows

    def _beam(self, prompts: Sequence[Prompt], views: Sequence[View], width: int) -> list[Candidates]:
        start = time.perf_counter()
        tree = self._read(prompts, first=True)
        beams = _Beams(len(prompts))
        logits = tree.logits[:, None]
        for level in range(len(self._codes)):
            logprobs = self._next(logits, level)
            with self._meter.masking():
                tokens = beams.step(views, level, logprobs, self._codes[level], width)
            self._meter.step(level, time.perf_counter() - start)
            start = time.perf_counter()
            if level + 1 < len(self._codes):
                logits = tree.extend(tokens, np.full(tokens.shape, level), beams.ancestors())
        return [beams.candidates(row, view) for row, view in enumerate(views)]

    def _read(self, prompts: Sequence[Prompt], *, first: bool) -> TokenTree:
        """The prompts by the model; nothing of them is kept, so that scoring reads again what a beam has read."""
        tokens = sum(map(len, prompts))
        self._meter.prefix(tokens, tokens, len(prompts), first=first)
        return TokenTree(self.model, prompts, self._pad)

    def _next(self, logits: torch.Tensor, level: int) -> Float32:
        """log-softmax over the whole vocabulary, read at the codes of a level: float32 [prompts, entries, codes]."""
        return np.asarray(logprobs_at(logits, self._columns[level]).cpu().numpy(), dtype=np.float32)

    def _score(self, prompts: Sequence[Prompt], codes: Sequence[Int64]) -> list[Float64]:
        tree = self._read(prompts, first=False)
        self._meter.rescored(sum(map(len, codes)))
        plans = [_Plan(rows) for rows in codes]
        first = self._next(tree.logits[:, None], 0)[:, 0]
        totals = [first[row, plan.codes[:, 0]].astype(np.float64) for row, plan in enumerate(plans)]
        entries = max(plan.entries for plan in plans)
        if not entries:
            return totals
        tokens, depths, ancestors = _stacked(plans, entries, self._codes)
        logits = tree.extend(tokens, depths, ancestors)
        norm = logits.logsumexp(-1)
        for level in range(1, len(self._codes)):
            for row, plan in enumerate(plans):
                at = torch.from_numpy(plan.places[level - 1]).to(self._device)
                token = torch.from_numpy(self._codes[level][plan.codes[:, level]]).to(self._device)
                totals[row] += (logits[row, at, token] - norm[row, at]).cpu().numpy().astype(np.float64)
        return totals

    def _generate(self, prompts: Sequence[Prompt], rule: TextRule) -> list[list[int]]:
        tree = TokenTree(self.model, prompts, self._pad)
        draw = _Draw(len(prompts), rule)
        texts: list[list[int]] = [[] for _ in prompts]
        running, logits = set(range(len(prompts))), tree.logits
        for step in range(rule.max_tokens):
            logits[:, self._unspeakable] = -torch.inf
            tokens = draw(logits)
            running -= {row for row in running if tokens[row] == self._end}
            for row in running:
                texts[row].append(int(tokens[row]))
            if not running or step + 1 == rule.max_tokens:
                break
            shape = (len(prompts), 1)
            logits = tree.extend(tokens[:, None], np.full(shape, step), np.ones((*shape, step + 1), dtype=bool))[:, 0]
        return texts

    def _weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
        logits = TokenTree(self.model, prompts, self._pad).logits
        columns = [torch.from_numpy(wanted).to(self._device) for wanted in tokens]
        return [
            (row[wanted] - row.logsumexp(-1)).cpu().numpy().astype(np.float64)
            for row, wanted in zip(logits, columns, strict=True)
        ]


def _limits(model: torch.nn.Module) -> list[int]:
    """What bounds a sequence: positions, and the window beyond which some layers do not look."""
    config = getattr(model, "config", None)
    found = [getattr(config, name, None) for name in ("max_position_embeddings", "sliding_window")]
    return [int(limit) for limit in found if limit]


class _Draw:
    """Picks the next token of each row; every row has its own dice, so that a batch says what each would say alone."""

    def __init__(self, rows: int, rule: TextRule) -> None:
        self._temperature = rule.temperature
        self._dice = [torch.Generator().manual_seed(rule.seed) for _ in range(rows)]

    def __call__(self, logits: torch.Tensor) -> Int64:
        """logits: float32 [rows, vocabulary] → token numbers, int64 [rows]."""
        if self._temperature <= 0:
            return np.asarray(logits.argmax(-1).cpu().numpy(), dtype=np.int64)
        chances = (logits / self._temperature).softmax(-1).cpu()
        drawn = [torch.multinomial(row, 1, generator=dice) for row, dice in zip(chances, self._dice, strict=True)]
        return np.asarray(torch.cat(drawn).numpy(), dtype=np.int64)


class _Beams:
    """The beams of a batch of prompts, with which cache entries each has written."""

    def __init__(self, prompts: int) -> None:
        self._nodes = [np.zeros(1, dtype=np.int64) for _ in range(prompts)]
        self._scores = [np.zeros(1) for _ in range(prompts)]
        self._paths = [np.zeros((1, 0), dtype=np.int64) for _ in range(prompts)]
        self._entries = 0

    def step(self, views: Sequence[View], level: int, logprobs: Float32, codes: Int64, width: int) -> Int64:
        """Widens every prompt's beams; returns the tokens to append, [prompts, most beams], padded with the first."""
        chosen = [np.empty(0, dtype=np.int64)] * len(views)
        for row, view in enumerate(views):
            step = widen(view, level, self._nodes[row], self._scores[row], logprobs[row], width)
            self._nodes[row], self._scores[row] = step.nodes, step.scores
            self._paths[row] = self._paths[row][step.parents]
            chosen[row] = codes[step.codes]
        most = max(1, *(len(nodes) for nodes in self._nodes)) if self._nodes else 1
        tokens = np.full((len(views), most), codes[0], dtype=np.int64)
        for row, ids in enumerate(chosen):
            tokens[row, : len(ids)] = ids
            self._paths[row] = np.column_stack([self._paths[row], self._entries + np.arange(len(ids))])
        self._entries += most
        self._most = most
        return tokens

    def ancestors(self) -> npt.NDArray[np.bool_]:
        """bool [prompts, beams, entries]: what each beam has written so far."""
        seen = np.zeros((len(self._paths), self._most, self._entries), dtype=bool)
        for row, paths in enumerate(self._paths):
            seen[row, np.arange(len(paths))[:, None], paths] = True
        return seen

    def candidates(self, row: int, view: View) -> Candidates:
        """Leaves → items; in the last step nodes are leaves."""
        return Candidates(view.trie.items[self._nodes[row]].astype(np.int64), self._scores[row])


class _Plan:
    """The distinct proper prefixes of some semantic IDs as tree entries, level by level.

    places[l]: the entry of each item's prefix of l + 1 codes, int64 [items].
    """

    def __init__(self, codes: Int64) -> None:
        self.codes = codes
        self.places: list[Int64] = []
        self.prefix: list[Int64] = []
        self.entries = 0
        for level in range(1, codes.shape[1]):
            prefixes, place = np.unique(codes[:, :level], axis=0, return_inverse=True)
            self.places.append(place.reshape(-1) + self.entries)
            self.prefix.append(prefixes)
            self.entries += len(prefixes)

    def fill(self, tokens: Int64, depths: Int64, ancestors: npt.NDArray[np.bool_], code_ids: Sequence[Int64]) -> None:
        """Writes this plan's row of the batch."""
        for level, prefixes in enumerate(self.prefix):
            at = np.unique(self.places[level])
            tokens[at] = code_ids[level][prefixes[:, -1]]
            depths[at] = level
        for deep in range(1, len(self.places)):
            for above in range(deep):
                ancestors[self.places[deep], self.places[above]] = True


def _stacked(
    plans: Sequence[_Plan], entries: int, code_ids: Sequence[Int64]
) -> tuple[Int64, Int64, npt.NDArray[np.bool_]]:
    tokens = np.full((len(plans), entries), code_ids[0][0], dtype=np.int64)
    depths = np.zeros((len(plans), entries), dtype=np.int64)
    ancestors = np.zeros((len(plans), entries, entries), dtype=bool)
    for row, plan in enumerate(plans):
        plan.fill(tokens[row], depths[row], ancestors[row], code_ids)
    return tokens, depths, ancestors
