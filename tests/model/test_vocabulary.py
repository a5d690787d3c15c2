"""One token per code wherever it stands, and no character of any language is lost."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from genrec.errors import IndexingError
from genrec.items.index import ItemIndex
from genrec.model.vocabulary import END, PAD, Vocabulary, markers, train_tokenizer
from tests.helpers.tiny import TEXTS, small_index, small_vocabulary

INDEX = small_index()
VOCABULARY = small_vocabulary(INDEX)
LANGUAGES = [
    "She loved the film, twice!",
    "她看了《霸王别姬》和《花样年华》。",
    "映画を見た。ありがとう",
    "Москва слезам не верит",
    "שלום وداعا नमस्ते",
    "Zoë, naïve café — “quoted” … 100 %\n\ttab  two  spaces ",
    "👩‍👩‍👧 🎬🍿 ❤️‍🔥",
]


@pytest.mark.parametrize("text", LANGUAGES)
def test_every_language_survives(text: str) -> None:
    assert VOCABULARY.text(VOCABULARY.ids(text)) == text


@given(st.text(st.characters(blacklist_categories=["Cs"])).filter(lambda text: "<" not in text))
def test_any_text_survives(text: str) -> None:
    assert VOCABULARY.text(VOCABULARY.ids(text)) == text


def test_each_code_is_one_token_of_its_own() -> None:
    numbers = [int(token) for level in VOCABULARY.code_ids for token in level]
    assert len(set(numbers)) == sum(INDEX.sizes)
    assert [VOCABULARY.ids(token) for token in INDEX.tokens] == [[number] for number in numbers]


@pytest.mark.parametrize("between", ["", " ", "\n", "x", "霸", "🎬", "<", "_1>"])
def test_codes_stay_whole_in_any_company(between: str) -> None:
    text = between.join(INDEX.tokens)
    ids = VOCABULARY.ids(between + text + between)
    codes = {int(token) for level in VOCABULARY.code_ids for token in level}
    assert [VOCABULARY.text([token]) for token in ids if token in codes] == INDEX.tokens
    assert VOCABULARY.text(ids) == between + text + between


def test_a_history_is_the_semantic_tokens_of_its_items() -> None:
    items = np.array([5, 0, 17, 5])
    text = "".join(INDEX.text(int(item)) for item in items)
    assert VOCABULARY.ids(text) == VOCABULARY.semantic_tokens(INDEX.codes[items]).ravel().tolist()
    assert INDEX.parse(VOCABULARY.text(VOCABULARY.ids(text))) == items.tolist()


def test_markers_are_single_tokens_that_are_not_read_back() -> None:
    (user,) = VOCABULARY.ids("<|user|>")
    assert VOCABULARY.ids("<|user|>hi")[0] == user
    assert VOCABULARY.text(VOCABULARY.ids("<|user|>hi<|end|>")) == "hi"
    assert VOCABULARY.ids(END) == [VOCABULARY.end_id]
    assert VOCABULARY.ids(PAD) == [VOCABULARY.pad_id]


def test_markers_are_found_in_templates() -> None:
    assert markers(["<|user|>{history}<|item|>", f"<|item|>{END} <a_1> <|Not one|>"]) == ["<|item|>", "<|user|>"]


def test_a_tokenizer_of_the_size_asked_for_and_the_same_each_time() -> None:
    first, second = (train_tokenizer(TEXTS * 3, 270) for _ in range(2))
    assert len(first) <= 270
    assert first.get_vocab() == second.get_vocab()


def test_saved_and_loaded_it_reads_the_same(tmp_path: Path) -> None:
    VOCABULARY.tokenizer.save_pretrained(tmp_path)
    loaded = Vocabulary(AutoTokenizer.from_pretrained(tmp_path), INDEX.sizes)
    text = "<|user|>" + "".join(LANGUAGES) + INDEX.text(3) + END
    assert loaded.ids(text) == VOCABULARY.ids(text)
    assert (loaded.pad_id, loaded.end_id, len(loaded)) == (VOCABULARY.pad_id, VOCABULARY.end_id, len(VOCABULARY))
    assert all((new == old).all() for new, old in zip(loaded.code_ids, VOCABULARY.code_ids, strict=True))


def test_a_tokenizer_without_the_codes_is_refused() -> None:
    with pytest.raises(IndexingError, match="lacks code tokens"):
        _ = Vocabulary(train_tokenizer(TEXTS, 270), (4, 6, 8)).code_ids
    with pytest.raises(IndexingError, match="lacks code tokens"):  # codes of a larger index than it was made for
        _ = Vocabulary(VOCABULARY.tokenizer, (4, 6, 9)).code_ids


def byte_level(vocabulary: dict[str, int], merges: list[tuple[str, str]], end: str) -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, clean_up_tokenization_spaces=False)


def merges_of(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        (left, right)
        for left, _, right in (line.partition(" ") for line in lines if " " in line and line[:9] != "#version:")
    ]


@pytest.mark.parametrize(
    ("name", "files"), [("gpt2", ("encoder.json", "vocab.bpe")), ("qwen3", ("vocab.json", "merges.txt"))]
)
def test_a_pretrained_tokenizer_keeps_its_numbers(
    shared: Callable[[str], Path], name: str, files: tuple[str, str]
) -> None:
    folder = shared(f"tokenizers/{name}")
    words = json.loads((folder / files[0]).read_text(encoding="utf-8"))
    tokenizer = byte_level(words, merges_of(folder / files[1]), "<|endoftext|>")
    before = {text: tokenizer.encode(text) for text in LANGUAGES}
    vocabulary = Vocabulary.extend(tokenizer, INDEX, ["<|user|>"])
    assert {text: vocabulary.ids(text) for text in LANGUAGES} == before
    assert all(vocabulary.text(ids) == text for text, ids in before.items())
    assert min(int(level.min()) for level in vocabulary.code_ids) >= len(words)
    assert vocabulary.ids(f"x{INDEX.text(4)}")[1:] == vocabulary.semantic_tokens(INDEX.codes[4:5])[0].tolist()
    assert vocabulary.pad_id == vocabulary.end_id  # it had no padding of its own


def test_the_stories_tokenizer_takes_codes(stories: Path) -> None:
    vocabulary = Vocabulary.extend(
        AutoTokenizer.from_pretrained(stories), ItemIndex(["x"], INDEX.codes[:1], (4, 6, 8), INDEX.codebooks), []
    )
    text = f"Once upon{INDEX.text(0)} a time"
    assert vocabulary.text(vocabulary.ids(text)) == text
    assert len(vocabulary) == 512 + 18
