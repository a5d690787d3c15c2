"""Evidence: the drops are those of the script, the order follows them, and what stands in when nothing moved."""

import numpy as np
import pytest

from genrec.explaining.evidence import REMOVED, Evidence, Moved, drops, evidence_for
from tests.explaining.toyfilms import (
    ALIEN,
    ALIENS,
    FACTS,
    HEAT,
    INSIDER,
    LEGEND,
    RONIN,
    RUNNER,
    TOYS,
    Pull,
    asking,
    engine,
    evidence,
)


def gather(pull: Pull, history: list[int], items: list[int], window: int = 50) -> list[Evidence]:
    return evidence_for(engine(pull), asking(window=window), FACTS, history, items)


def test_drops_are_what_the_model_loses() -> None:
    pull = {(RUNNER, ALIEN): 0.5, (ALIENS, ALIEN): 1.25, (TOYS, ALIEN): -0.25, (TOYS, HEAT): 2.0}
    newest, fallen = drops(engine(pull), asking(), [RUNNER, ALIENS, TOYS], [ALIEN, HEAT])
    assert newest.tolist() == [TOYS, ALIENS, RUNNER]
    assert fallen == pytest.approx(np.array([[-0.25, 2.0], [1.25, 0.0], [0.5, 0.0]]), abs=1e-9)


def test_what_moved_most_comes_first_and_two_are_kept() -> None:
    pull = {(RUNNER, ALIEN): 0.5, (ALIENS, ALIEN): 1.25, (TOYS, ALIEN): 0.75, (HEAT, ALIEN): -1.0}
    (found,) = gather(pull, [RUNNER, ALIENS, TOYS, HEAT], [ALIEN])
    assert [one.item for one in found.interactions] == [ALIENS, TOYS]
    assert [one.drop for one in found.interactions] == pytest.approx([1.25, 0.75])
    assert found.facts == FACTS.shared(ALIEN, [ALIENS, TOYS])


def test_every_item_of_a_slate_has_its_own_evidence() -> None:
    pull = {(RUNNER, ALIEN): 1.0, (RONIN, HEAT): 1.0}
    alien, heat = gather(pull, [RUNNER, RONIN], [ALIEN, HEAT])
    assert [one.item for one in alien.interactions] == [RUNNER]
    assert [one.item for one in heat.interactions] == [RONIN]


def test_without_a_drop_shared_facts_speak_and_then_the_newest() -> None:
    shared, newest = gather({}, [LEGEND, ALIENS, TOYS, HEAT], [ALIEN, TOYS])
    assert [one.item for one in shared.interactions] == [ALIENS, LEGEND]  # Weaver is rarer than Scott
    assert not shared.told.moved
    assert [one.item for one in newest.interactions] == [HEAT]  # shares the 1990s
    (far,) = gather({}, [ALIEN, RUNNER], [TOYS])
    assert [one.item for one in far.interactions] == [RUNNER, ALIEN]
    assert far.facts == ()
    assert not far.told.writable


def test_an_item_does_not_explain_itself() -> None:
    (found,) = gather({(ALIEN, ALIEN): 3.0, (RUNNER, ALIEN): 0.5}, [RUNNER, ALIEN], [ALIEN])
    assert [one.item for one in found.interactions] == [RUNNER]


def test_repeated_interactions_are_left_out_together() -> None:
    (found,) = gather({(RUNNER, ALIEN): 0.5}, [RUNNER, TOYS, RUNNER], [ALIEN])
    assert [(one.item, round(one.drop, 6)) for one in found.interactions] == [(RUNNER, 0.5)]


def test_only_what_the_prompt_shows_is_evidence() -> None:
    (found,) = gather({(RUNNER, ALIEN): 5.0}, [RUNNER, TOYS, LEGEND], [ALIEN], window=2)
    assert RUNNER not in [one.item for one in found.interactions]


def test_one_batched_pass_of_bounded_size() -> None:
    calls: list[int] = []

    class Counting:
        def score(self, prompts, codes):
            calls.append(len(prompts))
            return [np.zeros(len(rows)) for rows in codes]

    evidence_for(Counting(), asking(), FACTS, list(range(8)) * 5, [ALIEN, HEAT])  # type: ignore[arg-type]
    assert calls == [9]
    assert max(calls) <= REMOVED + 1


def test_empty_histories_and_slates() -> None:
    assert gather({}, [RUNNER], []) == []
    (found,) = gather({}, [], [ALIEN])
    assert found == Evidence(ALIEN, (), ())
    assert not found.told.writable


def test_what_one_sentence_tells() -> None:
    told = evidence(ALIEN, RUNNER, ALIENS).told
    assert told.liked == (ALIENS, RUNNER)  # who shares the rarest fact, first
    assert told.sharing == 1
    assert [fact.value for fact in told.facts] == ["Weaver", "Space"]  # Scott is not shared with Aliens
    both = evidence(RUNNER, ALIEN, LEGEND).told
    assert (both.liked, both.sharing, both.fields) == ((ALIEN, LEGEND), 2, ("director",))
    assert evidence(HEAT, INSIDER).told.fields == ("director", "cast")


def test_noise_is_no_drop() -> None:
    assert not Moved(RUNNER, 1e-5).counts
    assert not evidence(TOYS, ALIEN, drop=1e-5).told.writable
