"""The fake engine obeys the contract of the real ones, and says what its script says."""

import subprocess
import sys

import numpy as np
import pytest

from genrec.decoding.engine import Prompt, TextRule
from genrec.items.index import ItemIndex
from genrec.items.trie import View
from tests.decoding.contract import EngineContract, World
from tests.helpers.scripted import Script, ScriptedEngine, liking, seeded, table

CONTEXT, END, TEXT = 40, 3, 50  # token numbers below TEXT are text, codes come after
PROMPTS = [[1, 2], [5], [9, 8, 7, 6, 5, 4], [10] * 20]


def random_index(*, suffixed: bool) -> ItemIndex:
    sizes = (4, 3, 6) if suffixed else (5, 5, 5)
    grid = np.random.default_rng(0).permutation(int(np.prod(sizes)))[:45]
    codes = np.stack(np.unravel_index(grid, sizes), axis=1).astype(np.int64)
    return ItemIndex([f"i{item}" for item in range(45)], codes, sizes, np.zeros((3 - suffixed, 5, 2), dtype=np.float32))


def babble(prompt: Prompt, rule: TextRule) -> list[int]:
    random = np.random.default_rng([*prompt, rule.seed if rule.temperature else 0])
    return [7, 11, *random.integers(4, TEXT + 10, 60).tolist()]


def item_chances(index: ItemIndex, prompt: Prompt) -> np.ndarray:
    return np.log(np.random.default_rng(len(prompt)).dirichlet(np.ones(len(index))))


@pytest.fixture(params=["seeded", "liking"])
def script(request: pytest.FixtureRequest, index: ItemIndex) -> Script:
    if request.param == "seeded":
        return seeded(index.sizes, 4)
    return liking(index.codes, index.sizes, lambda prompt: item_chances(index, prompt))


@pytest.fixture(params=["plain", "suffixed"])
def index(request: pytest.FixtureRequest) -> ItemIndex:
    return random_index(suffixed=request.param == "suffixed")


@pytest.fixture
def world(index: ItemIndex, script: Script) -> World:
    starts = TEXT + np.cumsum([0, *index.sizes[:-1]])
    code_ids = [start + np.arange(size) for start, size in zip(starts, index.sizes, strict=True)]

    def exact(prompt: Prompt) -> np.ndarray:
        paths = [[script(prompt, tuple(row[:depth]))[row[depth]] for depth in range(3)] for row in index.codes.tolist()]
        return np.asarray(np.sum(paths, axis=1))

    def ending_at(end: int) -> ScriptedEngine:
        return ScriptedEngine(script, code_ids, end_id=end, context=CONTEXT, reply=babble)

    return World(ending_at(END), index, code_ids, END, CONTEXT, PROMPTS, exact, ending_at)


class TestScriptedEngine(EngineContract):
    pass


def test_items_are_liked_as_told(index: ItemIndex) -> None:
    chances = item_chances(index, [1])
    engine = ScriptedEngine(
        liking(index.codes, index.sizes, lambda prompt: chances), [np.arange(s) for s in index.sizes]
    )
    (found,) = engine.beam([[1]], [View(index.trie)], len(index))
    assert found.items.tolist() == np.argsort(-chances, kind="stable").tolist()
    np.testing.assert_allclose(found.logprobs, chances[found.items], atol=1e-5)


def test_a_table_by_hand() -> None:
    index = ItemIndex(
        ["x", "y", "z"], np.array([[0, 0], [0, 1], [1, 0]]), (2, 2), np.zeros((2, 2, 1), dtype=np.float32)
    )
    script = table((2, 2), {(): np.log([0.6, 0.4]).tolist(), (0,): np.log([0.25, 0.75]).tolist()})
    engine = ScriptedEngine(script, [np.arange(2), np.arange(2)])
    (found,) = engine.beam([[1]], [View(index.trie)], 3)
    assert found.items.tolist() == [1, 2, 0]
    np.testing.assert_allclose(np.exp(found.logprobs), [0.45, 0.2, 0.15], rtol=1e-6)


def test_the_fake_needs_no_torch() -> None:
    program = "import sys, tests.helpers.scripted\nassert not {'torch', 'transformers'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
