"""`python -m serving.collecting`: prepared data and what the store has taken since → prepared data to refresh with.

`genrec refresh --store` and `genrec align --store` start it. What users turned down is no choice and is left out, or
written apart; edits of the catalog are laid over it. Knows no server and no model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

from genrec.catalog import Catalog
from genrec.changing import ItemChange, changed_catalog
from genrec.errors import DataError
from genrec.formats import Dataset, dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.interest.window import WindowPolicy
from genrec.preparing import load, save
from genrec.terminal import guarded
from serving.store import CatalogChange, EventStore


def main() -> None:
    parser = argparse.ArgumentParser(prog="serving.collecting", description=__doc__)
    parser.add_argument("--store", required=True, help="SQLAlchemy URL of the event store")
    parser.add_argument("--data", type=Path, required=True, help="prepared data that the bundle was trained on")
    parser.add_argument("--out", type=Path, required=True, help="prepared data to write")
    parser.add_argument("--refused", type=Path, help="prepared data of what users turned down to write, if anything")
    found = parser.parse_args()
    with guarded():
        store = EventStore.open(found.store)
        try:
            new, edits = store.interactions(), store.catalog_changes()
            refused = store.turned_down(WindowPolicy().negative)
        finally:
            store.close()
        whole = collected(load(found.data), new, edits)
        save(whole, found.out)
        if found.refused is not None and refused.height:
            tally = Tally("what users turned down")
            save(dataset(Interactions.from_table(refused), whole.catalog.table, tally), found.refused)
        print(f"{len(whole.interactions):,} interactions, {new.height:,} of them from the store, in {found.out}")


def collected(data: Dataset, new: pl.DataFrame, edits: list[CatalogChange]) -> Dataset:
    """new: as `EventStore.interactions` gives it; an interaction that both hold counts once."""
    catalog = edited(data.catalog, edits)
    negative = WindowPolicy().negative
    liked = new.filter(~pl.col("kind").is_in(list(negative)))
    old = data.interactions.table
    columns = [name for name in old.columns if name in liked.columns]
    table = pl.concat([old.select(columns), liked.select(columns)], how="vertical_relaxed")
    table = table.unique(["user_id", "item_id", "timestamp"], keep="first", maintain_order=True)
    return dataset(Interactions.from_table(table), catalog.table, Tally("prepared data and event store"))


def edited(catalog: Catalog, edits: list[CatalogChange]) -> Catalog:
    """Edits one by one: one that this catalog's fields do not fit costs only itself."""
    for one in edits:
        try:
            catalog = changed_catalog(catalog, [ItemChange(one.item_id, one.fields, one.available, one.whole)])
        except DataError:
            continue
    return catalog


if __name__ == "__main__":
    main()
