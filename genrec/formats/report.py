"""What reading found: rows read and kept, every kind of problem counted, the first of each listed.

Does not know formats; they fill a `Tally`, which becomes a `Report`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from genrec.errors import shorten

LISTED_EACH = 20  # problems of one kind that a report lists; all are counted
LISTED = 200


@dataclass(frozen=True)
class Problem:
    """One bad place. `line` is the 1-based physical line (header included); in Parquet files the 1-based row."""

    file: str
    line: int
    column: str
    value: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}, {self.column}: {self.what} (found {self.value}). Remedy: {self.remedy}."


@dataclass
class FileCount:
    """Rows of one file; `role` is "interactions" or "catalog". Blank lines and headers are no rows."""

    file: str
    role: str
    read: int = 0
    kept: int = 0

    @property
    def dropped(self) -> int:
        return self.read - self.kept


@dataclass(frozen=True)
class Step:
    """One step of preparing: how many interactions came in and went on, and by which rule."""

    name: str
    before: int
    after: int
    rule: str


@dataclass(frozen=True)
class Report:
    """read, kept, dropped count rows of interactions; `counts` maps "column: what" to the number of all problems.

    `notes` tell what was kept but changed or doubted; `facts` are sizes of the result (users, items, …).
    """

    format: str
    files: tuple[FileCount, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    facts: dict[str, int] = field(default_factory=dict)

    def _sum(self, name: str) -> int:
        return sum(getattr(one, name) for one in self.files if one.role == "interactions")

    @property
    def read(self) -> int:
        return self._sum("read")

    @property
    def kept(self) -> int:
        return self._sum("kept")

    @property
    def dropped(self) -> int:
        return self._sum("dropped")

    @property
    def ok(self) -> bool:
        """True when no row had a problem."""
        return not self.counts

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"read": self.read, "kept": self.kept, "dropped": self.dropped}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        return cls(
            format=data["format"],
            files=tuple(FileCount(**one) for one in data["files"]),
            counts=data["counts"],
            problems=tuple(Problem(**one) for one in data["problems"]),
            notes=tuple(data["notes"]),
            steps=tuple(Step(**one) for one in data["steps"]),
            facts=data["facts"],
        )

    def summary(self) -> str:
        """The report as plain text, a few lines and then the listed problems."""
        files = [f"  {one.file} ({one.role}): {one.read:,} read, {one.dropped:,} dropped" for one in self.files]
        facts = [f"  {name.replace('_', ' ')}: {value:,}" for name, value in self.facts.items()]
        steps = [f"  {one.name}: {one.before:,} → {one.after:,} ({one.rule})" for one in self.steps]
        counts = [f"  {number:,} x {what}" for what, number in self.counts.items()]
        parts = [
            [f"format {self.format}: {self.read:,} rows read, {self.kept:,} kept, {self.dropped:,} dropped", *files],
            ["result", *facts] if facts else [],
            ["steps", *steps] if steps else [],
            ["notes", *(f"  {note}" for note in self.notes)] if self.notes else [],
            [f"problems (the first {LISTED_EACH} of each kind are listed)", *counts] if counts else ["no problems"],
            [f"  {problem}" for problem in self.problems],
        ]
        return "\n".join(line for part in parts for line in part)


class Tally:
    """Collects while a source is read. `now` (UTC seconds) is what "the future" is measured against."""

    def __init__(self, format: str, now: float | None = None) -> None:
        self.format, self.now = format, time.time() if now is None else now
        self.counts: Counter[str] = Counter()
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._files: dict[str, FileCount] = {}

    def add_rows(self, file: str, role: str, *, read: int = 0, kept: int = 0) -> None:
        count = self._files.setdefault(file, FileCount(file, role))
        count.read += read
        count.kept += kept

    def problem(
        self, file: str, column: str, what: str, remedy: str, lines: Iterable[int], values: Iterable[Any]
    ) -> None:
        """The same problem at each of `lines`; `values` are what was found there."""
        key = f"{column}: {what}"
        for line, value in zip(lines, values, strict=True):
            if self.counts[key] < LISTED_EACH and len(self.problems) < LISTED:
                self.problems.append(Problem(file, int(line), column, shorten(value), what, remedy))
            self.counts[key] += 1

    def note(self, text: str) -> None:
        self.notes.append(text)

    def report(self, facts: dict[str, int] | None = None, steps: Iterable[Step] = ()) -> Report:
        return Report(
            self.format,
            tuple(self._files.values()),
            dict(self.counts),
            tuple(self.problems),
            tuple(self.notes),
            tuple(steps),
            facts or {},
        )
