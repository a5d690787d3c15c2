"""The explainer: the model's sentences stand, bad ones are written again, then the plain one; three lengths; a real
random model."""

from dataclasses import replace

import numpy as np

from genrec.chatting.rules import Rule
from genrec.explaining import Explainer
from genrec.explaining.evidence import Alone
from genrec.prompting import load_prompts
from genrec.resources import folder
from tests.explaining.toyfilms import (
    ALIEN,
    ALIENS,
    FILMS,
    HEAT,
    INDEX,
    LEGEND,
    RONIN,
    RUNNER,
    TOYS,
    asking,
    engine,
    explainer,
    prompts,
)

PULL = {(RUNNER, LEGEND): 1.0, (RONIN, HEAT): 1.0, (RUNNER, TOYS): 0.5}
HISTORY = [RUNNER, RONIN]
GOOD = {
    "reason director decade": "{value_1} made both {liked_1} and {item}.",
    "reason cast genres": "{value_1} appears in both {liked_1} and {item}.",
    "reason ": "You chose {liked_1}, and that speaks for {item}.",
    "short director decade": "Same director as {liked_1}: {value_1}.",
    "short cast genres": "Same actor as in {liked_1}: {value_1}.",
    "short ": "Because you chose {liked_1}.",
    "counterfactual ": "Without {liked_1} in your history, {item} would not be here.",
    "contrast director": "{item} rather than {other}, because your {liked_1} speaks more for it and {other} lacks the "
    "{field_1} {value_1}.",
    "rule ": "It meets your wish: {rule}.",
}


def good(asked: str) -> str:
    return GOOD.get(asked, "")


class Two(Alone):
    """The model alone; its slates are the two best films that were not asked about."""

    def slates(self, histories):
        scores = self.scores(histories, np.arange(8))
        scores[:, [RUNNER, RONIN]] = -np.inf
        return [np.argsort(-row, kind="stable")[:2] for row in scores]


def test_every_item_of_a_slate_gets_a_checked_reason() -> None:
    found = explainer(PULL, good).explain(HISTORY, [LEGEND, HEAT, TOYS])
    assert [one.item for one in found] == [LEGEND, HEAT, TOYS]
    assert [one.text for one in found] == [
        "Scott made both “Blade Runner” and “Legend”.",
        "De Niro appears in both “Ronin” and “Heat”.",
        "You chose “Blade Runner”, and that speaks for “Toy Story”.",
    ]
    assert all(one.checked and not one.plain for one in found)
    assert found[0].statements[0].cited == ("interaction:f1", "fact:director=Scott")


def test_short_and_long() -> None:
    ours = explainer(PULL, good)
    short = ours.explain(HISTORY, [LEGEND, TOYS], length="short")
    assert [one.text for one in short] == [
        "Same director as “Blade Runner”: Scott.",
        "Because you chose “Blade Runner”.",
    ]
    rule = Rule(field="year", op=">=", value=1985)
    judge = Two(engine({**PULL, (RONIN, HEAT): 0.7}), asking())
    legend, _ = ours.explain(HISTORY, [LEGEND, HEAT], length="long", rules=[rule], judge=judge)
    assert [one.text for one in legend.statements] == [
        "Scott made both “Blade Runner” and “Legend”.",
        "It meets your wish: the year is at least 1985.",
        "“Legend” rather than “Heat”, because your “Blade Runner” speaks more for it and “Heat” lacks the "
        "director Scott.",
        "Without “Blade Runner” in your history, “Legend” would not be here.",
    ]
    assert legend.text == " ".join(one.text for one in legend.statements)
    assert [one.cited for one in legend.statements[1:]] == [
        ("rule:year >= 1985",),
        ("interaction:f1", "fact:director=Scott", "contrast:f3"),
        ("interaction:f1", "rerun:f1"),
    ]
    assert all(one.checked for one in legend.statements)
    for statement in legend.statements:
        assert all(ours.citing.resolves(id, legend.evidence, HISTORY) for id in statement.cited)
    assert not ours.citing.resolves("fact:director=Mann", legend.evidence, HISTORY)
    assert not ours.citing.resolves("interaction:f1", legend.evidence, [RONIN])


def test_the_way_through_the_catalog_is_told() -> None:
    (found,) = explainer(PULL, good).explain(HISTORY, [LEGEND])
    pieces = {piece.id: piece for piece in explainer(PULL).citing.pieces(found.evidence)}
    assert pieces["fact:director=Scott"].paths == ("f7 -director:Scott- f1",)
    assert pieces["interaction:f1"].amount is not None


def test_without_a_slate_nothing_is_said_of_what_would_be() -> None:
    (found,) = explainer(PULL, good).explain(HISTORY, [LEGEND], length="long")
    assert [one.part for one in found.statements] == ["reason"]


def test_people_see_different_sentences() -> None:
    pull = {(RUNNER, LEGEND): 1.0}
    others = [HEAT, RONIN, TOYS, ALIENS]
    histories = [[*others[:size], RUNNER] for size in range(5)] + [[*others[size:], RUNNER] for size in range(1, 5)]
    ours, anew = explainer(pull), explainer(pull)
    texts = [ours.explain(history, [LEGEND])[0].text for history in histories]
    assert len(set(texts)) >= 6
    assert anew.explain(histories[-1], [LEGEND])[0].text == texts[-1]


def test_what_is_drawn_ahead_is_what_a_request_would_draw() -> None:
    ours, calls = explainer(PULL), list[int]()
    weigh = ours.engine.weigh

    def counted(asks, tokens):
        calls.append(len(asks))
        return weigh(asks, tokens)

    ours.engine.weigh = counted  # type: ignore[method-assign]
    steps = sum(1 for _ in ours.prepare())
    assert steps
    before = len(calls)
    told = ours.explain(HISTORY, [LEGEND, HEAT, TOYS])
    asked = len(calls) - before
    ours.explain(HISTORY, [LEGEND, HEAT, TOYS])
    assert asked <= 10
    assert len(calls) - before == asked  # what was asked once is not asked again
    anew = explainer(PULL).explain(HISTORY, [LEGEND, HEAT, TOYS])
    assert [one.text for one in told] == [one.text for one in anew]


def test_what_cannot_be_said_is_not_asked_for() -> None:
    ours = explainer({})

    def never(asks, tokens):
        raise AssertionError("the model was asked")

    ours.engine.weigh = never  # type: ignore[method-assign]
    for history in ([], [ALIEN]):
        (found,) = ours.explain(history, [TOYS])
        assert found.plain
        assert found.checked


def test_causes_are_named_only_where_the_model_was_moved() -> None:
    because = "Because you chose {liked_1} with {value_1}, here is {item} with the same name in the cast."
    (moved,) = explainer({(ALIENS, ALIEN): 1.0}, lambda _: because).explain([ALIENS], [ALIEN])
    (still,) = explainer({}, lambda _: because).explain([ALIENS], [ALIEN])
    assert moved.text == "Because you chose “Aliens” with Weaver, here is “Alien” with the same name in the cast."
    assert not still.text.startswith("Because")
    assert not still.plain


def test_chinese() -> None:
    said = "{value_1}既拍了{liked_1}，也拍了{item}。"
    (found,) = explainer(PULL, lambda _: said, language="zh").explain(HISTORY, [LEGEND])
    assert found.text == "Scott既拍了“Blade Runner”，也拍了“Legend”。"
    assert found.checked


def test_the_language_of_a_request_where_the_bundle_speaks_it() -> None:
    both = load_prompts(folder("prompts"), "en", ["zh"])
    ours = replace(explainer(PULL), prompts=both)
    ways = [ours.speaking(language).explain(HISTORY, [LEGEND])[0] for language in ("zh", None, "en", "tlh", "zh")]
    assert ways[0].text.endswith("。")
    assert all(one.checked for one in ways)
    assert ways[0].text == ways[4].text
    assert ways[1].text == ways[2].text == ways[3].text != ways[0].text
    assert ways[0].evidence == ways[1].evidence


def test_a_random_model_writes_well_formed_sentences() -> None:
    from genrec.asking import NextItemPrompt
    from genrec.decoding.torch_engine import TorchEngine
    from genrec.model.base import ScratchConfig, scratch
    from genrec.model.vocabulary import Vocabulary, train_tokenizer

    ours = prompts()
    vocabulary = Vocabulary.extend(train_tokenizer(FILMS.titles, 280), INDEX, ours.control_tokens)
    config = ScratchConfig(hidden=32, layers=2, heads=2, feed_forward=48, context=256)
    model = scratch(config, len(vocabulary), pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    real = TorchEngine(model, vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    explain = Explainer(real, NextItemPrompt(ours, vocabulary, INDEX, 20), vocabulary, ours, FILMS).explain
    found = explain([ALIEN, RUNNER, RONIN], [LEGEND, HEAT, TOYS])
    assert all(one.checked for one in found)
    assert not any(one.plain for one in found if one.evidence.told.writable)
    assert found == explain([ALIEN, RUNNER, RONIN], [LEGEND, HEAT, TOYS])
