"""align: a report either way, and what the store took since."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl

from genrec.preparing import load
from serving.store import EventStore, NewEvent, ShownItem, Slate
from tests.helpers.running import Done, Tiny

STILL = ("learning_rate=1e-12", "rounds=1", "cases=16", "rejected=2", "least=10")


def test_without_a_sure_gain_the_bundle_stays(tiny: Tiny, tmp_path: Path, genrec_command: Callable[..., Done]) -> None:
    url, user = f"sqlite:///{tmp_path}/events.db", "newcomer"
    items = load(tiny.data).interactions.table["item_id"].unique().sort()[:3].to_list()
    store = EventStore.open(url)
    for at, item in ((10, items[2]), (20, items[1])):
        store.append([NewEvent(user_id=user, item_id=item, kind="click", timestamp=at)])
    places = (ShownItem(item_id=items[0], slot=1), ShownItem(item_id=items[1], slot=2))
    store.record(Slate(recommendation_id="s", user_id=user, model="m", items=places, shown_at=15))
    store.close()
    words = ("align", "--bundle", tiny.bundle, "--data", tiny.data, "--out", tmp_path / "child", "--store", url)
    done = genrec_command(*words, "--quiet", "--json", "--", *STILL, "recent=1.0")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["published"], report["version"], report["refused"]) == (False, report["parent"], 1)
    assert not (tmp_path / "child").exists()
    turned = pl.read_parquet(tmp_path / "child-run" / "refused" / "interactions.parquet")
    assert turned.select("user_id", "item_id", "timestamp").rows() == [(user, items[0], 20)]


def test_settings_that_do_not_exist_are_named(tiny: Tiny, tmp_path: Path, genrec_command: Callable[..., Done]) -> None:
    done = genrec_command(
        "align", "--bundle", tiny.bundle, "--data", tiny.data, "--out", tmp_path / "child", "betta=2"
    )  # fmt: skip
    assert done.code == 2
    assert "betta" in done.err
