"""Explanations of the film world: are they supported, does the checker see lies, do they differ, what do they cost?

    python benchmarks/explain.py --bundle demo/bundle --data demo/data

Writes benchmarks/results/explain.json. Slates are kept in `--cache`, so that a run can be taken up again. Real films,
simulated viewers. Where `--reviews` and the bundle trained on them (training/reviews.py) are there, explanations in the
words of reviews are measured, too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._explain_latency import LENGTHS, latency
from benchmarks._explain_planted import planted
from benchmarks._explain_reviews import measured
from benchmarks._explain_slates import Case, cases, run, truths
from genrec.benchmarking import Claim, claim, write_results
from genrec.evaluation.bootstrap import mean_intervals
from genrec.preparing import load
from genrec.recommender import Recommender

LIES = 1000
TIMED = 60
PARTS = ("slates", "lies", "latency", "reviews")


def main() -> None:
    arguments = _arguments()
    said: list[Claim] = []
    config: dict[str, Any] = {"about": "real films, simulated viewers"}
    if "reviews" in arguments.parts and arguments.reviews.exists() and arguments.reviews_bundle.exists():
        found, config["reviews"] = measured(arguments.reviews_bundle, arguments.reviews)
        said += found
    if {"slates", "lies", "latency"} & set(arguments.parts):
        said += films(arguments, config)
    write_results("explain", config, said, keep=True)


def films(arguments: argparse.Namespace, config: dict[str, Any]) -> list[Claim]:
    """The claims about the film world; `config` is filled with what they stand on."""
    recommender = Recommender.open(arguments.bundle)
    histories = load(arguments.data).interactions.histories(recommender.catalog.item_ids)
    found = list(cases(histories, arguments.slates))
    config |= {"slates": len(found), "bundle": recommender.version}
    said = list[Claim]()
    if "latency" in arguments.parts:
        started = time.process_time()
        for _ in recommender.explainer.prepare():
            pass
        config["prepare_cpu_s"] = time.process_time() - started
        timed, shares = latency(recommender, found[-TIMED:])
        said, config["latency"] = [*said, *timed], shares
    if "lies" in arguments.parts:
        caught, kinds = lies(recommender, found)
        said, config["planted"] = [*said, caught], kinds
    if "slates" in arguments.parts:
        lines = run(recommender, found, arguments.cache / "slates.jsonl")
        said, config["statements"] = [*said, *read(lines)], counts(lines)
    return said


def read(lines: list[dict[str, Any]]) -> list[Claim]:
    """What slates show: support, deletion, distinctness, ids."""
    statements = [one for line in lines for one in line["statements"]]
    wrong = np.array([not one["checked"] or bool(one["audit"]) for one in statements])
    lost = np.array([pair for line in lines for pair in line["lost"]])
    more = lost[:, 0] > lost[:, 1]
    slates = [line["case"] for line in lines for _ in line["lost"]]
    (spread,) = mean_intervals(more.astype(np.float64)[:, None], slates)
    texts = {
        length: [text for line in lines if line["length"] == length for text in line["texts"]] for length in LENGTHS
    }
    said = {length: len(set(one)) / len(one) for length, one in texts.items()}
    resolved = float(np.mean([one["resolved"] for one in statements]))
    own = float(np.mean([not one["plain"] for one in statements]))
    return [
        claim("explain.unsupported", float(wrong.mean()), "share", "<=", 0.01, n=len(wrong),
              note="statements that the checker or an auditor of its own code refuses"),
        claim("explain.deletion_share", float(more.mean()), "share", ">=", 0.8,
              n=len(more), low=spread.low, high=spread.high,
              note="items whose score loses more without the cited interactions than without as many random ones"),
        claim("explain.distinct", said["normal"], "share", ">=", 0.9, n=len(texts["normal"]),
              note="different texts of normal length over all texts"),
        claim("explain.distinct.long", said["long"], "share", ">=", 0.9, n=len(texts["long"])),
        claim("explain.distinct.short", said["short"], "share", ">=", None, n=len(texts["short"]),
              note="short texts do not name the item"),
        claim("explain.resolved", resolved, "share", ">=", 1.0, n=len(statements), note="whose ids all resolve"),
        claim("explain.written", own, "share", ">=", None, n=len(statements), note="that are the model's own"),
    ]  # fmt: skip


def counts(lines: list[dict[str, Any]]) -> dict[str, Any]:
    statements = [one for line in lines for one in line["statements"]]
    return {
        "parts": dict(Counter(one["part"] for one in statements)),
        "plain": dict(Counter(one["part"] for one in statements if one["plain"])),
        "audited": Counter(one["audit"].split()[0] for one in statements if one["audit"]),
    }


def lies(recommender: Recommender, found: list[Case]) -> tuple[Claim, dict[str, Any]]:
    """Planted falsehoods that the checker refuses, by kind; it must not refuse the truths."""
    told = truths(recommender, found[:: max(1, len(found) // 100)][:100])
    false = planted(told, recommender.catalog, LIES)
    check = recommender.explainer.checker.statement
    seen = [not check(one.text, one.evidence, one.history, one.part).ok for one in false]
    kinds = {
        kind: {"planted": len(rows), "caught": int(sum(rows))}
        for kind in dict.fromkeys(one.kind for one in false)
        if (rows := [caught for one, caught in zip(false, seen, strict=True) if one.kind == kind])
    }
    missed = [f"{one.kind}: {one.text}" for one, caught in zip(false, seen, strict=True) if not caught]
    fine = [check(one.statement.text, one.evidence, one.history, one.statement.part).ok for one in told]
    print(*missed[:20], sep="\n")
    (spread,) = mean_intervals(np.array(seen, dtype=np.float64)[:, None])
    note = f"planted in {len(told):,} true statements, of which it passes {np.mean(fine):.4f}"
    caught = claim(
        "explain.checker_recall",
        float(np.mean(seen)),
        "share",
        ">=",
        0.99,
        n=len(seen),
        low=spread.low,
        high=spread.high,
        note=note,
    )
    return caught, {"kinds": kinds, "missed": missed[:50]}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("demo/bundle"))
    parser.add_argument("--data", type=Path, default=Path("demo/data"))
    parser.add_argument("--reviews", type=Path, default=Path("../shared/data/xrec-yelp/reviews.csv"))
    parser.add_argument("--reviews-bundle", type=Path, default=Path("runs/xrec/bundle"))
    parser.add_argument("--slates", type=int, default=5000)
    parser.add_argument("--cache", type=Path, default=Path("runs/explain"), help="folder that keeps slates")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
