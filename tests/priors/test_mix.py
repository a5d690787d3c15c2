"""Standardising by hand, and the mixture: weighted sums, names that must exist, priors that are not asked."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genrec.errors import ConfigError
from genrec.priors import Mix, standardised
from genrec.ragged import Ragged
from tests.helpers.toyworld import Said

TWO = Ragged.from_lists([[0], [1, 2]])
NEVER = -np.inf


@dataclass(frozen=True)
class Unasked:
    name: str = "unasked"

    def values(self, histories: Ragged) -> np.ndarray:
        raise AssertionError("a prior without weight was computed")


def rows(*values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_standardised_by_hand() -> None:
    """1, 3: mean 2, deviation 1. 0, 0, 3, 3: mean 1.5, deviation 1.5. 0, 0, 0, 4: mean 1, deviation √3."""
    assert standardised(rows([1, 3], [10, 30])).tolist() == [[-1, 1], [-1, 1]]
    assert standardised(rows([0, 0, 3, 3])).tolist() == [[-1, -1, 1, 1]]
    np.testing.assert_allclose(standardised(rows([0, 0, 0, 4])), [[-1 / 3**0.5] * 3 + [3**0.5]], rtol=1e-6)


def test_never_stays_and_counts_for_nothing() -> None:
    assert standardised(rows([1, NEVER, 3])).tolist() == [[-1, NEVER, 1]]
    assert standardised(rows([NEVER, NEVER])).tolist() == [[NEVER, NEVER]]
    assert standardised(rows([5, NEVER])).tolist() == [[0, NEVER]]


@given(st.floats(-1e4, 1e4, width=32), st.integers(1, 300))
def test_a_constant_row_becomes_nothing(value: float, length: int) -> None:
    assert not standardised(np.full((1, length), value, dtype=np.float32)).any()


@given(arrays(np.float32, (3, 7), elements=st.floats(-100, 100, width=16)))
def test_order_and_scale(values: np.ndarray) -> None:
    found = standardised(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-4)
    spread = values.std(axis=1) > 1e-3
    np.testing.assert_allclose(found.std(axis=1)[spread], 1, atol=1e-2)
    larger = values[:, :1] > values
    assert (found[:, :1] >= found)[larger].all()


def test_the_mixture_is_the_weighted_sum_of_the_standardised() -> None:
    mix = Mix((Said("warm", (1, 3)), Said("sharp", (30, 10))), {"warm": 0.5, "sharp": 2.0})
    found = mix.values(TWO)
    assert found.tolist() == [[-0.5 + 2, 0.5 - 2]] * 2
    assert found.dtype == np.float32
    assert list(mix.names()) == ["warm", "sharp"]


def test_never_in_one_prior_is_never_in_the_mixture() -> None:
    mix = Mix((Said("warm", (1, 3, 2)), Said("rule", (0, NEVER, 0))), {"warm": 1.0, "rule": 0.1})
    assert np.isneginf(mix.values(TWO)).tolist() == [[False, True, False]] * 2


def test_priors_without_weight_are_not_computed() -> None:
    warm = Said("warm", (1, 3))
    assert Mix((warm, Unasked()), {"warm": 1.0, "unasked": 0.0}).values(TWO).tolist() == [[-1, 1]] * 2
    assert Mix((warm, Unasked()), {"warm": 1.0}).values(TWO).tolist() == [[-1, 1]] * 2


def test_a_mixture_of_nothing_is_false() -> None:
    assert not Mix((), {})
    assert not Mix((Unasked(),), {})
    assert not Mix((Unasked(),), {"unasked": 0.0})
    assert Mix((Unasked(),), {"unasked": 0.1})


def test_unknown_names_are_errors_that_name_the_known() -> None:
    with pytest.raises(ConfigError, match=r"unknown priors.*'cold'.*Allowed: warm, sharp"):
        Mix((Said("warm", (1,)), Said("sharp", (1,))), {"cold": 1.0})
    with pytest.raises(ConfigError, match="unknown priors"):
        Mix((Said("warm", (1,)),), {}).with_weights({"cold": 1.0})


def test_other_weights_replace_only_those_named() -> None:
    mix = Mix((Said("warm", (1, 3)), Said("sharp", (30, 10))), {"warm": 0.5, "sharp": 2.0})
    assert mix.with_weights({"sharp": 0.0}).values(TWO).tolist() == [[-0.5, 0.5]] * 2
    assert mix.weights == {"warm": 0.5, "sharp": 2.0}
