"""The demo on a small world: every step, the table, the slates and results.json; and the benchmark's claims of it."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import demo as benchmark
from genrec import demo
from genrec.comparing import ALONE, FUSED, PRIORS
from genrec.preparing import load
from tests.helpers.running import TINY, program_here


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[demo.Plan, demo.Outcome, str]:
    """One demo, its training in this process, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    plan = demo.Plan(out, seconds=8, users=60, overrides=(*TINY, "optimiser.epochs=1"))
    paper = Console(file=io.StringIO(), width=140)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(demo, "run_training", lambda program, words: program_here(words))
        outcome = demo.show(plan, paper)
    assert isinstance(paper.file, io.StringIO)
    return plan, outcome, paper.file.getvalue()


def test_it_says_what_is_real_and_what_is_simulated(shown: tuple[demo.Plan, demo.Outcome, str]) -> None:
    assert shown[2].count("films are real; the viewers are simulated") == 2


def test_one_table_holds_every_system_in_both_variants(shown: tuple[demo.Plan, demo.Outcome, str]) -> None:
    _, outcome, text = shown
    systems = ["popularity", "recent popularity", "item-kNN", "EASE", "SASRec", PRIORS, ALONE, FUSED]
    assert outcome.comparison.names == systems
    assert all(name in text for name in systems)
    assert "seen masked" in text
    assert "unmasked" in text


def test_slates_have_reasons_and_nothing_that_was_seen(shown: tuple[demo.Plan, demo.Outcome, str]) -> None:
    _, outcome, text = shown
    assert len(outcome.samples) == 3
    for one in outcome.samples:
        assert len(one.slate.items) == 5
        assert not {item.id for item in one.slate.items} & set(one.history)
        assert all(item.explanation for item in one.slate.items)
        assert one.user in text


def test_the_samples_are_test_cases(shown: tuple[demo.Plan, demo.Outcome, str]) -> None:
    plan, outcome, _ = shown
    table = load(plan.out / "data").interactions.table
    for one in outcome.samples:
        mine = table.filter(table["user_id"] == one.user)["item_id"].to_list()
        assert mine[: len(one.history) + 1] == [*one.history, one.watched_next]


def test_results_are_written(shown: tuple[demo.Plan, demo.Outcome, str]) -> None:
    plan, outcome, _ = shown
    found = json.loads((plan.out / "results.json").read_text(encoding="utf-8"))
    assert found["about"] == demo.TRUTH
    assert len(found["results"]) == 16
    assert set(found["seconds"]) == {"world", "train", "compare", "explain", "total"}
    assert found["seconds"]["total"] >= found["seconds"]["train"]
    assert set(found["differences"]) == {ALONE, FUSED}
    assert [one["user"] for one in found["samples"]] == [one.user for one in outcome.samples]


def test_the_budget_is_shared_out() -> None:
    plan = demo.Plan(Path("x"), seconds=300, overrides=("window=10",))
    assert plan.settings == ("optimiser.max_seconds=150", "sequence.max_seconds=66", "window=10")


def test_the_claims_are_bounds_of_paired_intervals(shown: tuple[demo.Plan, demo.Outcome, str]) -> None:
    outcome = shown[1]
    claims = {one.id: one for one in benchmark.claims(outcome, 400.0)}
    assert (claims["demo.seconds"].met, claims["demo.seconds"].target) == (False, 360)
    interval = outcome.comparison.result(ALONE).difference(outcome.comparison.result("item-kNN"), "ndcg@10")
    found = claims["demo.ndcg10_over_itemknn.generative"]
    assert (found.value, found.low, found.high) == (interval.low, interval.low, interval.high)
    assert found.met == (interval.low >= 0)


def test_training_that_fails_ends_the_demo(tmp_path: Path) -> None:
    from genrec.terminal import ProgramError

    def fails(program: str, words: Sequence[str]) -> None:
        raise ProgramError(f"{program} ended before its time")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(demo, "run_training", fails)
        with pytest.raises(ProgramError):
            demo.show(demo.Plan(tmp_path / "demo", users=60), Console(file=io.StringIO()))
