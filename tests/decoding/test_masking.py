"""The function on logits that every engine stands on, against its definition written out row by row."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from genrec.decoding.asks import Ranges, Want
from genrec.decoding.masking import constrain, logprobs_at

SEEDS = st.integers(0, 2**32 - 1)
SIZE = 40


def random_want(rng: np.random.Generator) -> Want:
    columns: Ranges = ((0, 12), (20, 38)) if rng.random() < 0.5 else ()
    if rng.random() < 0.2:
        return Want(None, 0, columns=columns)
    inside = np.concatenate([np.arange(low, high) for low, high in columns]) if columns else np.arange(SIZE)
    if rng.random() < 0.2:
        return Want(None, int(rng.integers(1, 50)), columns=columns)
    allowed = rng.permutation(inside)[: rng.integers(1, len(inside))]
    bounds = rng.normal(0, 3, len(allowed)).astype(np.float32) if rng.random() < 0.5 else None
    return Want(allowed.astype(np.int64), int(rng.integers(1, 50)), bounds, columns)


def by_hand(row: np.ndarray, want: Want) -> np.ndarray:
    """The definition, in float64."""
    inside = np.concatenate([np.arange(low, high) for low, high in want.columns or ((0, SIZE),)])
    out = np.full(SIZE, -np.inf)
    if want.most == 0:
        out[inside] = row[inside]
        return out
    logprobs = row - np.log(np.exp(row[inside]).sum())
    allowed = inside if want.allowed is None else want.allowed
    worth = logprobs[allowed] + (0 if want.bounds is None else want.bounds.astype(np.float64))
    kept = allowed if want.allowed is None else allowed[np.argsort(-worth, kind="stable")[: want.most]]
    out[kept] = logprobs[kept]
    return out


@given(SEEDS)
def test_rows_are_what_their_wants_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (6, SIZE)).astype(np.float32)
    wants = {int(row): random_want(rng) for row in rng.permutation(6)[: rng.integers(0, 7)]}
    found = constrain(torch.from_numpy(logits.copy()), wants).numpy()
    for row in range(6):
        wanted = by_hand(logits[row].astype(np.float64), wants[row]) if row in wants else logits[row]
        np.testing.assert_allclose(found[row], wanted, atol=2e-5)


@given(SEEDS)
def test_what_may_follow_is_at_most_everything(seed: int) -> None:
    """−inf exactly where nothing is allowed; what remains is a share of one."""
    rng = np.random.default_rng(seed)
    want = random_want(rng)
    row = constrain(torch.from_numpy(rng.normal(0, 4, (1, SIZE)).astype(np.float32)), {0: want}).numpy()[0]
    kept = np.flatnonzero(row > -np.inf)
    if want.allowed is not None:
        assert set(kept.tolist()) <= set(want.allowed.tolist())
        assert len(kept) == want.returned
    if want.most:
        assert np.exp(row[kept].astype(np.float64)).sum() <= 1 + 1e-5


def test_tokens_beyond_the_vocabulary_count_as_absent() -> None:
    want = Want(np.array([1, 10**6]), 5, np.array([0, 9], dtype=np.float32), ((0, 10**6),))
    row = constrain(torch.zeros(1, 4), {0: want})[0]
    assert row.isfinite().tolist() == [False, True, False, False]
    nothing = constrain(torch.zeros(1, 4), {0: Want(np.array([99]), 5)})[0]
    assert not nothing.isfinite().any()


def test_ties_go_to_the_earlier() -> None:
    row = constrain(torch.zeros(1, 6), {0: Want(np.array([4, 2, 5, 1]), 2)})[0]
    assert np.flatnonzero(row.isfinite().numpy()).tolist() == [2, 4]


def test_the_torch_engine_reads_the_same_numbers() -> None:
    logits = torch.randn(3, 5, SIZE)
    columns = torch.tensor([3, 7, 8])
    wanted = constrain(logits.reshape(15, SIZE).clone(), {row: Want(columns.numpy(), 3) for row in range(15)})
    torch.testing.assert_close(logprobs_at(logits, columns).reshape(15, 3), wanted[:, columns])
