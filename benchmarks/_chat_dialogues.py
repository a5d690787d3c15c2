"""OpenDialKG's film dialogues as data: a catalog of what its graph names, sequences to learn, turns to answer.

The published split is by turn, so a dialogue may stand in several parts of it, and a later turn's context then shows an
earlier turn's answer. Dialogues of which any turn is in validation or test are left out of what is learnt from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from genrec import resources
from genrec.catalog import Catalog
from genrec.formats import Dataset, dataset
from genrec.formats.report import Tally
from genrec.interactions import Interactions
from genrec.preparing import save
from genrec.programs import run_training

_CONFIG = resources.folder("training") / "configs" / "demo.yaml"
_OVERRIDES = (
    "split.valid=0.06", "split.test=0.01", "mixture.item_to_id=0.05", "mixture.explain=0", "sequence.taught=0.7",
    "sequence.max_seconds=120", "optimiser.max_seconds=300",
)  # fmt: skip
_LISTS = {"genre": "genres", "director": "director", "actor": "cast", "writer": "writer", "language": "language"}


@dataclass(frozen=True)
class Turn:
    """context: what was said, oldest first, the user last; named: items in it; answers: what was recommended."""

    dialogue: int
    context: tuple[str, ...]
    named: tuple[str, ...]
    answers: tuple[str, ...]


def catalog(folder: Path) -> Catalog:
    """Every film and book of the graph; a list field each for genres, people and languages."""
    raw = json.loads((folder / "id2info.json").read_text(encoding="utf-8"))
    columns: dict[str, list[object]] = {
        "item_id": [f"d{key}" for key in raw],
        "title": [one["name"] for one in raw.values()],
    }
    columns["year"] = [_year(one.get("year")) for one in raw.values()]
    for source, field in _LISTS.items():
        columns[field] = [list(dict.fromkeys(_plain(value) for value in one.get(source, ()))) for one in raw.values()]
    return Catalog.from_table(pl.DataFrame(columns))


def turns(folder: Path, part: str, known: Catalog) -> list[Turn]:
    """part: train, valid or test."""
    ids = dict(zip(known.titles, known.item_ids, strict=True))
    rows = [json.loads(line) for line in (folder / f"eval_{part}_data_processed.jsonl").open(encoding="utf-8")]
    return [
        Turn(
            row["dialog_id"], tuple(row["context"]),
            tuple(dict.fromkeys(ids[name] for name in row["entity"] if name in ids)),
            tuple(ids[name] for name in row["rec"] if name in ids),
        )
        for row in rows
    ]  # fmt: skip


def learnable(folder: Path, known: Catalog) -> list[Turn]:
    """Training turns of dialogues that neither validation nor test knows."""
    kept = {one.dialogue for part in ("valid", "test") for one in turns(folder, part, known)}
    return [one for one in turns(folder, "train", known) if one.dialogue not in kept]


def as_data(folder: Path) -> Dataset:
    """A user for each learnable dialogue, its items in the order in which they came up.

    First items of all dialogues lie before second ones, so that a split by time cuts off the ends of long dialogues.
    """
    known, sequences = catalog(folder), dict[int, list[str]]()
    for one in sorted(learnable(folder, known), key=lambda turn: len(turn.context)):
        sequences[one.dialogue] = list(dict.fromkeys([*sequences.get(one.dialogue, ()), *one.named, *one.answers]))
    rows = [(f"u{user}", item, place * 1_000_000 + order)
            for order, (user, items) in enumerate(sequences.items()) for place, item in enumerate(items)]  # fmt: skip
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return dataset(Interactions.from_table(table), known.table, Tally("OpenDialKG, film dialogues, training part"))


def trained(folder: Path, out: Path) -> Path:
    """The bundle in `out`, trained on learnable dialogues alone where there is none yet; folder: the data set."""
    bundle = out / "bundle"
    if not bundle.is_dir():
        save(as_data(folder), out / "data")
        words = ["--data", str(out / "data"), "--out", str(bundle), "--config", str(_CONFIG), "--quiet", *_OVERRIDES]
        run_training("sft.py", words)
    return bundle


def _plain(name: str) -> str:
    """Without the graph's notes: "Family (Film genre) #395" is family."""
    return name.split(" (Film genre)")[0].split(" #")[0]


def _year(text: object) -> int | None:
    found = str(text or "")[:4]
    return int(found) if found.isdigit() else None
