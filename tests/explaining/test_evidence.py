"""Evidence: the drops are those of the script, the order follows them, and what stands in when nothing moved."""

import numpy as np
import pytest

from genrec.explaining.evidence import (
    NOISE,
    REMOVED,
    Alone,
    Evidence,
    Moved,
    Rerun,
    evidence_for,
    run_again,
    without_each,
)
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
    return evidence_for(Alone(engine(pull), asking(window=window)), FACTS, history, items, window)


def test_drops_are_what_the_model_loses() -> None:
    pull = {(RUNNER, ALIEN): 0.5, (ALIENS, ALIEN): 1.25, (TOYS, ALIEN): -0.25, (TOYS, HEAT): 2.0}
    left = without_each(Alone(engine(pull), asking()), [RUNNER, ALIENS, TOYS], [ALIEN, HEAT], 50)
    assert left.newest.tolist() == [TOYS, ALIENS, RUNNER]
    assert left.fallen == pytest.approx(np.array([[-0.25, 2.0], [1.25, 0.0], [0.5, 0.0]]), abs=1e-9)


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
        whole = True

        def scores(self, histories, items):
            calls.append(len(histories))
            return np.zeros((len(histories), len(items)))

        def slates(self, histories):
            return None

    evidence_for(Counting(), FACTS, list(range(8)) * 5, [ALIEN, HEAT], 50)
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


class Slating(Alone):
    """The model alone, and a slate of the two best films that the request's history does not hold."""

    seen = (RUNNER, RONIN, TOYS)

    def slates(self, histories):
        scores = self.scores(histories, np.arange(8))
        scores[:, list(self.seen)] = -np.inf
        return [np.argsort(-row, kind="stable")[:2] for row in scores]


def test_running_again_finds_the_smallest_set_without_which_it_is_gone() -> None:
    pull = {(RUNNER, LEGEND): 2.0, (RONIN, HEAT): 1.5, (TOYS, HEAT): 1.4, (RUNNER, ALIEN): 0.5}
    judge = Slating(engine(pull), asking())
    found = evidence_for(judge, FACTS, [RUNNER, RONIN, TOYS], [LEGEND, HEAT], 50)
    legend, heat = run_again(judge, [RUNNER, RONIN, TOYS], found)
    assert legend.rerun == Rerun((RUNNER,), present=False)
    assert heat.rerun == Rerun((RONIN, TOYS), present=False)  # either of them alone keeps it
    assert [one.liked for one in heat.countered] == [(RONIN, TOYS)]
    (kept,) = run_again(Slating(engine({(RUNNER, LEGEND): 0.1}), asking()), [RUNNER], found[:1])
    assert kept.rerun is not None
    assert not run_again(Alone(engine(pull), asking()), [RUNNER], found)[0].countered


def test_a_contrast_needs_the_order_to_turn() -> None:
    pull = {(RUNNER, LEGEND): 2.0, (RONIN, HEAT): 1.0, (RONIN, LEGEND): 0.5, (RONIN, INSIDER): 0.2}
    legend, heat, insider = gather(pull, [RUNNER, RONIN], [LEGEND, HEAT, INSIDER])
    assert legend.contrast is not None
    assert (legend.contrast.other, legend.contrast.liked) == (HEAT, RUNNER)
    assert (legend.contrast.lead, legend.contrast.left) == pytest.approx((1.5, -0.5))
    assert legend.contrast.fact is not None
    assert legend.contrast.fact.value == "Scott"  # which Heat has not
    partly = type("Partly", (Alone,), {"whole": False})(engine(pull), asking())
    assert not any(one.contrast for one in evidence_for(partly, FACTS, [RUNNER, RONIN], [LEGEND, HEAT], 50))
    assert heat.contrast is None  # without Ronin it is level with The Insider, no lower
    assert insider.contrast is None
    assert NOISE < 1
