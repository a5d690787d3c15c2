"""Refreshing: four strategies over blocks in time order, on two data sets, and what of a history a prompt should show.

    python benchmarks/refresh.py                       # hours on a busy core; every step is kept and gone on from
    python benchmarks/refresh.py --only movietweetings # one part; the others' figures stay

movietweetings, prequential: refreshed at the end of each week, asked for everybody's first choice of the next; the
bundle that it starts from had learnt the first four fifths of the log (benchmarks/ranking.py). peso-video-games: five
blocks, of each the last item of a user is asked (Yoo et al. 2026), semantic IDs as published, a model of under a
million parameters learnt from nothing on the first. The model alone ranks the whole catalog, seen items masked.
Strategies: evolving (one LoRA, L2 toward the block's start), evolving.free (the same without), two (long-term LoRA,
merged, and a short-term one), continued (all weights), cumulative (from nothing over everything); kept: no refresh.
Every strategy has one setting for both data sets, written down before; none was tuned on what is measured here.

Claims, of each data set and strategy: .gain (NDCG@10 over kept, mean over all cases after the refreshes, paired
interval), .forgetting (NDCG@10 on old cases, kept less refreshed, after the last step; old cases of movietweetings had
been learnt by the bundle), .cpu_seconds (a step). drift.refresh_gain_low: the low bound of evolving on movietweetings.
window.*: what the prompt shows, with the bundle as it is: window and profile less the whole history, less the last 5.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._refresh_plots import draw  # noqa: E402
from benchmarks._refresh_runs import KEPT, Line, strategy, told, walk  # noqa: E402
from benchmarks._refresh_streams import SHAPE, Stream, movietweetings, peso  # noqa: E402
from benchmarks._refresh_windows import windows  # noqa: E402
from genrec.benchmarking import RESULTS, Claim, claim, write_results  # noqa: E402
from genrec.cli.shared import quiet_models  # noqa: E402
from genrec.evaluation.bootstrap import Interval, difference_interval  # noqa: E402

STRATEGIES = ("evolving", "continued", "two", "evolving.free", "cumulative")
WEEKS = 4


def main() -> None:
    arguments = _arguments()
    quiet_models()
    claims: list[Claim] = []
    config: dict[str, Any] = {"epochs": arguments.epochs, "cumulative_epochs": arguments.cumulative}
    for name in arguments.only:
        print(f"part: {name}", flush=True)
        stream = _stream(name, arguments)
        if name == "windows":
            found, measured = windows(stream)
        else:
            found, measured = refreshes(stream, arguments)
        claims += found
        config = _config() | config | {name: measured}  # another part may have ended meanwhile
        write_results("refresh", config, claims, keep=True)
    print(draw(config, ROOT / "docs" / "images"))


def _stream(name: str, arguments: argparse.Namespace) -> Stream:
    if name == "peso-video-games":
        return peso(arguments.peso)
    return movietweetings(arguments.bundle, arguments.data, WEEKS)


def refreshes(stream: Stream, arguments: argparse.Namespace) -> tuple[list[Claim], dict[str, Any]]:
    work, claims = arguments.work, list[Claim]()
    kept = walk(stream, KEPT, strategy("evolving", 1, 1), work)
    measured: dict[str, Any] = {KEPT: told(kept)}
    for name in arguments.strategies:
        line = walk(stream, name, strategy(name, arguments.epochs, arguments.cumulative), work)
        measured[name] = told(line) | {"gains": [vars(one) for one in _gains(line, kept, stream)]}
        claims += _claims(stream, line, kept)
    shape = {"shape": SHAPE.model_dump()} if stream.start is None else {}
    return claims, {
        "cases": [len(step.tests) for step in stream.steps],
        "old_cases": len(stream.old),
        **measured,
        **shape,
    }


def _gains(line: Line, kept: Line, stream: Stream) -> list[Interval]:
    """Of every step over the kept model, NDCG@10."""
    return [
        difference_interval(ours, theirs, step.tests.users)
        for ours, theirs, step in zip(line.tests, kept.tests, stream.steps, strict=True)
    ]


def _claims(stream: Stream, line: Line, kept: Line) -> list[Claim]:
    users = [user for step in stream.steps for user in step.tests.users]
    ours, theirs = np.concatenate(line.tests), np.concatenate(kept.tests)
    gain = difference_interval(ours, theirs, users)
    lost = difference_interval(kept.old[-1], line.old[-1], stream.old.users)
    likelier = float(np.concatenate(line.likelihood).mean() - np.concatenate(kept.likelihood).mean())
    name, n = f"refresh.{stream.name}.{line.name}", len(users)
    said = f"{theirs.mean():.4f} → {ours.mean():.4f}; log-likelihood of the choice {likelier:+.3f} nats"
    found = [
        claim(f"{name}.gain", gain.mean, "NDCG@10", ">=", 0, n=n, low=gain.low, high=gain.high, note=said),
        claim(f"{name}.forgetting", lost.mean, "NDCG@10", "<=", None, n=len(stream.old), low=lost.low, high=lost.high,
              note=f"kept: {kept.old[-1].mean():.4f}"),
        claim(f"{name}.cpu_seconds", float(np.mean(line.seconds)), "s", "<=", None, n=len(line.seconds)),
    ]  # fmt: skip
    if (stream.name, line.name) == ("movietweetings", "evolving"):
        found.append(claim("drift.refresh_gain_low", gain.low, "NDCG@10", ">=", 0, n=n, low=gain.low, high=gain.high,
                           note="evolving over kept, the model alone"))  # fmt: skip
    return found


def _config() -> dict[str, Any]:
    """Of the runs before."""
    path = RESULTS / "refresh.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))["config"]) if path.exists() else {}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ranking, shared = ROOT / "runs" / "ranking", ROOT.parent / "shared" / "data"
    parser.add_argument("--bundle", type=Path, default=ranking / "movietweetings-global_time" / "default-0" / "bundle")
    parser.add_argument("--data", type=Path, default=ranking / "data" / "movietweetings", help="prepared")
    parser.add_argument("--peso", type=Path, default=shared / "peso-video-games")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "refresh", help="where steps are kept")
    parts = ["movietweetings", "peso-video-games", "windows"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--cumulative", type=float, default=2, help="epochs of cumulative, over everything")
    return parser.parse_args()


if __name__ == "__main__":
    main()
