"""The protocol on a toy world: both masking variants, contracts of rankers, collisions, and reports."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from genrec.errors import ConfigError, EngineError
from genrec.evaluation import report
from genrec.evaluation.beyond import beyond_accuracy, item_counts
from genrec.evaluation.collisions import collision_share
from genrec.evaluation.protocol import evaluate, evaluate_both
from genrec.evaluation.ranker import ScoreRanker
from genrec.ragged import Ragged
from genrec.splitting import Cases

# Everyone is offered 0, 1, 2, 3 in this order. User a has seen 0 and wants 1; b has seen 2 and wants 2 again.
CASES = Cases(
    users=["a", "b"],
    histories=Ragged.from_lists([[0], [2]]),
    targets=Ragged.from_lists([[1], [2]]),
    times=np.array([1, 2], dtype=np.int64),
)


class _Fixed:
    n_items = 4

    def __init__(self, row, name="fixed"):
        self.row, self.name = np.array(row, dtype=np.float32), name

    def scores(self, histories):
        return np.tile(self.row, (len(histories), 1))


OFFER = ScoreRanker(_Fixed([4, 3, 2, 1]))


def test_masked_and_unmasked_differ_as_stated():
    masked, unmasked = evaluate_both(OFFER, CASES, ks=(1, 3))
    assert masked.per_case["hit_rate@1"].tolist() == [1, 0]
    assert masked.per_case["recall@3"].tolist() == [1, 0]  # a seen target cannot be found
    assert unmasked.per_case["hit_rate@1"].tolist() == [0, 0]
    np.testing.assert_allclose(unmasked.per_case["mrr@3"], [1 / 2, 1 / 3])
    assert (masked.mask_seen, unmasked.mask_seen) == (True, False)


def test_every_metric_at_every_k():
    result = evaluate(OFFER, CASES, mask_seen=False, ks=(1, 2))
    names = {f"{name}@{k}" for name in ("recall", "ndcg", "hit_rate", "mrr", "precision", "f1") for k in (1, 2)}
    assert set(result.metrics) == names
    assert result.mean("recall@2") == 0.5
    assert result.intervals(["recall@2"])["recall@2"].high == 1.0


def test_an_unknown_metric_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match="recall@1"):
        evaluate(OFFER, CASES, ks=(1,), mask_seen=True).mean("recal@1")


def test_paired_differences_need_the_same_cases_and_masking():
    masked, unmasked = evaluate_both(OFFER, CASES, ks=(1,))
    assert masked.difference(masked, "ndcg@1").mean == 0.0
    with pytest.raises(ConfigError, match="different cases or masking"):
        masked.difference(unmasked, "ndcg@1")


class _Broken:
    name = "broken"

    def __init__(self, ranked):
        self.ranked = np.array(ranked, dtype=np.int32)

    def rank(self, histories, k, *, mask_seen):
        return self.ranked


@pytest.mark.parametrize(
    ("ranked", "message"),
    [([[1]], "wrong shape"), ([[1, 1], [0, 1]], "twice"), ([[1, 0], [0, 1]], "seen item")],
)
def test_rankings_that_break_the_contract_are_refused(ranked, message):
    with pytest.raises(EngineError, match=message):
        evaluate(_Broken(ranked), CASES, ks=(2,), mask_seen=True)


def test_empty_places_may_stand_twice():
    assert evaluate(_Broken([[-1, -1], [0, -1]]), CASES, ks=(2,), mask_seen=True).mean("recall@2") == 0.0


def test_nothing_to_evaluate_is_refused():
    none = Cases([], Ragged.from_lists([]), Ragged.from_lists([]), np.empty(0, dtype=np.int64))
    with pytest.raises(ConfigError, match="nothing to evaluate"):
        evaluate(OFFER, none, mask_seen=True)


def test_hits_owed_to_colliding_ids_are_counted_apart():
    ids = np.array([[5, 5], [5, 5], [1, 2], [3, 4]])  # items 0 and 1 collide
    targets = Ragged.from_lists([[0], [0], [2], [3]])
    ranked = np.array([[1, 2], [1, 0], [2, 3], [0, -1]])
    # case 0 hits by ID only, cases 1 and 2 by item, case 3 not at all
    assert collision_share(ranked, targets, 2, ids) == pytest.approx(1 / 3)
    assert collision_share(ranked, targets, 1, ids) == pytest.approx(2 / 3)
    assert collision_share(ranked, targets, 2, np.arange(4)[:, None]) == 0.0


def test_beyond_accuracy_of_a_toy():
    counts = item_counts(Ragged.from_lists([[0, 0], [1]]), 4)
    assert counts.tolist() == [2, 1, 0, 0]
    values = beyond_accuracy(np.array([[0, 1, 3], [0, 1, 2]]), 2, counts, np.eye(4))
    assert values["coverage@2"] == 0.5
    assert values["gini@2"] == pytest.approx(0.5)
    assert values["intra_list_diversity@2"] == pytest.approx(1.0)
    assert values["novelty@2"] == pytest.approx(-(np.log2(3 / 7) + np.log2(2 / 7)) / 2)


def test_the_table_shows_both_variants_and_every_system():
    other = ScoreRanker(_Fixed([1, 2, 3, 4], "other"))
    results = [*evaluate_both(OFFER, CASES, ks=(1, 2)), *evaluate_both(other, CASES, ks=(1, 2))]
    out = io.StringIO()
    Console(file=out, width=160).print(report.table(results, ["recall@2"], title="toy", resamples=50))
    text = out.getvalue()
    for piece in ("fixed", "other", "seen masked", "unmasked", "recall@2", "±", "2 cases"):
        assert piece in text


def test_the_report_is_json_with_the_machine():
    results = evaluate_both(OFFER, CASES, ks=(1,))
    data = json.loads(json.dumps(report.to_json(results, ["recall@1"], resamples=50)))
    assert data["results"][0]["metrics"]["recall@1"]["mean"] == 0.5
    assert data["results"][0]["mask_seen"] is True
    assert data["machine"]["cores"] >= 1
    assert "numpy" in data["versions"]


def test_differences_are_paired_with_each_other_system():
    ours = evaluate(OFFER, CASES, ks=(1,), mask_seen=True)
    theirs = evaluate(ScoreRanker(_Fixed([1, 2, 3, 4], "other")), CASES, ks=(1,), mask_seen=True)
    found = report.differences(ours, [theirs], ["recall@1"])
    assert found["other"]["recall@1"]["mean"] == 0.5


def test_results_of_different_cases_do_not_share_a_table():
    ours = evaluate(OFFER, CASES, ks=(1,), mask_seen=True)
    renamed = Cases(["x", "y"], CASES.histories, CASES.targets, CASES.times)
    with pytest.raises(ConfigError, match="one table"):
        report.table([ours, evaluate(OFFER, renamed, ks=(1,), mask_seen=True)], ["recall@1"])
