"""What a beam asks of a model that runs elsewhere: one next-token request, and its few bytes on the wire.

The trie stays with whoever asks. A request carries only the tokens that may follow and, where a prior has to prune
them, the best prior below each; so the model's process knows no catalog, and none can be out of date there. Knows no
trie, no engine and no torch.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from genrec.decoding.engine import TextRule
from genrec.errors import EngineError
from genrec.ragged import Int64

Float32 = npt.NDArray[np.float32]
Ranges = tuple[tuple[int, int], ...]

KEY = "genrec"
"""Where a request's extra arguments hold the packed `Want`."""
_MAGIC = 0x67726563
_NO_BOUNDS, _BOUNDS = 0, 1


@dataclass(frozen=True)
class Want:
    """Which next tokens count, and which come back.

    allowed: token numbers, int64 [n], ties go to the earlier; None: all. most: how many come back at most, best first;
    0: free text, nothing comes back and nothing is normalised. bounds: float32 [n], added to the log-probability when
    the best are picked, never to what comes back. columns: half-open ranges of token numbers over which probabilities
    sum to one (for text: that may be written); empty: all.
    """

    allowed: Int64 | None
    most: int
    bounds: Float32 | None = None
    columns: Ranges = ()

    @property
    def returned(self) -> int:
        """How many log-probabilities come back."""
        return self.most if self.allowed is None else min(self.most, len(self.allowed))


def pack(want: Want) -> bytes:
    """A header of four int32 (magic, most, allowed tokens or −1, ranges), then ranges, tokens and bounds."""
    count = -1 if want.allowed is None else len(want.allowed)
    head = [_MAGIC, want.most, count, len(want.columns), _NO_BOUNDS if want.bounds is None else _BOUNDS]
    parts = [np.array([*head, *(edge for pair in want.columns for edge in pair)], dtype="<i4").tobytes()]
    if want.allowed is not None:
        parts.append(want.allowed.astype("<i4").tobytes())
    if want.bounds is not None:
        parts.append(want.bounds.astype("<f4").tobytes())
    return b"".join(parts)


def unpack(packed: object) -> Want:
    """The `Want` of bytes or base64 text; raises EngineError for anything else, never trusts a length."""
    words = np.frombuffer(_bytes(packed), dtype="<i4")
    if len(words) < 5 or words[0] != _MAGIC or words[1] < 0 or words[2] < -1 or words[3] < 0:
        raise _garbled(len(words))
    most, count, ranges, kind = (int(word) for word in words[1:5])
    edges, rest = words[5 : 5 + 2 * ranges], words[5 + 2 * ranges :]
    tokens = max(count, 0)
    if kind not in (_NO_BOUNDS, _BOUNDS) or len(edges) != 2 * ranges or len(rest) != tokens * (1 + kind):
        raise _garbled(len(words))
    allowed = None if count < 0 else rest[:tokens].astype(np.int64)
    if (allowed is not None and (allowed < 0).any()) or (edges < 0).any():
        raise EngineError("a token number is negative", value=int(rest.min(initial=0)), allowed="0 or more")
    bounds = rest[tokens:].view("<f4").astype(np.float32) if kind == _BOUNDS else None
    return Want(allowed, most, bounds, tuple((int(low), int(high)) for low, high in edges.reshape(-1, 2)))


def _bytes(packed: object) -> bytes:
    if isinstance(packed, str):
        try:
            packed = base64.b64decode(packed, validate=True)
        except (binascii.Error, ValueError) as cause:
            raise _garbled(len(str(packed))) from cause
    if not isinstance(packed, bytes | bytearray | memoryview) or len(packed) % 4:
        raise _garbled(packed)
    return bytes(packed)


def _garbled(value: object) -> EngineError:
    return EngineError(
        f"the extra argument '{KEY}' is not a packed request", value=value, remedy="send it with genrec's own client"
    )


@dataclass(frozen=True)
class Ask:
    """One next-token request: `want` after the prompt, spoken by an adapter (None: the base model)."""

    prompt: list[int]
    want: Want
    adapter: str | None = None


class Answer(NamedTuple):
    """tokens: int64 [returned]; logprobs: float32 [returned]; computed: prompt tokens that no cache held."""

    tokens: Int64
    logprobs: Float32
    computed: int


@dataclass(frozen=True)
class TextAsk:
    """Free text after a prompt; `want` says which tokens may be written, `ends` which ones end it."""

    prompt: list[int]
    rule: TextRule
    want: Want
    ends: list[int]
    adapter: str | None = None


class Backend(Protocol):
    """A running vLLM: in this machine's processes, or behind HTTP."""

    @property
    def block(self) -> int:
        """Tokens of a cache block: only whole ones are used again."""
        ...

    async def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        """All answers, in order; they run in one batch where there is room."""
        ...

    async def write(self, text: TextAsk) -> list[int]:
        """Token numbers, without the one that ended it."""
        ...

    async def close(self) -> None:
        """Ends processes or connections."""
        ...
