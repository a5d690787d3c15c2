"""An engine that answers from a script: the fake for tests of what stands on an engine. Needs no model, no torch.

It passes the same contract as the real ones (tests/decoding/contract.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from genrec.decoding.engine import Candidates, Float64, Prompt, TextRule, check, widen
from genrec.errors import EngineError
from genrec.items.trie import View
from genrec.ragged import Int64

# (prompt, codes written so far) → log-probability of every code of the next level, float64 [codes].
Script = Callable[[Prompt, tuple[int, ...]], Float64]
# (prompt, rule) → the tokens that a model would have liked to write.
Reply = Callable[[Prompt, TextRule], Sequence[int]]
# (prompt, token) → how much a model likes to write the token next, in nats.
Taste = Callable[[Prompt, int], float]


def seeded(sizes: Sequence[int], seed: int = 0) -> Script:
    """Arbitrary but fixed opinions; text tokens keep half of the probability."""

    def script(prompt: Prompt, prefix: tuple[int, ...]) -> Float64:
        random = np.random.default_rng([seed, *prompt, 1 << 20, *prefix])
        return np.asarray(_log_softmax(3 * random.standard_normal(sizes[len(prefix)])) - np.log(2))

    return script


def table(sizes: Sequence[int], rows: Mapping[tuple[int, ...], Sequence[float]]) -> Script:
    """Log-probabilities written down per prefix, whatever the prompt; prefixes that are absent are uniform."""

    def script(prompt: Prompt, prefix: tuple[int, ...]) -> Float64:
        size = sizes[len(prefix)]
        return np.asarray(rows.get(prefix, [-np.log(size)] * size), dtype=np.float64)

    return script


def liking(codes: Int64, sizes: Sequence[int], logprobs: Callable[[Prompt], Float64]) -> Script:
    """Exactly these log-probabilities of the items, float64 [items], for each prompt; they may sum to less than 1."""

    def script(prompt: Prompt, prefix: tuple[int, ...]) -> Float64:
        depth = len(prefix)
        chances = np.exp(logprobs(prompt))
        below = (codes[:, :depth] == np.array(prefix, dtype=np.int64)).all(axis=1)
        mass = np.bincount(codes[below, depth], chances[below], minlength=sizes[depth])
        with np.errstate(divide="ignore"):
            return np.log(mass) - (np.log(chances[below].sum()) if depth else 0.0)

    return script


def _log_softmax(values: Float64) -> Float64:
    return np.asarray(values - values.max() - np.log(np.exp(values - values.max()).sum()))


class ScriptedEngine:
    """code_ids: per level the token number of every code; reply: silence if not given; taste: of next tokens, that of
    the reply if not given."""

    def __init__(
        self,
        script: Script,
        code_ids: Sequence[Int64],
        *,
        end_id: int = -1,
        context: int = 1 << 20,
        reply: Reply = lambda prompt, rule: [],
        taste: Taste | None = None,
    ) -> None:
        self._script, self._codes, self._end, self._context, self._reply = script, code_ids, end_id, context, reply
        self._taste = taste or self._as_replied

    def beam(self, prompts: Sequence[Prompt], views: Sequence[View], width: int) -> list[Candidates]:
        if width < 1:
            raise EngineError("the beam is empty", value=width, allowed="1 or more")
        check(prompts, len(views), self._context - len(self._codes))
        return [self._beam(prompt, view, width) for prompt, view in zip(prompts, views, strict=True)]

    def _beam(self, prompt: Prompt, view: View, width: int) -> Candidates:
        nodes, scores, prefixes = np.zeros(1, dtype=np.int64), np.zeros(1), [()]
        for level, ids in enumerate(self._codes):
            rows = [self._script(prompt, prefix) for prefix in prefixes]
            logprobs = np.asarray(rows, dtype=np.float32).reshape(len(rows), len(ids))
            step = widen(view, level, nodes, scores, logprobs, width)
            pairs = zip(step.parents.tolist(), step.codes.tolist(), strict=True)
            nodes, scores, prefixes = step.nodes, step.scores, [(*prefixes[above], code) for above, code in pairs]
        return Candidates(view.trie.items[nodes].astype(np.int64), scores)

    def score(self, prompts: Sequence[Prompt], codes: Sequence[Int64]) -> list[Float64]:
        check(prompts, len(codes), self._context - len(self._codes))
        return [
            np.array([self._log_probability(prompt, tuple(row)) for row in rows.tolist()], dtype=np.float64)
            for prompt, rows in zip(prompts, codes, strict=True)
        ]

    def _log_probability(self, prompt: Prompt, codes: tuple[int, ...]) -> float:
        return float(sum(self._script(prompt, codes[:depth])[code] for depth, code in enumerate(codes)))

    def generate(self, prompts: Sequence[Prompt], rule: TextRule) -> list[list[int]]:
        if rule.max_tokens < 1:
            raise EngineError("a text of no tokens", value=rule.max_tokens, allowed="1 or more")
        check(prompts, len(prompts), self._context - rule.max_tokens)
        return [self._spoken(self._reply(prompt, rule))[: rule.max_tokens] for prompt in prompts]

    def weigh(self, prompts: Sequence[Prompt], tokens: Sequence[Int64]) -> list[Float64]:
        check(prompts, len(tokens), self._context)
        return [
            np.array([self._taste(prompt, token) for token in wanted.tolist()], dtype=np.float64)
            for prompt, wanted in zip(prompts, tokens, strict=True)
        ]

    def _as_replied(self, prompt: Prompt, token: int) -> float:
        """The token that it would write next is the likelier one."""
        return 0.0 if self._spoken(self._reply(prompt, TextRule(1)))[:1] == [token] else -5.0

    def _spoken(self, tokens: Sequence[int]) -> list[int]:
        codes = {int(token) for level in self._codes for token in level}
        spoken = [int(token) for token in tokens if token not in codes]
        return spoken[: spoken.index(self._end)] if self._end in spoken else spoken
