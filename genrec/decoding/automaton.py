"""A JSON schema → an automaton over bytes that accepts exactly the compact JSON texts that obey it.

A schema without recursion describes a regular language, so a finite automaton is enough, built state by state as
decoding reaches them. Covered: object (all properties required, in their order, no others), array (items, minItems,
maxItems), enum, const, boolean, null, integer, number, string (maxLength), anyOf. Knows no tokens and no model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

from genrec.errors import EngineError

_DIGITS, _NONZERO = frozenset(b"0123456789"), frozenset(b"123456789")
_PLAIN = frozenset(range(0x20, 0x80)) - frozenset(b'"\\') - {0x7F}
_ESCAPED = frozenset(b'"\\/bfnrt')
_MORE = frozenset(range(0x80, 0xC0))  # bytes that continue a character of several
_MOST_TEXT, _MOST_ITEMS, _MOST_DIGITS = 200, 50, 15


@dataclass
class _Net:
    """A nondeterministic automaton as it grows: edges[n] = [(bytes or None for a free step, next)]."""

    edges: list[list[tuple[frozenset[int] | None, int]]] = field(default_factory=list)

    def node(self) -> int:
        self.edges.append([])
        return len(self.edges) - 1

    def free(self, start: int, end: int) -> None:
        self.edges[start].append((None, end))

    def one_of(self, start: int, signs: Iterable[int]) -> int:
        end = self.node()
        self.edges[start].append((frozenset(signs), end))
        return end

    def literal(self, start: int, text: str) -> int:
        for sign in text.encode():
            start = self.one_of(start, [sign])
        return start

    def joined(self, ends: Iterable[int]) -> int:
        whole = self.node()
        for end in ends:
            self.free(end, whole)
        return whole


class Automaton:
    """States are numbers; 0 is the start."""

    def __init__(self, schema: str) -> None:
        """Raises EngineError for a schema that is no JSON or not covered."""
        try:
            parsed = json.loads(schema)
        except ValueError as cause:
            raise EngineError("the schema is not JSON", value=schema[:80]) from cause
        self._net = _Net()
        start = self._net.node()
        self._end = _build(self._net, start, parsed)
        self._sets: list[frozenset[int]] = []
        self._numbers: dict[frozenset[int], int] = {}
        self._next: list[dict[int, int] | None] = []
        self._number(self._closed([start]))

    def step(self, state: int) -> dict[int, int]:
        """Byte → next state, for every byte that may follow."""
        known = self._next[state]
        if known is None:
            targets: dict[int, list[int]] = {}
            for node in self._sets[state]:
                for signs, end in self._net.edges[node]:
                    for sign in signs or ():
                        targets.setdefault(sign, []).append(end)
            shared = {tuple(ends): self._number(self._closed(ends)) for ends in map(tuple, targets.values())}
            known = self._next[state] = {sign: shared[tuple(ends)] for sign, ends in targets.items()}
        return known

    def accepts(self, state: int) -> bool:
        """Whether the text may end here."""
        return self._end in self._sets[state]

    def forced(self, state: int) -> tuple[bytes, int]:
        """The bytes that have to follow, and the state after them."""
        text = bytearray()
        while len(options := self.step(state)) == 1 and not self.accepts(state):
            sign, state = next(iter(options.items()))
            text.append(sign)
        return bytes(text), state

    def run(self, state: int, text: bytes) -> int | None:
        """The state after these bytes; None where they are not allowed."""
        for sign in text:
            found = self.step(state).get(sign)
            if found is None:
                return None
            state = found
        return state

    def _closed(self, nodes: Iterable[int]) -> frozenset[int]:
        found, todo = set(nodes), list(nodes)
        while todo:
            for signs, end in self._net.edges[todo.pop()]:
                if signs is None and end not in found:
                    found.add(end)
                    todo.append(end)
        return frozenset(found)

    def _number(self, nodes: frozenset[int]) -> int:
        if nodes not in self._numbers:
            self._numbers[nodes] = len(self._sets)
            self._sets.append(nodes)
            self._next.append(None)
        return self._numbers[nodes]


@lru_cache(maxsize=4096)
def automaton(schema: str) -> Automaton:
    """The automaton of a schema; the same text gives the same one."""
    return Automaton(schema)


def _build(net: _Net, start: int, schema: Any) -> int:
    """Appends what the schema allows after `start`; returns the node after it."""
    if not isinstance(schema, dict):
        raise _uncovered(schema)
    if "const" in schema:
        return net.literal(start, _compact(schema["const"]))
    if "enum" in schema:
        return net.joined([net.literal(start, _compact(one)) for one in schema["enum"]])
    if "anyOf" in schema:
        return net.joined([_build(net, start, one) for one in schema["anyOf"]])
    kind = schema.get("type")
    if kind not in _KINDS:
        raise _uncovered(schema)
    return _KINDS[kind](net, start, schema)


def _object(net: _Net, start: int, schema: dict[str, Any]) -> int:
    properties = schema.get("properties", {})
    if set(schema.get("required", ())) != set(properties) or schema.get("additionalProperties", True) is not False:
        raise EngineError(
            "an object that leaves properties open", value=sorted(properties), where="schema",
            allowed="required: every property; additionalProperties: false",
        )  # fmt: skip
    start = net.literal(start, "{")
    for place, (name, inner) in enumerate(properties.items()):
        start = _build(net, net.literal(start, f"{',' if place else ''}{_compact(name)}:"), inner)
    return net.literal(start, "}")


def _array(net: _Net, start: int, schema: dict[str, Any]) -> int:
    least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", _MOST_ITEMS))
    if "items" not in schema or not least <= most <= 1000:
        raise _uncovered(schema)
    start = net.literal(start, "[")
    ends = [start] if least == 0 else []
    for count in range(1, most + 1):
        start = _build(net, start if count == 1 else net.literal(start, ","), schema["items"])
        ends += [start] if count >= least else []
    return net.literal(net.joined(ends), "]")


def _string(net: _Net, start: int, schema: dict[str, Any]) -> int:
    if {"pattern", "format", "minLength"} & schema.keys():
        raise _uncovered(schema)
    start = net.literal(start, '"')
    ends = [start]
    for _ in range(int(schema.get("maxLength", _MOST_TEXT))):
        start = _character(net, start)
        ends.append(start)
    return net.literal(net.joined(ends), '"')


def _character(net: _Net, start: int) -> int:
    """One character as UTF-8, or an escape of one letter."""
    ends = [net.one_of(start, _PLAIN), net.one_of(net.one_of(start, b"\\"), _ESCAPED)]
    for (low, high), rest in zip(pairwise((0xC2, 0xE0, 0xF0, 0xF5)), (1, 2, 3), strict=True):
        for lead in range(low, high):
            first = _MORE - _OVERLONG.get(lead, frozenset())
            end = net.one_of(net.one_of(start, [lead]), first)
            for _ in range(rest - 1):
                end = net.one_of(end, _MORE)
            ends.append(end)
    return net.joined(ends)


# What may not follow a lead byte at once: overlong forms, surrogates, beyond the last character.
_OVERLONG = {
    0xE0: frozenset(range(0x80, 0xA0)),
    0xED: frozenset(range(0xA0, 0xC0)),
    0xF0: frozenset(range(0x80, 0x90)),
    0xF4: frozenset(range(0x90, 0xC0)),
}


def _integer(net: _Net, start: int, schema: dict[str, Any]) -> int:
    if {"minimum", "maximum", "multipleOf"} & schema.keys():
        raise _uncovered(schema)
    signed = net.joined([start, net.literal(start, "-")])
    ends = [net.literal(signed, "0"), end := net.one_of(signed, _NONZERO)]
    for _ in range(_MOST_DIGITS - 1):
        end = net.one_of(end, _DIGITS)
        ends.append(end)
    return net.joined(ends)


def _decimal(net: _Net, start: int, schema: dict[str, Any]) -> int:
    ends = [end := _integer(net, start, schema)]
    end = net.literal(end, ".")
    for _ in range(_MOST_DIGITS):
        end = net.one_of(end, _DIGITS)
        ends.append(end)
    return net.joined(ends)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _uncovered(schema: Any) -> EngineError:
    return EngineError(
        "this engine writes no JSON by such a schema", value=str(schema)[:120], where="schema",
        allowed="object, array, string, integer, number, boolean, null, enum, const, anyOf, without recursion or "
        "bounds other than minItems, maxItems and maxLength",
        remedy="simplify the schema, or serve the bundle with vLLM",
    )  # fmt: skip


def _boolean(net: _Net, start: int, schema: dict[str, Any]) -> int:
    return net.joined([net.literal(start, "true"), net.literal(start, "false")])


def _null(net: _Net, start: int, schema: dict[str, Any]) -> int:
    return net.literal(start, "null")


_KINDS: dict[str, Callable[[_Net, int, dict[str, Any]], int]] = {
    "object": _object, "array": _array, "string": _string, "integer": _integer, "number": _decimal,
    "boolean": _boolean, "null": _null,
}  # fmt: skip
