"""What to do next: `genrec` alone looks at what lies in the current folder. Reads names and two small files each.

Does not know how anything is done, and opens no data.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genrec import __version__

LOGS = ("*.csv", "*.tsv", "*.parquet", "*.jsonl", "*.inter", "ratings.dat", "u.data")
_SHOWN = 3  # of each kind, that lie here


@dataclass(frozen=True)
class Here:
    """What a folder holds, in the order of paths. stopped: bundles whose training has checkpoints but did not end."""

    bundles: tuple[Path, ...]
    prepared: tuple[Path, ...]
    stopped: tuple[Path, ...]
    logs: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> Here:
        bundles = tuple(
            path for path in _folders(folder, "manifest.json") if "prior_weights" in _read(path, "manifest")
        )
        checkpoints = {path for place in ("", "*/") for path in folder.glob(f"{place}*-run/checkpoint-*")}
        runs = {path.parent for path in checkpoints}
        stopped = (run.with_name(run.name.removesuffix("-run")) for run in sorted(runs))
        return cls(
            bundles, tuple(_folders(folder, "interactions.parquet")),
            tuple(bundle for bundle in stopped if not (bundle / "manifest.json").exists()),
            tuple(sorted({path for name in LOGS for path in folder.glob(name)})),
        )  # fmt: skip

    def next(self, base: Path) -> list[tuple[str, str]]:
        """(command, what it does) of what one would do now, most likely first."""

        def name(path: Path) -> str:
            return shlex.quote(path.relative_to(base).as_posix())

        data = self._data_of(self.bundles[0] if self.bundles else base)
        with_data = f" --data {name(data)}" if data else ""
        if self.stopped and data:
            return [(f"genrec train{with_data} --out {name(self.stopped[0])} --resume", "training was stopped: go on")]
        if self.bundles:
            bundle = f" --bundle {name(self.bundles[0])}"
            found = [(f"genrec serve{bundle}{with_data}", "a page to look at, and HTTP")]
            found += [(f"genrec evaluate{bundle}{with_data}", "how good it is, beside others")] if data else []
            return [*found, (f"genrec chat{bundle}", "talk to it here")]
        if data:
            return [(f"genrec train{with_data} --out bundle", "learn from it; --minutes says how long")]
        if self.logs:
            log = name(self.logs[0])
            return [(f"genrec validate {log}", "what is wrong with it, row by row; --map names its columns"),
                    (f"genrec prepare {log} prepared", "read it")]  # fmt: skip
        return [("genrec demo", "train, measure, recommend and explain on bundled films, in minutes"),
                ("genrec prepare LOG prepared", "read a log of your own: who chose what when"),
                ("genrec doctor", _doctor())]  # fmt: skip

    def _data_of(self, near: Path) -> Path | None:
        """The prepared data that lies nearest to a bundle: beside it, else the first."""
        beside = [path for path in self.prepared if path.parent == near.parent]
        return next(iter(beside or self.prepared), None)


def show(folder: Path, out: Console) -> None:
    """Says what this is, what lies in the folder, and what to do next."""
    out.print(f"[bold]genrec[/bold] {__version__} recommends by writing the next item, and says why.", highlight=False)
    here = Here.of(folder)
    if lines := list(_lines(here, folder)):
        out.print("\n[bold]in this folder[/bold]")
        out.print(_table(lines))
    out.print("\n[bold]next[/bold]")
    out.print(_table(here.next(folder)))
    out.print("\n[dim]genrec --help lists every command; genrec COMMAND --help its options.[/dim]")


def _lines(here: Here, folder: Path) -> Iterator[tuple[str, str]]:
    for paths, said in (
        (here.bundles, _bundle),
        (here.prepared, _prepared),
        (here.stopped, _stopped),
        (here.logs, _log),
    ):
        for path in paths[:_SHOWN]:
            yield path.relative_to(folder).as_posix(), said(path)
        if len(paths) > _SHOWN:
            yield "…", f"and {len(paths) - _SHOWN} more"


def _bundle(path: Path) -> str:
    found = _read(path, "manifest")
    quality = found.get("metrics", {}).get("validation ndcg@10", {}).get("value")
    said = f"a bundle{'' if quality is None else f', NDCG@10 {quality:.3f} on validation'}"
    return said + (", reads requests" if found.get("chat") else "")


def _prepared(path: Path) -> str:
    facts = _read(path, "report").get("facts", {})
    shown = [f"{facts[name]:,} {name}" for name in ("interactions", "users", "items") if name in facts]
    return ", ".join(["prepared data", *shown])


def _stopped(path: Path) -> str:
    return "a bundle whose training was stopped"


def _log(path: Path) -> str:
    return f"perhaps a log or a catalog, {path.stat().st_size / 1e6:,.1f} MB"


def _doctor() -> str:
    return "what is installed" if find_spec("torch") else "torch is not installed: what that means, and what to do"


def _folders(base: Path, name: str) -> Iterator[Path]:
    for place in ("", "*/", "*/*/"):
        yield from (path.parent for path in sorted(base.glob(place + name)))


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads((path / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _table(rows: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(no_wrap=True, overflow="fold", style="cyan")
    table.add_column()
    for row in rows:
        table.add_row(*map(Text, row))
    return table
