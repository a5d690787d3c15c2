"""The Recommender on a tiny bundle: the shape of an answer, the same answer again, rules, and what it refuses."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genrec.bundle import Bundle, Manifest
from genrec.catalog import Catalog
from genrec.chatting.rules import Rule, allowed
from genrec.errors import ConfigError, EngineError, UnknownItem
from genrec.explaining import Explainer
from genrec.exploring import Exploration
from genrec.interactions import Histories
from genrec.interest.adapting import AdaptPolicy
from genrec.interest.drift import Detector, Usual
from genrec.interest.filtering import Filter
from genrec.interest.timeline import Edit
from genrec.interest.topics import Topics, TopicsConfig
from genrec.items.space import ItemSpace
from genrec.preparing import load
from genrec.prompting import load_prompts
from genrec.ragged import Ragged
from genrec.recommender import MOST, Recommendation, Recommender
from genrec.resources import folder
from genrec.splitting import global_time
from tests.helpers.running import Tiny
from tests.helpers.toyworld import Letters, fusion, grid


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Recommender:
    return Recommender.open(tiny.bundle)


@pytest.fixture(scope="module")
def history(model: Recommender) -> list[str]:
    return model.catalog.item_ids[3:40:9]


def ids(slate: Recommendation) -> list[str]:
    return [item.id for item in slate.items]


def only(model: Recommender, items: Sequence[str]) -> np.ndarray:
    mask = np.zeros(len(model.catalog), dtype=bool)
    mask[model.catalog.numbers(items)] = True
    return mask


def test_a_bundle_says_whether_its_model_ranks(model: Recommender, history: list[str], tmp_path: Path) -> None:
    """One that does not say it is of before there was a question."""
    assert model.fusion.mix.model
    weights = {"content": 1.0, "popularity": 0.5}
    bundle = model.bundle.extended(tmp_path / "bundle", lambda folder: None, model_ranks=False, prior_weights=weights)
    without = Recommender.open(bundle)
    assert not without.fusion.mix.model
    slate = without.recommend(history, 5)
    chosen = without.catalog.numbers(history)
    values = without.fusion.mix.values(Ragged.from_lists([chosen]))[0]
    values[chosen] = -np.inf
    assert [item.score for item in slate.items] == pytest.approx(np.sort(values)[::-1][:5].tolist())
    assert all(item.explanation for item in slate.items)


def test_the_answer_has_the_shape_of_the_design(model: Recommender, history: list[str]) -> None:
    slate = model.recommend(history, 5)
    data = slate.model_dump()
    assert set(data) == {"id", "items", "window", "constraints", "model", "degraded", "note"}
    assert set(data["items"][0]) == {"id", "title", "score", "rank", "evidence", "explanation", "propensity"}
    assert Recommendation.model_validate_json(slate.model_dump_json()) == slate
    assert [item.rank for item in slate.items] == [1, 2, 3, 4, 5]
    assert len(set(ids(slate))) == 5
    scores = [item.score for item in slate.items]
    assert scores == sorted(scores, reverse=True)
    titles = dict(zip(model.catalog.item_ids, model.catalog.titles, strict=True))
    assert [item.title for item in slate.items] == [titles[item.id] for item in slate.items]
    assert (slate.window.shown, slate.window.left_out) == (len(history), 0)
    assert (slate.degraded, slate.note, slate.model) == (False, "", model.version)
    assert slate.constraints == {"history": "not again"}


def test_the_score_is_the_models_and_the_priors(model: Recommender, history: list[str]) -> None:
    """Ranked by brute force: log p of every item by the engine, plus the mixture."""
    chosen = Ragged.from_lists([model.catalog.numbers(history)])
    fusion = model.fusion
    logprobs = fusion.engine.score(fusion.asking.batch(chosen), [fusion.asking.index.codes])[0]
    scores = logprobs + (fusion.mix.values(chosen)[0] if fusion.mix else 0)
    scores[chosen[0]] = -np.inf
    slate = model.recommend(history, 10, explain=False)
    assert model.catalog.numbers(ids(slate)).tolist() == np.argsort(-scores)[:10].tolist()
    np.testing.assert_allclose([item.score for item in slate.items], np.sort(scores)[::-1][:10], atol=1e-3)


def test_the_same_request_gives_the_same_slate_and_id(model: Recommender, tiny: Tiny, history: list[str]) -> None:
    slate = model.recommend(history, 4, exclude=["f0001"])
    assert model.recommend(history, 4, exclude=["f0001"]) == slate
    assert Recommender.open(tiny.bundle).recommend(history, 4, exclude=["f0001"]) == slate


def test_another_request_has_another_id(model: Recommender, history: list[str]) -> None:
    others = [
        model.recommend(history, 4, explain=False),
        model.recommend(history, 5, explain=False),
        model.recommend(history[::-1], 4, explain=False),
        model.recommend(history[1:], 4, explain=False),
        model.recommend(history, 4, exclude=["f0001"], explain=False),
        model.recommend(history, 4, repeats=True, explain=False),
        model.recommend(history, 4, weights={"popularity": 2.0}, explain=False),
        model.recommend(history, 4, allowed=only(model, model.catalog.item_ids[:50]), explain=False),
    ]
    assert len({slate.id for slate in others}) == len(others)
    assert model.recommend(history, 4).id == others[0].id  # words do not change what is shown


@pytest.mark.parametrize("k", [0, -1, MOST + 1])
def test_k_is_bounded(model: Recommender, history: list[str], k: int) -> None:
    with pytest.raises(ConfigError, match=rf"k is out of range \(found {k}\).*1 to {MOST}"):
        model.recommend(history, k)


def test_as_many_as_there_are(model: Recommender, history: list[str]) -> None:
    slate = model.recommend(history, MOST, explain=False)
    assert sorted([*ids(slate), *history]) == sorted(model.catalog.item_ids)


def test_seen_items_come_again_only_when_asked(model: Recommender, history: list[str]) -> None:
    assert not set(ids(model.recommend(history, 50, explain=False))) & set(history)
    slate = model.recommend(history, len(model.catalog), repeats=True, explain=False)
    assert set(ids(slate)) == set(model.catalog.item_ids)
    assert slate.constraints == {}


def test_excluded_items_never_come(model: Recommender, history: list[str]) -> None:
    first = model.recommend(history, 5, explain=False)
    slate = model.recommend(history, 5, exclude=ids(first)[:2], explain=False)
    assert ids(slate)[:3] == ids(first)[2:]
    assert slate.constraints["exclude"] == ", ".join(ids(first)[:2])


def test_only_allowed_items_come(model: Recommender, history: list[str]) -> None:
    some = model.catalog.item_ids[50:60]
    slate = model.recommend(history, 10, allowed=only(model, some), explain=False)
    assert sorted(ids(slate)) == sorted(set(some) - set(history))
    assert slate.constraints["allowed"] == "10 items"


@pytest.mark.parametrize("read", [True, False])
def test_a_filter_that_allows_nothing_is_an_empty_slate(model: Recommender, history: list[str], read: bool) -> None:
    slate = model.recommend(history if read else [], 5, allowed=np.zeros(len(model.catalog), dtype=bool))
    assert slate.items == []
    assert slate.degraded is not read


def test_a_filter_of_another_catalog_is_refused(model: Recommender, history: list[str]) -> None:
    with pytest.raises(EngineError, match="does not fit the catalog"):
        model.recommend(history, 5, allowed=np.ones(3, dtype=bool))


def test_without_a_history_the_popular_come(model: Recommender, tiny: Tiny) -> None:
    data = load(tiny.data)
    split = global_time(data.interactions, data.catalog.item_ids)
    known: Histories = split.train.histories(split.item_ids)
    counts = np.bincount(known.items.items, minlength=len(split.item_ids))
    slate = model.recommend([], 6, exclude=["f0001"])
    assert slate.degraded
    assert "no history" in slate.note
    found = counts[model.catalog.numbers(ids(slate))].tolist()
    counts[0] = -1
    assert found == np.sort(counts)[::-1][:6].tolist()
    assert "f0001" not in ids(slate)
    assert all(item.explanation is None and item.evidence is None for item in slate.items)
    assert (slate.window.shown, slate.window.left_out) == (0, 0)


@pytest.mark.parametrize("request_", [{"history": ["f00081"]}, {"history": [], "exclude": ["f00081"]}])
def test_unknown_ids_are_errors_with_the_nearest(model: Recommender, request_: dict[str, list[str]]) -> None:
    with pytest.raises(UnknownItem, match="no such item") as found:
        model.recommend(**request_)  # type: ignore[arg-type]
    assert found.value.value == "f00081"
    assert "f0081" in found.value.nearest


def test_unknown_weights_are_errors_with_the_known(model: Recommender, history: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"unknown priors.*Allowed: popularity, recent, content, collaborative"):
        model.recommend(history, weights={"horoscope": 1.0})


def test_weights_move_the_ranking(model: Recommender, history: list[str]) -> None:
    """With a very heavy prior the order is the prior's."""
    slate = model.recommend(history, 5, weights={"popularity": 0.0, "collaborative": 0.0, "content": 1000.0})
    content = next(prior for prior in model.fusion.mix.priors if prior.name == "content")
    chosen = model.catalog.numbers(history)
    values = content.values(Ragged.from_lists([chosen]))[0]
    values[chosen] = -np.inf
    assert model.catalog.numbers(ids(slate)).tolist() == np.argsort(-values)[:5].tolist()


def test_what_does_not_fit_the_window_is_counted(model: Recommender) -> None:
    window = model.bundle.manifest.window
    long = model.catalog.item_ids[: window + 7]
    slate = model.recommend(long, 3, explain=False)
    assert (slate.window.shown, slate.window.left_out) == (window, 7)
    assert not set(ids(slate)) & set(long)  # seen is seen, in the window or not


def test_every_item_is_explained_by_what_was_chosen(model: Recommender, history: list[str]) -> None:
    slate = model.recommend(history, 8)
    for item in slate.items:
        assert item.explanation
        assert item.evidence is not None
        assert set(item.evidence.interactions) <= set(history)
        assert len(item.evidence.drops) == len(item.evidence.interactions) >= 1
        facts = model.catalog.facts(int(model.catalog.numbers([item.id])[0]))
        said = {field: values for field, values in item.evidence.facts.items() if field in facts}  # not the decade
        assert all(set(values) <= set(facts[field]) for field, values in said.items())
    silent = model.recommend(history, 8, explain=False)
    assert all(item.explanation is None and item.evidence is None for item in silent.items)
    assert ids(silent) == ids(slate)


def test_explaining_alone(model: Recommender, history: list[str]) -> None:
    some = [item for item in model.catalog.item_ids if item not in history][:3]
    told = model.explain(history, some)
    assert [model.catalog.item_ids[one.item] for one in told] == some
    assert all(one.text and one.checked for one in told)


def test_titles_are_found(model: Recommender) -> None:
    assert model.find([model.catalog.titles[4].lower(), model.catalog.titles[0]]) == [
        model.catalog.item_ids[4], model.catalog.item_ids[0],
    ]  # fmt: skip
    with pytest.raises(UnknownItem):
        model.find(["zzzzqqqq"])


def test_a_repeated_history_is_read_as_it_is(model: Recommender, history: list[str]) -> None:
    slate = model.recommend(history * 2, 3)
    assert slate.window.shown == min(2 * len(history), model.bundle.manifest.window)
    assert not set(ids(slate)) & set(history)


@pytest.fixture
def single(tmp_path: Path) -> Recommender:
    """A catalog of one item."""
    catalog = Catalog.from_table(pl.DataFrame({"item_id": ["only"], "title": ["The Only One"]}))
    index = replace(grid(1, 1), item_ids=["only"])
    fused = fusion(index, lambda history: [1.0])
    prompts = load_prompts(folder("prompts"), "en")
    bundle = Bundle.write(
        tmp_path / "bundle", Manifest(base="scratch", window=5, context=64, split="", data_hash="", seed=0),
        catalog=catalog, index=index, space=ItemSpace.fit(np.ones((1, 2), dtype=np.float32)), prompts=prompts,
        weights=lambda new: None,
    )  # fmt: skip
    explainer = Explainer(fused.engine, fused.asking, Letters(), prompts, catalog)
    return Recommender(bundle, fused, None, explainer)


def test_a_catalog_of_one_item(single: Recommender) -> None:
    assert ids(single.recommend([], 10)) == ["only"]  # nothing is known to be popular: the catalog's order
    assert ids(single.recommend(["only"], 10)) == []
    again = single.recommend(["only"], 10, repeats=True)
    assert (ids(again), again.degraded) == (["only"], False)
    assert again.items[0].explanation
    assert again.items[0].score == pytest.approx(0)  # log 1


def test_explanations_have_lengths_and_name_what_they_rest_on(model: Recommender, history: list[str]) -> None:
    rules = [Rule(field="year", op=">=", value=1970)]
    mask = allowed(model.catalog, rules)
    slates = {
        length: model.recommend(history, 5, length=length, rules=rules, allowed=mask)
        for length in ("short", "normal", "long")
    }
    assert ids(slates["short"]) == ids(slates["normal"]) == ids(slates["long"])
    assert len({slate.id for slate in slates.values()}) == 3
    words = {length: [item.explanation or "" for item in slate.items] for length, slate in slates.items()}
    lengths = {length: sum(map(len, texts)) for length, texts in words.items()}
    assert lengths["short"] < lengths["normal"] < lengths["long"]
    for item in slates["long"].items:
        assert item.evidence is not None
        pieces = {piece.id for piece in item.evidence.pieces}
        assert {"reason", "rule"} <= {one.kind for one in item.evidence.statements}
        assert all(one.evidence and set(one.evidence) <= pieces for one in item.evidence.statements)
        assert (item.explanation or "").startswith(item.evidence.statements[0].text)
    assert slates["normal"] == model.recommend(history, 5, rules=rules, allowed=mask)


def test_what_would_not_be_here_is_not_here(model: Recommender, history: list[str]) -> None:
    """Every counterfactual that is said is tried: the slate without what it names has the item no more."""
    said = 0
    for item in model.recommend(history, 8, length="long").items:
        assert item.evidence is not None
        for piece in item.evidence.pieces:
            if piece.kind == "rerun" and piece.holds == "absent":
                left = [one for one in history if one not in piece.items]
                assert item.id not in ids(model.recommend(left, 8, exclude=piece.items, explain=False))
                said += 1
    assert said


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="not a bundle"):
        Recommender.open(tmp_path)


def test_the_version_is_the_bundles(model: Recommender, tiny: Tiny) -> None:
    assert model.version == Bundle.open(tiny.bundle).version


def test_what_a_person_wants_less_of_comes_less_and_never_is_never(model: Recommender, history: list[str]) -> None:
    def dramas(slate: Recommendation) -> int:
        rows = model.catalog.numbers(ids(slate))
        return sum("Drama" in model.catalog.table["genres"][int(row)].to_list() for row in rows)

    plain = model.recommend(history, 30, explain=False)
    less = model.recommend(history, 30, explain=False, edits=[Edit(field="genres", value="Drama")])
    never = model.recommend(history, 30, explain=False, edits=[Edit(field="genres", value="Drama", never=True)])
    assert dramas(plain) > dramas(less) >= dramas(never) == 0
    assert len({plain.id, less.id, never.id}) == 3


def test_an_exploring_slate_says_its_chances(model: Recommender, history: list[str]) -> None:
    explore = Exploration(least=0.5, most=0.5)
    slates = [model.recommend(history, 5, explain=False, explore=explore, seed=seed) for seed in range(12)]
    assert slates[0] == model.recommend(history, 5, explain=False, explore=explore, seed=0)
    assert len({tuple(ids(slate)) for slate in slates}) > 1
    assert all(0 < (item.propensity or 0) < 1 for slate in slates for item in slate.items)
    assert {item.propensity for item in model.recommend(history, 5, explain=False).items} == {None}


def test_a_recommender_follows_by_a_detector(model: Recommender, history: list[str]) -> None:
    """Topics that say nothing: no change is ever likely, so slates are what they were; their id says who ranked."""
    items = len(model.catalog)
    topics = Topics(TopicsConfig(topics=2, follow=0.0), np.full((2, items), 1 / items), np.full(items, 1 / items))
    detector = Detector(Filter(topics), Usual(np.array([1.0]), np.array([0.0]), np.array([1.0])), 9.0, 1e-4)
    following = model.following(detector)
    plain, ours = model.recommend(history, 5), following.recommend(history, 5)
    assert ids(plain) == ids(ours)
    assert plain.id != ours.id
    off = model.following(detector, AdaptPolicy(on=False)).recommend(history, 5)
    assert ids(off) == ids(plain)


def test_a_covering_slate_has_items_of_every_interest(model: Recommender) -> None:
    """Two topics, the halves of the catalog; three of four choices are of the first."""
    items = len(model.catalog)
    half = items // 2
    chances = np.full((2, items), 0.02 / items)
    chances[0, :half] = chances[1, half:] = 1.98 / items
    topics = Topics(
        TopicsConfig(topics=2, follow=0.0), chances / chances.sum(axis=1)[:, None], np.full(items, 1 / items)
    )
    detector = Detector(Filter(topics), Usual(np.array([1.0]), np.array([0.0]), np.array([1.0])), 9.0, 1e-4)
    following, all_ids = model.following(detector), model.catalog.item_ids
    past = [*all_ids[:9], *all_ids[-3:]]
    plain, whole = following.recommend(past, 8, explain=False), following.recommend(past, 8, explain=False, cover=0.99)
    late = [int((model.catalog.numbers(ids(slate)) >= half).sum()) for slate in (plain, whole)]
    assert late[1] == 2 != late[0]
    assert whole.id != plain.id
    scores = [item.score for item in whole.items]
    assert scores == sorted(scores, reverse=True)
    assert ids(following.recommend(past, 8, explain=False, cover=1e-9)) == ids(plain)
    with pytest.raises(ConfigError, match="knows no topics"):
        model.recommend(past, 8, cover=0.3)
    with pytest.raises(ConfigError, match="out of range"):
        following.recommend(past, 8, cover=1.3)
    with pytest.raises(ConfigError, match="exclude each other"):
        following.recommend(past, 8, cover=0.3, explore=Exploration())
