"""What of a history the prompt should show: the window with a profile of the rest, all of it, or the last five. Part of
benchmarks/refresh.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks._refresh_streams import CASES, Stream
from genrec.asking import NextItemPrompt
from genrec.benchmarking import Claim, claim
from genrec.evaluation.bootstrap import difference_interval
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.fusing import Fusion, unseen
from genrec.interest.past import Float64, Past
from genrec.interest.profile import ProfilePolicy, Profiler
from genrec.interest.window import Window, WindowPolicy
from genrec.ragged import Ragged
from genrec.splitting import Cases
from genrec.tuning.result import sample

_ALL = 300  # items that "the whole history" shows at most


def windows(stream: Stream) -> tuple[list[Claim], dict[str, Any]]:
    """The bundle with its priors, over the cases of all steps; only cases with more than a window can differ much."""
    assert stream.fusion is not None
    cases = _joined([sample(step.tests, CASES, 0) for step in stream.steps])
    fusion = stream.fusion
    found = {
        "window_and_profile": _profiled(stream, fusion, cases),
        "window": _plain(fusion, fusion.asking, cases),
        "whole": _plain(fusion, replace(fusion.asking, window=_ALL), cases),
        "last_5": _plain(fusion, replace(fusion.asking, window=5), cases),
    }
    claims = []
    for ours in ("window_and_profile", "window"):
        for theirs in ("whole", "last_5"):
            one = difference_interval(found[ours], found[theirs], cases.users)
            note = f"NDCG@10 {found[theirs].mean():.4f} → {found[ours].mean():.4f}"
            claims.append(claim(f"refresh.{ours}.over_{theirs}", one.mean, "NDCG@10", ">=", 0, n=len(cases),
                                low=one.low, high=one.high, note=note))  # fmt: skip
    long = cases.histories.lengths > fusion.asking.window
    measured = {name: {"all": float(one.mean()), "longer": float(one[long].mean())} for name, one in found.items()}
    return claims, measured | {"longer_than_window": int(long.sum()), "window": fusion.asking.window}


def _plain(fusion: Fusion, asking: NextItemPrompt, cases: Cases) -> Float64:
    return _ndcg(replace(fusion, asking=asking), cases, cases.histories, None)


def _profiled(stream: Stream, fusion: Fusion, cases: Cases) -> Float64:
    """As the server has it: repeats collapsed, the newest shown, the rest in words."""
    assert stream.catalog is not None
    profiler, ids = Profiler.of(stream.catalog), stream.catalog.item_ids
    policy = WindowPolicy(most=fusion.asking.window)
    shown, profiles = [], []
    for row in range(len(cases)):
        past = Past.of(stream.catalog, [ids[item] for item in cases.histories[row].tolist()])
        window = Window.of(past, policy)
        fallen, weights = window.fallen
        shown.append(window.items)
        profiles.append(profiler.profile(fallen, weights, ProfilePolicy()).text if len(fallen) else "")
    return _ndcg(fusion, cases, Ragged.from_lists(shown), profiles)


def _ndcg(fusion: Fusion, cases: Cases, shown: Ragged, profiles: list[str] | None) -> Float64:
    items = len(fusion.asking.index)
    out = np.full((len(cases), 10), -1, dtype=np.int32)
    for start in range(0, len(cases), 200):
        rows = np.arange(start, min(start + 200, len(cases)))
        allowed = [unseen(cases.histories[row], items) for row in rows.tolist()]
        said = [] if profiles is None else [profiles[row] for row in rows.tolist()]
        for row, one in zip(rows, fusion.rank(shown.take(rows), 10, allowed=allowed, profiles=said), strict=True):
            out[row, : len(one.items)] = one.items
    return np.asarray(ndcg(out, cases.targets, 10), dtype=np.float64)


def _joined(parts: list[Cases]) -> Cases:
    users = [user for part in parts for user in part.users]
    histories, targets = (
        Ragged.from_lists([rows[row] for rows in lists for row in range(len(rows))])
        for lists in ([part.histories for part in parts], [part.targets for part in parts])
    )
    return Cases(users, histories, targets, np.concatenate([part.times for part in parts]))
