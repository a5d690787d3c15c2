"""The SASRec beside a run: fitted once and found again, inherited where the run fits none, absent where nothing can."""

from pathlib import Path

import numpy as np
import pytest

from genrec.bundle import Bundle
from genrec.evaluation.baselines.sasrec import Sasrec
from genrec.interactions import Histories
from genrec.preparing import load
from genrec.priors import Sequential
from genrec.priors.stored import load_priors
from genrec.ragged import Ragged
from genrec.splitting import Split, global_time
from genrec.tuning.sequence import sequence_config, sequence_prior
from genrec.tuning.settings import SequenceSettings, SftSettings
from tests.helpers.running import Tiny

QUICK = SftSettings(sequence=SequenceSettings(width=16, epochs=1))
NONE = SftSettings(sequence=SequenceSettings(fitted=False))
LENGTH = 8


@pytest.fixture(scope="module")
def split(tiny: Tiny) -> Split:
    data = load(tiny.data)
    return global_time(data.interactions, data.catalog.item_ids)


def test_a_run_that_goes_on_finds_it_again(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, kept = split.train.histories(split.item_ids), tmp_path / "cache"
    first = sequence_prior(QUICK, train, split, LENGTH, kept)
    monkeypatch.setattr(Sasrec, "fit", None)  # it must not be fitted again
    again = sequence_prior(QUICK, train, split, LENGTH, kept)
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(again.values(split.valid.histories), first.values(split.valid.histories))


def test_one_of_other_settings_or_data_is_not_taken(split: Split, tmp_path: Path) -> None:
    train, kept = split.train.histories(split.item_ids), tmp_path / "cache"
    sequence_prior(QUICK, train, split, LENGTH, kept)
    wider = SftSettings(sequence=SequenceSettings(width=32, epochs=1))
    found = sequence_prior(wider, train, split, LENGTH, kept)
    assert found is not None
    assert found.model.config.width == 32
    fewer = Histories(train.users[1:], train.items.take(np.arange(1, len(train))), train.times)
    sequence_prior(QUICK, fewer, split, LENGTH, kept)
    assert len(list(kept.iterdir())) == 3


def test_a_run_without_one_inherits_the_parents(tiny: Tiny, split: Split, tmp_path: Path) -> None:
    parent, train = Bundle.open(tiny.bundle), split.train.histories(split.item_ids)
    (old,) = [prior for prior in load_priors(parent.folder / "priors") if isinstance(prior, Sequential)]
    found = sequence_prior(NONE, train, split, LENGTH, tmp_path / "none", parent)
    assert found is not None
    np.testing.assert_array_equal(found.values(split.valid.histories), old.values(split.valid.histories))
    assert sequence_prior(NONE, train, split, LENGTH, tmp_path / "none") is None


def test_histories_of_single_events_have_none(split: Split, tmp_path: Path) -> None:
    single = Histories(["a"], Ragged.from_lists([[1]]), np.zeros(1, dtype=np.int64))
    assert sequence_prior(QUICK, single, split, LENGTH, tmp_path / "none") is None


def test_its_settings_fit_the_data(split: Split) -> None:
    train = split.train.histories(split.item_ids)
    config = sequence_config(SftSettings(), train, len(split.item_ids), LENGTH)
    assert (config.length, config.width) == (LENGTH, 128)
    assert config.dropout == (0.5 if len(train.items.items) < 20 * len(split.item_ids) else 0.2)
