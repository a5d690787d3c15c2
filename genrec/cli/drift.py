"""`genrec drift`: how a user's interest moved. Does not know how a change is found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.cli.shared import AsJson, BundleFolder, DataFolder, console, show_json
from genrec.doctor import require
from genrec.errors import ConfigError

if TYPE_CHECKING:
    from genrec.bundle import Bundle
    from genrec.following import Follower
    from genrec.formats import Dataset
    from genrec.interest.past import Past
    from genrec.interest.timeline import Timeline


def drift(
    bundle: BundleFolder,
    data: DataFolder,
    user: Annotated[str, typer.Option(help="A user of the data.")],
    detector: Annotated[
        Path | None, typer.Option(help="File of a detector; learnt from the data, and written there, if it is missing.")
    ] = None,
    json: AsJson = False,
) -> None:
    """A user's interest over time: segments in words, when it changed, how sure that is."""
    require("recommend")
    from genrec.bundle import Bundle
    from genrec.preparing import load

    opened, log = Bundle.open(bundle), load(data)
    found = _follower(opened, log, detector).timeline(past_of(opened, log, user))
    if json:
        show_json(found.model_dump())
    else:
        show_timeline(found, user)


def show_timeline(found: Timeline, user: str) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"interest of {user}"), title_justify="left")
    for name in ("#", "from", "to", "choices", "interest", "sure"):
        table.add_column(name, justify="right" if name in ("#", "choices", "sure") else "left")
    for place, one in enumerate(found.segments, 1):
        words = one.words or "no facts that stand out"
        words += f" (as {one.returns_to + 1}, again)" if one.returns_to is not None else ""
        sure = "" if one.confidence is None else f"{one.confidence:.2f}"
        table.add_row(str(place), _day(one.start), _day(one.end), str(one.choices), Text(words), sure)
    console().print(table)


def _follower(bundle: Bundle, log: Dataset, detector: Path | None) -> Follower:
    from genrec.following import Follower, detector_of, learn
    from genrec.interest.stored import save_detector
    from genrec.tuning.settings import SplitSettings
    from genrec.tuning.splits import split_of

    if detector is not None and detector.is_file():
        return Follower.of(bundle, detector)
    if detector is None and (own := detector_of(bundle)) is not None:
        return Follower.of(bundle, own)
    settings = SplitSettings.model_validate(bundle.manifest.split_settings)
    split = split_of(settings, log.interactions, bundle.catalog.item_ids)
    learnt = learn(split.train.histories(split.item_ids), bundle.index)
    if detector is not None:
        save_detector(learnt, detector)
    return Follower.of(bundle, learnt)


def past_of(bundle: Bundle, log: Dataset, user: str) -> Past:
    """A user's choices in prepared data; raises ConfigError for a user that it does not hold."""
    import polars as pl

    from genrec.interest.past import Past

    mine = log.interactions.table.filter(pl.col("user_id") == user)
    if not len(mine):
        raise ConfigError("no such user in the data", value=user, remedy="name a user_id of the prepared data")
    return Past.of(bundle.catalog, mine["item_id"].to_list(), mine["timestamp"].to_list())


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
