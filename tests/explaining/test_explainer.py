"""The explainer: good drafts stand, bad ones are written again, then the plain sentence; and a real random model."""

from genrec.decoding.engine import TextRule
from genrec.explaining import Explainer
from genrec.explaining.explainer import TOGETHER
from genrec.explaining.words import DRAFTS
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
    explainer,
    prompts,
)

PULL = {(RUNNER, LEGEND): 1.0, (RONIN, HEAT): 1.0, (RUNNER, TOYS): 0.5}
HISTORY = [RUNNER, RONIN]
GOOD = {
    "director decade": "{value_1} made both {liked_1} and {item}.",
    "cast genres": "{value_1} appears in both {liked_1} and {item}.",
    "": "You chose {liked_1}, and that speaks for {item}.",
}


def good(prompt: str, rule: TextRule) -> str:
    return GOOD[prompt.split("<|text|>")[1].split("<|text_end|>")[0]]


def test_every_item_of_a_slate_gets_a_checked_reason() -> None:
    found = explainer(PULL, good).explain(HISTORY, [LEGEND, HEAT, TOYS])
    assert [one.item for one in found] == [LEGEND, HEAT, TOYS]
    assert [one.text for one in found] == [
        "Scott made both “Blade Runner” and “Legend”.",
        "De Niro appears in both “Ronin” and “Heat”.",
        "You chose “Blade Runner”, and that speaks for “Toy Story”.",
    ]
    assert all(one.checked and not one.plain for one in found)


def test_one_good_draft_of_many_is_enough_and_nobody_asks_twice() -> None:
    asked: list[str] = []

    def seldom_right(prompt: str, rule: TextRule) -> str:
        asked.append(prompt)
        return good(prompt, rule) if rule.seed == DRAFTS - 1 else f"{{item}} won {rule.seed} Oscars."

    ours = explainer(PULL, seldom_right)
    assert [one.plain for one in ours.explain(HISTORY, [LEGEND, HEAT])] == [False, False]
    assert [one.plain for one in ours.explain(HISTORY, [HEAT])] == [False]
    assert len(asked) == 2 * DRAFTS


def test_what_is_drawn_ahead_is_what_a_request_would_draw() -> None:
    asked: list[str] = []

    def answer(prompt: str, rule: TextRule) -> str:
        asked.append(prompt)
        return GOOD.get(prompt.split("<|text|>")[1].split("<|text_end|>")[0], "")

    ours = explainer(PULL, answer)
    steps = sum(1 for _ in ours.prepare())
    drawn = len(asked)
    fields = 4  # director, cast, genres, decade
    assert drawn == DRAFTS * 2 * (1 + fields + fields * (fields - 1))
    assert steps == DRAFTS * -(-drawn // DRAFTS // TOGETHER)
    told = ours.explain(HISTORY, [LEGEND, HEAT, TOYS])
    assert len(asked) == drawn
    anew = explainer(PULL, good).explain(HISTORY, [LEGEND, HEAT, TOYS])
    assert [one.text for one in told] == [one.text for one in anew]


def test_a_draft_is_judged_in_each_situation() -> None:
    ours = explainer(PULL, lambda prompt, rule: "{value_1} made both {liked_1} and {item}.")
    assert [one.plain for one in ours.explain(HISTORY, [LEGEND, HEAT])] == [False, True]
    assert [one.plain for one in ours.explain(HISTORY, [HEAT, LEGEND])] == [True, False]


def test_bad_drafts_alone_make_it_plain() -> None:
    found = explainer(PULL, lambda prompt, rule: "{item} was acted by {value_1}.").explain(HISTORY, [LEGEND, TOYS])
    assert [one.text for one in found] == [
        "Recommended because you chose “Blade Runner”; "
        "it shares the director (Scott) and the decade (1980s) with “Blade Runner”.",
        "Recommended because you chose “Blade Runner”.",
    ]
    assert all(one.checked and one.plain for one in found)


def test_what_cannot_be_said_is_not_asked_for() -> None:
    def never(prompt: str, rule: TextRule) -> str:
        raise AssertionError("the model was asked")

    for history in ([], [ALIEN]):
        (found,) = explainer({}, never).explain(history, [TOYS])
        assert found.plain
        assert found.checked


def test_causes_are_named_only_where_the_model_was_moved() -> None:
    because = "Because you chose {liked_1} with {value_1}, here is {item} with the same name in the cast."
    (moved,) = explainer({(ALIENS, ALIEN): 1.0}, lambda *_: because).explain([ALIENS], [ALIEN])
    (still,) = explainer({}, lambda *_: because).explain([ALIENS], [ALIEN])
    assert not moved.plain
    assert still.text.startswith("Recommended after you chose “Aliens”; it shares the actor (Weaver)")


def test_chinese() -> None:
    said = "{value_1}既拍了{liked_1}，也拍了{item}。"
    (found,) = explainer(PULL, lambda *_: said, language="zh").explain(HISTORY, [LEGEND])
    assert found.text == "Scott既拍了“Blade Runner”，也拍了“Legend”。"
    assert found.checked


def test_the_same_request_gives_the_same_texts() -> None:
    def varied(prompt: str, rule: TextRule) -> str:
        return good(prompt, rule) if rule.seed % 2 else "{item}"

    runs = [explainer(PULL, varied).explain(HISTORY, [LEGEND, HEAT, TOYS]) for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_random_model_falls_back_to_plain_sentences() -> None:
    from genrec.asking import NextItemPrompt
    from genrec.decoding.torch_engine import TorchEngine
    from genrec.model.base import ScratchConfig, scratch
    from genrec.model.vocabulary import Vocabulary, train_tokenizer

    ours = prompts()
    vocabulary = Vocabulary.extend(train_tokenizer(FILMS.titles, 280), INDEX, ours.control_tokens)
    config = ScratchConfig(hidden=32, layers=2, heads=2, feed_forward=48, context=256)
    model = scratch(config, len(vocabulary), pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    real = TorchEngine(model, vocabulary.code_ids, pad_id=vocabulary.pad_id, end_id=vocabulary.end_id)
    found = Explainer(real, NextItemPrompt(ours, vocabulary, INDEX, 20), vocabulary, ours, FILMS).explain(
        [ALIEN, RUNNER, RONIN], [LEGEND, HEAT, TOYS]
    )
    assert all(one.plain and one.checked for one in found)
    assert all(one.text.startswith("Recommended") for one in found)
