"""Items held back from training, as if they were new on the day of the test."""

import numpy as np
import polars as pl
import pytest

from genrec.errors import SplitError
from genrec.interactions import Interactions
from genrec.tuning.settings import SplitSettings
from genrec.tuning.splits import split_of

ITEMS = [f"i{number:02}" for number in range(20)]
DRAWN = np.random.default_rng(3).integers(0, 20, (40, 12))
LOG = Interactions.from_table(
    pl.DataFrame(
        {
            "user_id": [f"u{user}" for user in range(40) for _ in range(12)],
            "item_id": [ITEMS[item] for item in DRAWN.ravel()],
            "timestamp": list(range(480)),
        }
    )
)


@pytest.mark.parametrize("kind", ["global_time", "leave_last_out"])
def test_training_and_validation_never_see_them_and_the_test_is_as_it_was(kind: str) -> None:
    rows = LOG.table.with_columns((pl.col("timestamp") % 12 * 40 + pl.col("timestamp") // 12).alias("timestamp"))
    log = Interactions.from_table(rows)  # everybody's first event, then everybody's second
    whole = split_of(SplitSettings.model_validate({"kind": kind}), log, ITEMS)
    split = split_of(SplitSettings.model_validate({"kind": kind, "cold": 0.2}), log, ITEMS)
    new = set(ITEMS) - set(split.train.table["item_id"])
    assert len(new) == 4
    assert set(whole.train.table["item_id"]) == set(ITEMS)
    numbers = [ITEMS.index(item) for item in new]
    for lists in (split.valid.histories, split.valid.targets):
        assert not np.isin(lists.items, numbers).any()
    assert 0 < len(split.valid) < len(whole.valid)
    assert len(split.valid.users) == len(split.valid.histories) == len(split.valid.targets) == len(split.valid.times)
    np.testing.assert_array_equal(split.test.targets.items, whole.test.targets.items)
    np.testing.assert_array_equal(split.test.histories.items, whole.test.histories.items)
    assert np.isin(split.test.targets.items, numbers).any()
    assert "20% of the items new" in split.name


def test_too_many_are_refused() -> None:
    settings = SplitSettings.model_validate({"kind": "leave_last_out", "cold": 0.99})
    with pytest.raises(SplitError, match="held back"):
        split_of(settings, Interactions.from_table(LOG.table.head(60)), ITEMS)
