"""Result files of the programs in benchmarks/: what was claimed, what was measured, on which machine.

Does not know what is measured nor how; only how fast the machine multiplies just then.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from genrec import machine
from genrec.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


class Claim(BaseModel):
    """One number that is promised: `value op target`, in `unit`; low and high are its interval where there is one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str
    """`subject.measure`, as docs and README cite it."""
    value: float
    unit: str
    """What the value counts: s, ms, bytes, share, ratio …"""
    target: float | None
    """None: the value only orients, nothing is promised."""
    op: Literal[">=", "<="]
    n: int
    """Runs, cases or users that the value stands on."""
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        if self.target is None:
            return True
        return self.value >= self.target if self.op == ">=" else self.value <= self.target


def claim(
    id: str,
    value: float,
    unit: str,
    op: Literal[">=", "<="],
    target: float | None,
    *,
    n: int = 1,
    low: float | None = None,
    high: float | None = None,
    note: str = "",
) -> Claim:
    """A claim; it reads like a sentence: `claim("trie.bytes_per_item", 6.4, "bytes", "<=", 8)`."""
    return Claim(id=id, value=value, unit=unit, target=target, op=op, n=n, low=low, high=high, note=note)


def write_results(
    program: str, config: dict[str, Any], claims: Sequence[Claim], folder: Path = RESULTS, *, keep: bool = False
) -> Path:
    """Writes `folder/program.json` with command, date, machine and versions, prints the claims, returns the path.

    keep: claims of an earlier file that are not among these stay, with its config under `earlier`, each once.
    """
    path = folder / f"{program}.json"
    kept, earlier = _kept(path, claims) if keep else ([], [])
    result = {
        "command": _command(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **machine.describe(),
        "config": config,
        "claims": [one.model_dump() for one in [*kept, *claims]],
        **({"earlier": earlier} if earlier else {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    print(*map(line, claims), sep="\n")
    return path


def _kept(path: Path, claims: Sequence[Claim]) -> tuple[list[Claim], list[dict[str, Any]]]:
    """The claims of a result file that stay beside these, and the runs that they are of (with ids for claims)."""
    if not path.exists():
        return [], []
    new = {one.id for one in claims}
    kept = [one for one in _claims(path) if one.id not in new]
    old = json.loads(path.read_text(encoding="utf-8"))
    runs = [*old.pop("earlier", ()), {**old, "claims": [one["id"] for one in old["claims"]]}]
    of_before = {name for run in runs[:-1] for name in run["claims"]}
    runs[-1]["claims"] = [name for name in runs[-1]["claims"] if name not in of_before]
    left = {one.id for one in kept}
    runs = [run | {"claims": [name for name in run["claims"] if name in left]} for run in runs]
    return kept, [run for run in runs if run["claims"]]


def multiplications_per_second(size: int = 2048, seconds: float = 0.5) -> float:
    """Floating-point operations a second of a large float32 product, as fast as torch makes it."""
    import torch

    left = torch.randn(size, size)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        left @ left
        done += 1
    return done * 2 * size**3 / (time.perf_counter() - start)


def _command() -> str:
    """As it would be typed in the repository's root."""
    program = Path(sys.argv[0]).resolve()
    name = str(program.relative_to(ROOT)) if program.is_relative_to(ROOT) else program.name
    return shlex.join(["python", name, *map(_told, sys.argv[1:])])


def _told(word: str) -> str:
    """An absolute path as its last name: where it lay on one machine helps nobody on another."""
    return Path(word).name if Path(word).is_absolute() else word


def report(folder: Path = RESULTS) -> list[Claim]:
    """All claims of a folder's result files, those that miss their target first; raises ConfigError for a bad file."""
    claims = [one for path in sorted(folder.glob("*.json")) for one in _claims(path)]
    return sorted(claims, key=lambda one: one.met)


def _claims(path: Path) -> list[Claim]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["claims"]
        return [Claim.model_validate(one) for one in found]
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"not a result file: {problem}", where=str(path), remedy="run its benchmark again") from None


def line(one: Claim) -> str:
    """A claim for the eye."""
    interval = f" [{one.low:.4g}, {one.high:.4g}]" if one.low is not None and one.high is not None else ""
    promise = "orients" if one.target is None else f"{'met' if one.met else 'MISSED'}: {one.op} {one.target:g}"
    return f"{one.id:44} {one.value:.4g} {one.unit}{interval}  {promise}  (n = {one.n:,})"
