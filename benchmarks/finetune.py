"""What training costs: against the plain loop, and against what a dry run says.

    python benchmarks/finetune.py                     # minutes of one core
    python benchmarks/finetune.py --part speed        # one part; the other claims stay

Claims: finetune.tokens_over_hf (tokens that are no padding a second, ours over transformers' Trainer with its defaults,
same model, data, batch and loss; median of interleaved pairs), finetune.dryrun_error (what a dry run says of a run's
seconds, apart from what it takes), finetune.lora_over_base_low and finetune.merge_error (part kinds: every kind of
adapter on one base and one task, `benchmarks/_finetune_kinds.py`), finetune.matmul_share (part peak: of the measured
rate of a large product, on a GPU where there is one), finetune.mixture.* and finetune.kinds_over_counting (part
mixture: what each task costs or adds), finetune.rating.<data>.* (part rating: the error of predicted ratings beside
matrix factorisation; wants `pip install 'genrec[compare]'`). Times of a CPU are seconds of the processor, one
thread, so that others on the machine do not count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from benchmarks._finetune_kinds import Size, kinds
from benchmarks._finetune_mixture import tasks
from benchmarks._finetune_peak import peak
from benchmarks._finetune_rating import ratings
from benchmarks._finetune_world import Films, films, plain_trainer
from genrec.benchmarking import RESULTS, ROOT, Claim, claim, write_results
from genrec.examples import Examples
from genrec.model.base import ScratchConfig
from genrec.tuning.learnt import cross_entropy, flattened
from genrec.tuning.rehearsal import rehearse
from genrec.tuning.settings import OptimiserSettings
from genrec.tuning.trainer import trainer

Figures = dict[str, Any]
Measured = tuple[Figures, list[Claim]]
SHAPE = ScratchConfig(hidden=128, layers=3, heads=4, feed_forward=384, text_vocabulary=2048)
BATCH = 32
PAIRS = 3


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    for name in [arguments.part] if arguments.part else PARTS:
        figures, claims = PARTS[name](arguments)
        write_results("finetune", {name: figures}, claims, arguments.out, keep=True)


def _world(arguments: argparse.Namespace) -> Films:
    return films(arguments.users, arguments.cases, SHAPE)


def keeping(measure: Callable[[argparse.Namespace, Path], Measured]) -> Callable[[argparse.Namespace], Measured]:
    """A part that keeps what it measured in a folder, which goes with the call where none is named."""

    def measured(arguments: argparse.Namespace) -> Measured:
        if arguments.kept is not None:
            arguments.kept.mkdir(parents=True, exist_ok=True)
            return measure(arguments, arguments.kept)
        with tempfile.TemporaryDirectory() as kept:
            return measure(arguments, Path(kept))

    return measured


def speed(arguments: argparse.Namespace) -> tuple[Figures, list[Claim]]:
    """Both loops from the same weights over the same epoch, in turn."""
    world = _world(arguments)
    tokens = len(world.train.inputs.items)
    taken: dict[str, list[float]] = {"ours": [], "transformers": []}
    losses: dict[str, float] = {}
    for _ in range(PAIRS):
        for name, loop in (("ours", _ours), ("transformers", _plain)):
            model = world.fresh()
            taken[name].append(loop(world, model))
            losses[name] = _loss(world, model)
    ratios = [plain / ours for ours, plain in zip(taken["ours"], taken["transformers"], strict=True)]
    rates = {name: tokens / statistics.median(seconds) for name, seconds in taken.items()}
    figures = {
        "users": arguments.users,
        "batch": BATCH,
        "tokens": tokens,
        "tokens_per_second": rates,
        "ratios": ratios,
        "validation_loss_after": losses,
    }
    value, note = statistics.median(ratios), "float32, 1 thread, seconds of the processor"
    return figures, [
        claim(
            "finetune.tokens_over_hf", value, "ratio", ">=", 1.5, n=PAIRS, low=min(ratios), high=max(ratios), note=note
        )
    ]


def _settings(**changed: Any) -> OptimiserSettings:
    return OptimiserSettings(batch_size=BATCH, epochs=1, evaluations=1, learning_rate=1e-3).model_copy(update=changed)


def _ours(world: Films, model: PreTrainedModel) -> float:
    with tempfile.TemporaryDirectory() as run:
        made = trainer(
            model, world.vocabulary.tokenizer, world.train, _few(world.valid), _settings(), Path(run), passes=1,
            loss=cross_entropy,
        )  # fmt: skip
        start = time.process_time()
        with flattened(model):
            made.train()
        return time.process_time() - start


def _plain(world: Films, model: PreTrainedModel) -> float:
    with tempfile.TemporaryDirectory() as run:
        made = plain_trainer(world, model, BATCH, run, use_cpu=True)
        start = time.process_time()
        made.train()
        return time.process_time() - start


def _few(valid: Examples) -> Examples:
    return valid.take(np.arange(min(8, len(valid))))


@torch.inference_mode()
def _loss(world: Films, model: PreTrainedModel) -> float:
    """Mean cross-entropy of the validation cases' targets."""
    model.train(False)
    found = []
    for inputs, labels in zip(*world.valid.columns().values(), strict=True):
        found.append(float(model(input_ids=torch.tensor([inputs]), labels=torch.tensor([labels])).loss))
    return statistics.fmean(found)


def dryrun(arguments: argparse.Namespace) -> tuple[Figures, list[Claim]]:
    """Foretold and taken, of two epochs with three evaluations, three times in turn."""
    world, pairs = _world(arguments), []
    for _ in range(3):
        settings = _settings(epochs=2, evaluations=3, patience=9)
        with tempfile.TemporaryDirectory() as run:
            told = rehearse(
                world.fresh(), world.vocabulary.tokenizer, world.train, world.valid, settings, Path(run), passes=2,
                context=1024, loss=cross_entropy, clock=time.process_time,
            )  # fmt: skip
        model = world.fresh()
        with tempfile.TemporaryDirectory() as run, flattened(model):
            made = trainer(
                model, world.vocabulary.tokenizer, world.train, world.valid, settings, Path(run), passes=2,
                loss=cross_entropy,
            )  # fmt: skip
            start = time.process_time()
            made.train()
            taken = time.process_time() - start
        pairs.append({"foretold": told.seconds + told.evaluating, "taken": taken, "updates": told.updates})
    errors = [abs(one["foretold"] / one["taken"] - 1) for one in pairs]
    value = statistics.median(errors)
    return {"users": arguments.users, "cases": arguments.cases, "batch": BATCH, "pairs": pairs}, [
        claim("finetune.dryrun_error", value, "share", "<=", 0.2, n=3, low=min(errors), high=max(errors), note="time")
    ]


PARTS: dict[str, Callable[[argparse.Namespace], Measured]] = {
    "speed": speed, "dryrun": dryrun, "kinds": keeping(lambda _, kept: kinds(Size(), kept)),
    "peak": lambda asked: peak(asked.users),
    "mixture": keeping(lambda asked, kept: tasks(asked.viewers, asked.seeds, kept)),
    "rating": keeping(
        lambda asked, kept: ratings(asked.sets, asked.source, asked.people, asked.ratings, asked.passes, kept)
    ),
}  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=list(PARTS), help="only this one")
    parser.add_argument("--users", type=int, default=20, help="simulated viewers")
    parser.add_argument("--cases", type=int, default=30, help="validation cases")
    parser.add_argument("--viewers", type=int, default=300, help="mixture: simulated viewers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="mixture: of weights, order and drawing")
    parser.add_argument("--sets", nargs="+", default=["ml-100k"], help="rating: folders of --source")
    parser.add_argument("--people", type=int, default=400, help="rating: users at most, drawn with a seed")
    parser.add_argument("--passes", type=int, default=5, help="rating: over the training events")
    parser.add_argument("--ratings", type=int, default=2000, help="rating: held-out ratings at most")
    parser.add_argument("--source", type=Path, default=ROOT.parent / "shared" / "data", help="rating: data sets")
    parser.add_argument(
        "--kept", type=Path, help="folder that keeps what kinds, mixture and rating measured: a later call goes on"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
