"""Schemas as automata: exactly the compact JSON texts that obey, and tokens under them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.decoding.automaton import Automaton
from genrec.decoding.writing import Writer, spelling_of
from genrec.errors import EngineError

PAIR = {
    "type": "object",
    "properties": {"A": {"enum": ["like", "less", "none"]}, "also": {"type": "boolean"}},
    "required": ["A", "also"],
    "additionalProperties": False,
}


def accepts(schema: Any, text: str) -> bool:
    one = Automaton(json.dumps(schema))
    end = one.run(0, text.encode())
    return end is not None and one.accepts(end)


def test_an_object_has_its_properties_in_their_order_and_no_others() -> None:
    assert accepts(PAIR, '{"A":"like","also":true}')
    for wrong in (
        '{"A":"lik","also":true}',
        '{"also":true,"A":"like"}',
        '{"A":"like"}',
        '{"A": "like","also":true}',
        "",
    ):
        assert not accepts(PAIR, wrong)


@given(st.lists(st.integers(-(10**9), 10**9), max_size=5))
def test_arrays_of_integers_within_their_bounds(numbers: list[int]) -> None:
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}
    assert accepts(schema, json.dumps(numbers, separators=(",", ":"))) is (1 <= len(numbers) <= 3)


@given(st.text(max_size=8))
def test_strings_are_those_that_json_reads(text: str) -> None:
    written = json.dumps(text, ensure_ascii=False)
    plain = all(sign >= " " and sign != "\x7f" for sign in text) and not any(
        "\ud800" <= sign <= "\udfff" for sign in text
    )
    if plain:
        assert accepts({"type": "string", "maxLength": 8}, written)
        assert accepts({"type": "string", "maxLength": 2}, written) is (len(text) <= 2)


@pytest.mark.parametrize("text", ["0", "-0", "12.5", "null", "7"])
def test_numbers_null_and_either(text: str) -> None:
    assert accepts({"anyOf": [{"type": "number"}, {"type": "null"}]}, text)


@pytest.mark.parametrize("text", ["01", "1.", ".5", "--1", "nul", "1e5"])
def test_what_no_number_is(text: str) -> None:
    assert not accepts({"anyOf": [{"type": "number"}, {"type": "null"}]}, text)


def test_what_has_to_follow_is_known() -> None:
    one = Automaton(json.dumps(PAIR))
    text, state = one.forced(0)
    assert text == b'{"A":"'
    assert {chr(sign) for sign in one.step(state)} == {"l", "n"}
    after = one.run(state, b"n")
    assert after is not None
    assert one.forced(after)[0] == b'one","also":'


@pytest.mark.parametrize(
    "schema",
    [{"type": "string", "pattern": "a*"}, {"$ref": "#"}, {"type": "integer", "minimum": 3}, {"type": "array"}, True,
     {"type": "object", "properties": {"a": {"type": "null"}}, "required": [], "additionalProperties": False}],
)  # fmt: skip
def test_schemas_that_are_not_covered_say_so(schema: Any) -> None:
    with pytest.raises(EngineError) as error:
        Automaton(json.dumps(schema))
    assert error.value.allowed


def test_a_schema_that_is_no_json() -> None:
    with pytest.raises(EngineError, match="not JSON"):
        Automaton("{")


WORDS = ["{", '"', "A", ":", "l", "le", "like", "less", "none", "n", "o", "e", "i", "k", "s", ",", "also", "a", "true",
         "t", "r", "u", "f", "false", '","', "}", "x", "né"]  # fmt: skip


def writer() -> Writer:
    """Encodes by the longest word first."""

    def encode(text: str) -> list[int]:
        found = []
        while text:
            word = max((word for word in WORDS if text.startswith(word)), key=len)
            found.append(WORDS.index(word))
            text = text[len(word) :]
        return found

    return Writer({number: word.encode() for number, word in enumerate(WORDS)}, encode)


def test_tokens_that_may_come_are_those_whose_every_byte_may() -> None:
    one, write = Automaton(json.dumps(PAIR)), writer()
    _, state = one.forced(0)
    options = write.options(one, state)
    assert {WORDS[token] for token in options.tokens.tolist()} == {"l", "le", "like", "less", "none", "n"}
    assert len(set(options.states.tolist())) == 6


def test_a_text_in_parts_is_the_text_and_only_its_choices_are_choices() -> None:
    tokens, chosen = writer().parts(Automaton(json.dumps(PAIR)), '{"A":"less","also":false}')
    assert "".join(WORDS[token] for token in tokens) == '{"A":"less","also":false}'
    assert [WORDS[token] for token, one in zip(tokens, chosen, strict=True) if one] == ["less", "false"]
    with pytest.raises(EngineError, match="does not obey"):
        writer().parts(Automaton(json.dumps(PAIR)), '{"A":"many","also":false}')


def test_a_vocabulary_that_cannot_spell_it_is_refused() -> None:
    poor = Writer({0: b"x"}, lambda text: [])
    with pytest.raises(EngineError, match="no token"):
        poor.options(Automaton('{"enum":["a","b"]}'), 0)


def test_bytes_of_byte_level_and_of_sentencepiece_vocabularies() -> None:
    assert spelling_of(["Ġa", "Ã©", None, "<x>"]) == {0: b" a", 1: "é".encode(), 3: b"<x>"}
    assert spelling_of(["\u2581a", "<0x0A>", None]) == {0: b" a", 1: b"\n"}
