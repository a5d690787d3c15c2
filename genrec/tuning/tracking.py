"""Where the curves of a run go, and what it emitted. Knows no model and no data.

TensorBoard's files in the run's folder, or Weights & Biases or trackio, by transformers' own callbacks. None of them
needs a network: without a key Weights & Biases keeps the run in its folder, to be sent later by `wandb sync`; trackio
keeps all runs of a machine in one place of its own (TRACKIO_DIR).
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Literal

import torch
from transformers import Trainer, TrainerCallback
from transformers.integrations.integration_utils import (
    CodeCarbonCallback,
    TensorBoardCallback,
    TrackioCallback,
    WandbCallback,
)

from genrec.errors import MissingExtra

Tracker = Literal["tensorboard", "wandb", "trackio"]
PROJECT = "genrec"


class Board(TensorBoardCallback):
    """TensorBoard logs in this folder; transformers would ask the environment, which is one for all runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.logging_dir = str(folder)


def refuse_missing(tracker: Tracker) -> None:
    """Raises MissingExtra where its package is not installed: before an hour of training, not after."""
    if importlib.util.find_spec(tracker) is None:
        remedy = "pip install 'genrec[train]'" if tracker == "tensorboard" else "pip install 'genrec[track]'"
        raise MissingExtra(f"this tracker needs the package {tracker}", value=tracker, where="track", remedy=remedy)


def trackers(tracker: Tracker, run: Path) -> list[TrainerCallback]:
    """For a trainer with this folder; with codecarbon installed, what the machine emits is estimated, too."""
    refuse_missing(tracker)
    measured = [CodeCarbonCallback()] if _measures() else []  # type: ignore[no-untyped-call]
    if tracker == "tensorboard":
        return [Board(run / "tensorboard"), *measured]
    if tracker == "trackio":
        return [TrackioCallback(), *measured]  # type: ignore[no-untyped-call]
    run.mkdir(parents=True, exist_ok=True)
    kept = {"WANDB_PROJECT": PROJECT, "WANDB_DIR": str(run), "WANDB_SILENT": "true"}
    kept |= {} if "WANDB_API_KEY" in os.environ else {"WANDB_MODE": "offline"}
    for name, value in kept.items():
        os.environ.setdefault(name, value)
    return [WandbCallback(), *measured]  # type: ignore[no-untyped-call]


def emitted(trainer: Trainer) -> float | None:
    """Kilograms of CO₂ equivalents by codecarbon's estimate, once training has ended; None: it was not there."""
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, CodeCarbonCallback) and callback.tracker is not None:
            found = callback.tracker.final_emissions
            return None if found is None else float(found)
    return None


def _measures() -> bool:
    """codecarbon does not read AMD's GPUs."""
    return importlib.util.find_spec("codecarbon") is not None and not torch.version.hip
