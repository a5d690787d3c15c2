"""What of a history the prompt should show: all of it, the newest items, or these with a profile of the rest in words.

Part of benchmarks/refresh.py. Priors read whole histories whatever the prompt shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks._refresh_streams import Stream
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
_CASES = 200  # of each step
WINDOWS = (5, 10, 20)
"""Beside the bundle's own."""


def windows(stream: Stream) -> tuple[list[Claim], dict[str, Any]]:
    """The bundle as it is, alone and with its priors, over cases of all steps whose histories are longer than ten."""
    assert stream.fusion is not None
    cases = _long(_joined([sample(step.tests, _CASES, 0) for step in stream.steps]), 2 * WINDOWS[0])
    claims, measured = list[Claim](), dict[str, Any]()
    for said, fusion in (("", stream.fusion), (".alone", stream.fusion.alone())):
        own, found = fusion.asking.window, {"whole": _plain(fusion, _ALL, cases)}
        for window in (*WINDOWS, own):
            found[f"last_{window}"] = _plain(fusion, window, cases)
            found[f"last_{window}_and_profile"] = _profiled(stream, fusion, window, cases)
        for ours, theirs in _compared(own):
            one = difference_interval(found[ours], found[theirs], cases.users)
            note = f"NDCG@10 {found[theirs].mean():.4f} → {found[ours].mean():.4f}"
            claims.append(claim(f"refresh.windows{said}.{ours}.over_{theirs}", one.mean, "NDCG@10", ">=", None,
                                n=len(cases), low=one.low, high=one.high, note=note))  # fmt: skip
        measured[said or "with priors"] = {name: float(one.mean()) for name, one in found.items()}
    return claims, measured | {"window": stream.fusion.asking.window, "longest": int(cases.histories.lengths.max())}


def _compared(own: int) -> list[tuple[str, str]]:
    profiled = [f"last_{window}_and_profile" for window in (*WINDOWS, own)]
    beside = [(name, name.removesuffix("_and_profile")) for name in profiled]
    return [*beside, (profiled[-1], "whole"), (profiled[-1], "last_5"), *((f"last_{n}", "whole") for n in WINDOWS)]


def _plain(fusion: Fusion, window: int, cases: Cases) -> Float64:
    return _ndcg(replace(fusion, asking=replace(fusion.asking, window=window)), cases, ())


def _profiled(stream: Stream, fusion: Fusion, window: int, cases: Cases) -> Float64:
    """As a server has it: the newest shown, the rest in words of the catalog."""
    assert stream.catalog is not None
    profiler, ids = Profiler.of(stream.catalog), stream.catalog.item_ids
    policy, profiles = WindowPolicy(most=window, repeats="keep"), []
    for row in range(len(cases)):
        past = Past.of(stream.catalog, [ids[item] for item in cases.histories[row].tolist()])
        fallen, weights = Window.of(past, policy).fallen
        profiles.append(profiler.profile(fallen, weights, ProfilePolicy()).text if len(fallen) else "")
    return _ndcg(replace(fusion, asking=replace(fusion.asking, window=window)), cases, profiles)


def _ndcg(fusion: Fusion, cases: Cases, profiles: Sequence[str]) -> Float64:
    items = len(fusion.asking.index)
    out = np.full((len(cases), 10), -1, dtype=np.int32)
    for start in range(0, len(cases), 200):
        rows = np.arange(start, min(start + 200, len(cases)))
        allowed = [unseen(cases.histories[row], items) for row in rows.tolist()]
        found = fusion.rank(cases.histories.take(rows), 10, allowed=allowed, profiles=profiles[start : start + 200])
        for row, one in zip(rows, found, strict=True):
            out[row, : len(one.items)] = one.items
    return np.asarray(ndcg(out, cases.targets, 10), dtype=np.float64)


def _long(cases: Cases, least: int) -> Cases:
    rows = np.flatnonzero(cases.histories.lengths > least)
    users = [cases.users[row] for row in rows.tolist()]
    return Cases(users, cases.histories.take(rows), cases.targets.take(rows), cases.times[rows])


def _joined(parts: list[Cases]) -> Cases:
    users = [user for part in parts for user in part.users]
    histories, targets = (
        Ragged.from_lists([rows[row] for rows in lists for row in range(len(rows))])
        for lists in ([part.histories for part in parts], [part.targets for part in parts])
    )
    return Cases(users, histories, targets, np.concatenate([part.times for part in parts]))
