"""A model that knows nothing writes nothing but what its schema allows; alone or in a batch, the same."""

from __future__ import annotations

import json

import pytest

from genrec.decoding.engine import TextRule
from genrec.decoding.torch_engine import TorchEngine
from genrec.errors import EngineError
from tests.helpers.tiny import qwen3, small_index, small_vocabulary

SCHEMAS = [
    {"type": "array", "items": {"enum": ["like", "dislike"]}, "minItems": 1, "maxItems": 3},
    {"type": "object", "properties": {"A": {"enum": ["a", "ab", "b"]}, "n": {"type": "integer"}},
     "required": ["A", "n"], "additionalProperties": False},
    {"type": "string", "maxLength": 3},
    {"const": "x"},
]  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> TorchEngine:
    vocabulary = small_vocabulary(small_index())
    ids = {"pad_id": vocabulary.pad_id, "end_id": vocabulary.end_id}
    return TorchEngine(qwen3(vocabulary), vocabulary.code_ids, **ids, writer=vocabulary.writer)


PROMPTS = [[5, 6, 7, 8], [9], [5, 5, 5, 5, 5, 5], [4, 3]]


@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_whatever_the_dice_the_schema_holds(engine: TorchEngine, temperature: float) -> None:
    vocabulary = small_vocabulary(small_index())
    for seed in range(4):
        rule = TextRule(max_tokens=80, temperature=temperature, seed=seed)
        texts = [vocabulary.text(one) for one in engine.write(PROMPTS, [json.dumps(one) for one in SCHEMAS], rule)]
        likes, pair, string, const = map(json.loads, texts)
        assert 1 <= len(likes) <= 3
        assert set(likes) <= {"like", "dislike"}
        assert pair["A"] in ("a", "ab", "b")
        assert isinstance(pair["n"], int)
        assert len(string) <= 3
        assert const == "x"


def test_a_batch_writes_what_each_would_write_alone(engine: TorchEngine) -> None:
    schemas, rule = [json.dumps(one) for one in SCHEMAS], TextRule(max_tokens=80)
    together = engine.write(PROMPTS, schemas, rule)
    assert together == [engine.write([p], [s], rule)[0] for p, s in zip(PROMPTS, schemas, strict=True)]
    whole = TextRule(max_tokens=80, schema=schemas[0])
    assert engine.generate(PROMPTS[:1], whole) == together[:1]


def test_a_text_too_long_and_an_engine_without_spelling(engine: TorchEngine) -> None:
    with pytest.raises(EngineError, match="did not end"):
        engine.write([[5]], ['{"const":"much too long for this"}'], TextRule(max_tokens=2))
    vocabulary = small_vocabulary(small_index())
    mute = TorchEngine(qwen3(vocabulary), vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    with pytest.raises(EngineError, match="spelling"):
        mute.write([[5]], ['{"const":"x"}'], TextRule())
