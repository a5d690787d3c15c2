"""What a run was begun with, kept beside its checkpoints, so that --resume goes on from nothing else.

Weights fit the codes, the prompts and the data that they were trained on; under others they only look trained. Does
not know how a run is trained.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from genrec.errors import ConfigError
from genrec.storage import write_json
from genrec.tuning.settings import SftSettings

_FILE = "begun.json"


def begin(run: Path, facts: dict[str, Any]) -> None:
    """Notes what the run starts from, or finds that it is what an earlier start noted.

    facts: plain data, compared name by name. Raises ConfigError where the run's checkpoints come from other facts.
    """
    noted = run / _FILE
    if last_checkpoint(run) is not None:
        before = json.loads(noted.read_text(encoding="utf-8")) if noted.is_file() else {}
        changed = [name for name in facts if before.get(name) != facts[name]]
        if changed:
            raise ConfigError(
                "the run cannot go on: it was begun with something else", where=str(run),
                value=", ".join(changed), allowed="the same data, index and settings as when it began",
                remedy="start anew without --resume, or give another folder with --run",
            )  # fmt: skip
    write_json(noted, facts)


def refuse_resuming(settings: SftSettings, resumed: bool) -> None:
    """Raises ConfigError for AdaLoRA: what it has learnt of its ranks is in no checkpoint, so cuts would begin anew."""
    if resumed and settings.adapter == "adalora":
        raise ConfigError(
            "a run with AdaLoRA cannot go on", value=settings.adapter, where="adapter",
            allowed="any other kind", remedy="start anew without --resume, or take lora",
        )  # fmt: skip


def last_checkpoint(run: Path) -> str | None:
    """The newest whole checkpoint of a run, or None to start anew; one that a kill cut short has no state yet."""
    whole = [path.parent for path in run.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=_step)) if whole else None


def forget(run: Path) -> None:
    """Removes what an earlier run kept, so that a later --resume cannot take it up."""
    (run / _FILE).unlink(missing_ok=True)
    for path in run.glob("checkpoint-*"):
        shutil.rmtree(path)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
