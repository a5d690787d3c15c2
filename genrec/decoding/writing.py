"""Tokens under an automaton over bytes: which may come next, and which have to. Knows no model.

A token may come when all its bytes may; the tokens form a tree by their bytes, walked beside the automaton, so a
state costs as much as it leaves open. Text that has to follow is not sampled: it becomes tokens at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from genrec.decoding.automaton import Automaton
from genrec.errors import EngineError
from genrec.ragged import Int64


class Options(NamedTuple):
    """tokens: int64 [n], ascending; states: where each leads, int64 [n]."""

    tokens: Int64
    states: Int64


@dataclass
class _Branch:
    tokens: list[int] = field(default_factory=list)
    below: dict[int, _Branch] = field(default_factory=dict)


class Writer:
    """spelling: token number → its bytes, for every token that text may be made of; encode: text → tokens."""

    def __init__(self, spelling: Mapping[int, bytes], encode: Callable[[str], list[int]]) -> None:
        self._spelling, self._encode = dict(spelling), encode
        self._root = _Branch()
        for token, signs in sorted(spelling.items()):
            branch = self._root
            for sign in signs:
                branch = branch.below.setdefault(sign, _Branch())
            if signs:
                branch.tokens.append(token)
        self._kept: dict[tuple[int, int], Options] = {}
        self._automata: dict[int, Automaton] = {}  # keeps those alive that ids in `_kept` speak of

    def options(self, automaton: Automaton, state: int) -> Options:
        """What may come next; raises EngineError where the vocabulary cannot spell what the schema wants."""
        key = (id(automaton), state)
        if key not in self._kept:
            found = sorted(self._walk(automaton, state, self._root))
            if not found:
                raise EngineError("no token of this vocabulary spells what the schema wants")
            if len(self._kept) > 100_000:
                self._kept.clear()
                self._automata.clear()
            self._automata[id(automaton)] = automaton
            tokens, states = (np.array(part, dtype=np.int64) for part in zip(*found, strict=True))
            self._kept[key] = Options(tokens, states)
        return self._kept[key]

    def forced(self, automaton: Automaton, state: int) -> tuple[list[int], int]:
        """Tokens of the text that has to follow, and the state after it."""
        text, end = automaton.forced(state)
        return self._encode(text.decode()) if text else [], end

    def parts(self, automaton: Automaton, text: str) -> tuple[list[int], list[bool]]:
        """A text as decoding would write it: tokens, and whether each was a choice. Raises EngineError for a text that
        the automaton does not accept.

        Where there is a choice the longest token is taken, whatever has to follow is encoded as a whole.
        """
        rest, state = text.encode(), 0
        tokens: list[int] = []
        chosen: list[bool] = []
        while True:
            forced, state = automaton.forced(state)
            tokens += (new := self._encode(forced.decode()) if forced else [])
            chosen += [False] * len(new)
            rest = rest[len(forced) :]
            if not rest:
                break
            token = self._longest(rest)
            after = automaton.run(state, self._spelling[token]) if token is not None else None
            if token is None or after is None:
                raise EngineError("the text does not obey the schema", value=text)
            tokens.append(token)
            chosen.append(True)
            rest, state = rest[len(self._spelling[token]) :], after
        return tokens, chosen

    def _longest(self, text: bytes) -> int | None:
        branch, best = self._root, None
        for sign in text:
            if sign not in branch.below:
                break
            branch = branch.below[sign]
            best = branch.tokens[0] if branch.tokens else best
        return best

    def _walk(self, automaton: Automaton, state: int, branch: _Branch) -> list[tuple[int, int]]:
        steps, found = automaton.step(state), []
        for sign in branch.below.keys() & steps.keys():
            below, after = branch.below[sign], steps[sign]
            found += [(token, after) for token in below.tokens]
            found += self._walk(automaton, after, below)
        return found


def spelling_of(tokens: Sequence[str | None]) -> dict[int, bytes]:
    """Token number → bytes, of a byte-level vocabulary (GPT-2's alphabet) or a sentencepiece one; None: no text."""
    pieces = any(token and token.startswith("\u2581") for token in tokens)
    read = _piece if pieces else _bytes
    return {number: signs for number, token in enumerate(tokens) if token and (signs := read(token))}


def _piece(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace("\u2581", " ").encode()


def _bytes(token: str) -> bytes:
    signs = [_ALPHABET.get(sign) for sign in token]
    return b"" if None in signs else bytes(sign for sign in signs if sign is not None)


def _alphabet() -> dict[str, int]:
    """The printable sign that stands for each byte in GPT-2's vocabulary."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [sign for sign in range(256) if sign not in plain]
    return {chr(sign): sign for sign in plain} | {chr(256 + place): sign for place, sign in enumerate(others)}


_ALPHABET = _alphabet()
