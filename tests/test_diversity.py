"""MMR by hand."""

from __future__ import annotations

import numpy as np

from genrec.diversity import spread

VECTORS = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
SCORES = np.array([3.0, 2.9, 1.0])


def test_weight_zero_keeps_the_order() -> None:
    assert spread(SCORES, VECTORS, 3, 0.0).tolist() == [0, 1, 2]


def test_a_twin_waits() -> None:
    """Second pick: the twin has .5 · .95 − .5 · 1 < 0, the other .5 · 0 − .5 · 0 = 0."""
    assert spread(SCORES, VECTORS, 3, 0.5).tolist() == [0, 2, 1]


def test_ends() -> None:
    assert spread(SCORES, VECTORS, 9, 1.0).tolist() == [0, 2, 1]
    assert spread(np.array([]), np.zeros((0, 2), dtype=np.float32), 3, 0.5).tolist() == []
    assert spread(np.ones(2), VECTORS[:2], 2, 0.3).tolist() == [0, 1]
