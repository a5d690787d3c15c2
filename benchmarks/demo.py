"""The demo as a user runs it, timed, and what genrec, as it answers and without priors, gains over simple baselines.

    python benchmarks/demo.py

Writes benchmarks/results/demo.json. The gains are lower bounds of paired 95 % intervals of the difference in NDCG@10
on the test cases (global time, full ranking, seen items masked). One seed; real films, simulated viewers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from rich.console import Console

from genrec.benchmarking import Claim, claim, write_results
from genrec.comparing import ALONE, FUSED
from genrec.demo import TRUTH, Outcome, Plan, show
from genrec.resources import folder

LIMIT_SECONDS = 360
SYSTEMS = {"": FUSED, ".generative": ALONE}
GAINS = {"popularity": "demo.ndcg10_over_popularity", "item-kNN": "demo.ndcg10_over_itemknn"}


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        plan = Plan(out=arguments.out or Path(scratch) / "demo", seconds=arguments.seconds_budget)
        started = time.monotonic()
        outcome = show(plan, Console(width=120))
        seconds = time.monotonic() - started
    write_results("demo", _config(plan, outcome), claims(outcome, seconds))


def claims(outcome: Outcome, seconds: float) -> list[Claim]:
    """The time, and the lower bounds of what genrec gains; `.generative`: the model alone, without priors."""
    cases = len(outcome.comparison.split.test)
    said = "{}: paired difference of means {:+.4f}; low bound of its 95 % interval"
    found = [claim("demo.seconds", seconds, "s", "<=", LIMIT_SECONDS, note="training to reasons, imports aside")]
    for suffix, ours in SYSTEMS.items():
        gained = outcome.comparison.differences(ours)
        for system, name in GAINS.items():
            one = gained[system]["ndcg@10"]
            found.append(
                claim(
                    name + suffix, one["low"], "NDCG@10", ">=", 0,
                    n=cases, low=one["low"], high=one["high"], note=said.format(ours, one["mean"]),
                )
            )  # fmt: skip
    return found


def _config(plan: Plan, outcome: Outcome) -> dict[str, object]:
    compared = outcome.comparison
    means = {
        name: {one: compared.result(name).mean(one) for one in ("ndcg@10", "recall@10")} for name in compared.names
    }
    return {
        "about": TRUTH, "budget_seconds": plan.seconds, "users": plan.users, "split": compared.split.name,
        "config": (folder("training") / "configs" / "demo.yaml").read_text(encoding="utf-8"),
        "overrides": list(plan.settings), "seconds": outcome.seconds, "test_means": means,
        "over_others": {name: compared.differences(name) for name in (ALONE, FUSED)},
    }  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder that keeps data, bundle and results; default: none is kept")
    parser.add_argument("--seconds-budget", type=float, default=Plan(Path()).seconds)
    return parser.parse_args()


if __name__ == "__main__":
    main()
