"""What ten explained items cost over a slate without reasons: by the clock, by the process's own time, and by step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks._explain_slates import Case, K
from genrec.benchmarking import Claim, claim
from genrec.explaining import Length
from genrec.explaining.evidence import run_again, without_each
from genrec.fusing import Slated, unseen
from genrec.recommender import Recommender

LENGTHS: tuple[Length, ...] = ("short", "normal", "long")
PROFILED = 20


def latency(recommender: Recommender, found: Sequence[Case]) -> tuple[list[Claim], dict[str, Any]]:
    """Milliseconds that reasons add, paired with the same slate without; and where they go."""
    ids = recommender.catalog.item_ids
    added: dict[str, list[tuple[float, float]]] = {length: [] for length in LENGTHS}
    for case in found:
        history = [ids[item] for item in case.history.tolist()]
        plain = _timed(partial(recommender.recommend, history, K, explain=False))
        for length in LENGTHS:
            whole = _timed(partial(recommender.recommend, history, K, length=length))
            added[length].append((1000 * (whole[0] - plain[0]), 1000 * (whole[1] - plain[1])))
    spread = {
        f"{length} {clock}": {f"p{share}": float(np.percentile(ms, share)) for share in (50, 95)}
        for length, pairs in added.items()
        for clock, ms in zip(("wall", "cpu"), np.array(pairs).T, strict=True)
    }
    steps = profile(recommender, found[:PROFILED])
    return _claims(spread, len(found)), {"added_ms": spread, "mean_cpu_ms": steps, "load": os.getloadavg()}


def _claims(spread: dict[str, dict[str, float]], n: int) -> list[Claim]:
    wall, cpu, long = spread["normal wall"], spread["normal cpu"], spread["long wall"]
    note = "ten explained items over the same slate without, warm as a server is"
    return [
        claim("explain.added_ms_p95", wall["p95"], "ms", "<=", 400, n=n, note=note),
        claim("explain.added_ms_p50", wall["p50"], "ms", "<=", None, n=n),
        claim("explain.added_cpu_ms_p95", cpu["p95"], "ms", "<=", None, n=n, note="the process's own time"),
        claim("explain.added_ms_p95.long", long["p95"], "ms", "<=", None, n=n, note="with slates made again"),
    ]


def profile(recommender: Recommender, found: Sequence[Case]) -> dict[str, float]:
    """Mean milliseconds of the process's own time for each step."""
    explainer, spent = recommender.explainer, dict[str, float]()
    for case in found:
        judge = Slated(recommender.fusion, K, unseen(case.history, len(recommender.catalog)))
        (items,) = _step(spent, "ranking, which is not added", partial(judge.slates, [case.history])) or []
        asked = (case.history, items.tolist())
        _step(spent, "scores with and without each interaction", partial(without_each, judge, *asked, 50))
        told = _step(spent, "a normal explanation in all", partial(explainer.explain, *asked, judge=judge))
        gathered = [one.evidence for one in told]
        _step(spent, "slates made again, for long ones", partial(run_again, judge, case.history, gathered))
    return {name: 1000 * seconds / len(found) for name, seconds in spent.items()}


def _step(spent: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    start = time.process_time()
    made = work()
    spent[name] = spent.get(name, 0.0) + time.process_time() - start
    return made


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of this process."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - own
