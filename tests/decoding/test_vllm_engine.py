"""vLLM on this machine's CPU: the engine contract for whole weights and adapters, and the same slates as torch."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from genrec.decoding.asks import Ask, Want
from genrec.decoding.engine import Candidates, TextRule
from genrec.errors import ConfigError, EngineError
from genrec.items.index import ItemIndex
from genrec.items.trie import Trie, View
from genrec.recommender import Recommender
from tests.decoding.conftest import Served
from tests.decoding.contract import NEAR, EngineContract, World, assert_same, prior_of, some_views
from tests.helpers.small_bundles import CONTEXT
from tests.helpers.tiny import TEXTS

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]
VOICES = [None, "long", "short"]


@pytest.fixture(scope="module", params=VOICES, ids=["base", "long", "short"])
def world(request: pytest.FixtureRequest, served: Served) -> World:
    index, vocabulary, speaker = served.index, served.vocabulary, served.speakers[request.param]
    engine = served.engine.speaking(request.param)
    histories = ["".join(index.text(item) for item in items) for items in ([], [3], [7, 1, 3], range(12))]
    prompts = [vocabulary.ids(text + history) for text, history in zip(TEXTS, histories, strict=True)]
    return World(
        engine, index, vocabulary.code_ids, vocabulary.end_id, CONTEXT, prompts, speaker.exact, engine.ending_at
    )


class TestVllmEngine(EngineContract):
    pass


def recommenders(served: Served, name: str | None) -> tuple[Recommender, Recommender]:
    """The same bundle by vLLM and by torch, prompts cut alike."""
    folder = served.speakers[name].bundle.folder
    ours = Recommender.open(folder, engine=served.engine.speaking(name), width=8)
    theirs = Recommender.open(folder, width=8)
    asking = replace(theirs.fusion.asking, block=ours.fusion.asking.block)
    explainer = replace(theirs.explainer, prompt=asking)
    return ours, replace(theirs, fusion=replace(theirs.fusion, asking=asking), explainer=explainer)


@pytest.mark.parametrize("name", VOICES)
def test_slates_are_those_of_torch(served: Served, name: str | None) -> None:
    """With and without filters, priors and explanations; items up to ties, scores to rounding."""
    ours, theirs = recommenders(served, name)
    random = np.random.default_rng(1)
    ids = ours.catalog.item_ids
    for case in range(8):
        history = [ids[item] for item in random.integers(len(ids), size=int(random.integers(1, 40)))]
        allowed = random.random(len(ids)) < (0.05, 0.5)[case % 2] if case % 4 else None
        weights = {"popularity": 0.0, "content": 0.0} if case % 3 == 0 else None
        asked = {"k": 6, "allowed": allowed, "weights": weights, "repeats": case % 2 == 0, "explain": case == 7}
        mine, other = (one.recommend(history, **asked) for one in (ours, theirs))  # type: ignore[arg-type]
        assert [item.id for item in mine.items] == [item.id for item in other.items]
        np.testing.assert_allclose([i.score for i in mine.items], [i.score for i in other.items], atol=NEAR)
        assert (mine.window, mine.constraints, mine.model, mine.id) == (
            other.window, other.constraints, other.model, other.id,
        )  # fmt: skip
        assert [item.explanation for item in mine.items] == [item.explanation for item in other.items]


def test_a_long_history_ends_with_a_cache_block(served: Served) -> None:
    """The oldest items go, the slate says so, and the beams compute hardly more than their own tokens again."""
    ours, _ = recommenders(served, None)
    asking, block = ours.fusion.asking, served.engine.block
    history = [ours.catalog.item_ids[item % 60] for item in range(40)]
    slate = ours.recommend(history, 5, explain=False)
    tail = (len(asking.head) + slate.window.shown * 3) % block
    assert asking.window * 3 // 4 <= slate.window.shown <= asking.window
    assert tail < 3 or tail == min((len(asking.head) + n * 3) % block for n in range(asking.window * 3 // 4, 25))
    assert slate.window.left_out == 40 - slate.window.shown


def test_json_obeys_its_schema_and_words_its_length(served: Served) -> None:
    """Text, JSON and beams of all voices in one server at once."""
    properties = {"genre": {"enum": ["drama", "comedy"]}, "count": {"type": "integer", "minimum": 1, "maximum": 9}}
    schema = json.dumps(
        {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    )
    prompt = served.vocabulary.ids(TEXTS[0])

    def say(case: int) -> object:
        engine = served.engine.speaking(VOICES[case % 3])
        if case % 2:
            return engine.beam([prompt], [View(served.index.trie)], 5)[0]
        written = engine.generate([prompt], TextRule(90, temperature=0.8, seed=case, schema=schema))[0]
        return json.loads(served.vocabulary.text(written))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(say, range(12)))
    for answer in answers[::2]:
        assert answer["genre"] in ("drama", "comedy")  # type: ignore[index]
        assert 1 <= answer["count"] <= 9  # type: ignore[index]
    for case, answer in list(enumerate(answers))[1::2]:
        assert isinstance(answer, Candidates)
        exact = served.speakers[VOICES[case % 3]].exact(prompt)
        np.testing.assert_allclose(answer.logprobs, exact[answer.items], atol=NEAR)


def test_requests_of_many_threads_run_side_by_side(served: Served) -> None:
    """Each gets what it gets alone and what torch says, whatever view and adapter shares its batch."""
    views = some_views(served.index, 5)
    random = np.random.default_rng(2)
    semantic = served.vocabulary.semantic_tokens(served.index.codes)
    prompts = [[5, *semantic[random.integers(60, size=12)].ravel().tolist()] for _ in range(24)]

    def ask(case: int) -> Candidates:
        found: Candidates = served.engine.speaking(VOICES[case % 3]).beam([prompts[case]], [views[case % 5]], 6)[0]
        return found

    alone = [ask(case) for case in range(24)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(24)))
    for case, (one, other) in enumerate(zip(alone, together, strict=True)):
        assert_same(one, other)
        exact = served.speakers[VOICES[case % 3]].exact(prompts[case])
        np.testing.assert_allclose(other.logprobs, exact[other.items], atol=NEAR)


def versions_of(index: ItemIndex) -> Iterator[ItemIndex]:
    """Catalogs that share a few items: half of the items, another half, and items of other semantic IDs."""
    random = np.random.default_rng(4)
    while True:
        chosen = np.sort(random.permutation(len(index))[:30])
        moved = index.select(chosen)
        grid = random.permutation(int(np.prod(index.sizes)))[:30]
        codes = np.stack(np.unravel_index(grid, index.sizes), axis=1).astype(np.int64)
        yield replace(moved, codes=codes) if random.random() < 0.5 else moved


def test_catalogs_swap_under_load_without_a_mixed_answer(served: Served) -> None:
    """Every answer is whole under the catalog that its request began with, and new requests see the new one."""
    prompt = served.vocabulary.ids(TEXTS[1])
    current, stop, failures = [served.index], threading.Event(), list[str]()

    def client(seed: int) -> int:
        answers = 0
        while not stop.is_set():
            index = current[0]
            exact_codes = {tuple(row) for row in index.codes.tolist()}
            found = served.engine.beam([[*prompt, 5 + seed]], [View(index.trie)], 10)[0]
            got = [tuple(row) for row in index.codes[found.items].tolist()]
            if len(set(got)) != 10 or not set(got) <= exact_codes:
                failures.append(f"{index.version}: {got}")
            answers += 1
        return answers

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(client, seed) for seed in range(4)]
        for _, index in zip(range(30), versions_of(served.index), strict=False):
            served.engine.swap(index)
            current[0] = index
            new = served.engine.beam([prompt], [View(index.trie)], 30)[0]
            assert sorted(new.items.tolist()) == list(range(30))
        stop.set()
        answers = sum(one.result() for one in running)
    assert failures == []
    assert answers > 30
    served.engine.swap(served.index)


def test_a_stock_flip_counts_from_the_next_request(served: Served) -> None:
    prompt, trie = served.vocabulary.ids(TEXTS[0]), served.index.trie
    stock = np.ones(len(served.index), dtype=bool)
    best = int(served.engine.beam([prompt], [View.of(trie, allowed=stock)], 1)[0].items[0])
    stock[best] = False
    second = int(served.engine.beam([prompt], [View.of(trie, allowed=stock)], 1)[0].items[0])
    assert second != best
    stock[best] = True
    assert served.engine.beam([prompt], [View.of(trie, allowed=stock)], 1)[0].items.tolist() == [best]


def test_new_items_can_be_recommended_at_once(served: Served) -> None:
    prompt = served.vocabulary.ids(TEXTS[0])
    taken = {tuple(row) for row in served.index.codes.tolist()}
    free = next(code for code in np.ndindex(*served.index.sizes) if code not in taken)
    codes = np.concatenate([served.index.codes, [free]])
    grown = replace(served.index, item_ids=[*served.index.item_ids, "new"], codes=codes)
    served.engine.swap(grown)
    only = np.arange(61) == 60
    found = served.engine.beam([prompt], [View.of(Trie.build(codes), allowed=only)], 3)[0]
    assert [grown.item_ids[item] for item in found.items] == ["new"]
    np.testing.assert_allclose(found.logprobs, served.engine.score([prompt], [codes[60:]])[0], atol=NEAR)
    served.engine.swap(served.index)


def test_an_index_of_other_codes_is_refused(served: Served) -> None:
    with pytest.raises(EngineError, match="other codes"):
        served.engine.swap(replace(served.index, sizes=(4, 6, 9)))


def test_a_wave_with_a_wrong_request_fails_whole_and_holds_nobody_up(served: Served) -> None:
    """The first of the wave is with vLLM already when the second is refused."""
    running, first = served.engine._running, served.vocabulary.code_ids[0]
    asks = [Ask([token], Want(first, 3)) for token in (5, 10**6, 6)]
    with pytest.raises(EngineError, match="vLLM refuses"):
        running.loop.run(running.backend.ask(asks))
    answers = running.loop.run(running.backend.ask([asks[0], asks[2]]))
    assert [len(one.tokens) for one in answers] == [3, 3]


def test_unknown_adapters_are_refused(served: Served) -> None:
    with pytest.raises(ConfigError, match=r"no such adapter.*long, short"):
        served.engine.speaking("medium")


def test_random_requests_are_valid_distinct_allowed_and_never_short(served: Served) -> None:
    """The 10,000 of the claim run in benchmarks/decode_vllm.py; these keep the test honest in seconds."""
    random = np.random.default_rng(9)
    index, semantic = served.index, served.vocabulary.semantic_tokens(served.index.codes)
    views = [view for seed in range(20) for view in some_views(index, 100 + seed)]
    prompts = [[5, *semantic[random.integers(60, size=int(n))].ravel().tolist()] for n in random.integers(1, 9, 100)]
    for view, found in zip(views, served.engine.beam(prompts, views, 4), strict=True):
        prior, items = prior_of(view), found.items.tolist()
        assert len(set(items)) == len(items) == min(4, int((prior > -np.inf).sum()))
        assert (prior[found.items] > -np.inf).all()
        assert np.isfinite(found.logprobs).all()


def test_metrics_tell_what_happened(served: Served) -> None:
    def value(name: str, **labels: str) -> float:
        return float(served.registry.get_sample_value(name, labels) or 0)

    random = np.random.default_rng(13)
    prompt = [5, *served.vocabulary.semantic_tokens(served.index.codes)[random.integers(60, size=21)].ravel().tolist()]
    assert len(prompt) == 2 * served.engine.block
    before = {kind: value("genrec_prefix_tokens_total", kind=kind) for kind in ("first", "cached", "recomputed")}
    steps = value("genrec_beam_step_seconds_count", level="2")
    served.engine.beam([prompt], [View(served.index.trie)], 5)
    served.engine.score([prompt], [served.index.codes[:7]])
    after = {kind: value("genrec_prefix_tokens_total", kind=kind) - before[kind] for kind in before}
    assert value("genrec_beam_step_seconds_count", level="2") - steps == 1
    assert value("genrec_candidates_rescored_total") >= 7
    assert value("genrec_mask_seconds_count") > 0
    assert value("genrec_requests_waiting") == 0
    assert value("genrec_catalog_info", version=served.index.version) == 1
    assert after["first"] > len(prompt)
    assert after["cached"] >= 10 * len(prompt)  # 5 beams on two levels, and the rescored prefixes
    assert after["recomputed"] <= after["first"]
