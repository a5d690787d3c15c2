"""Supervised fine-tuning: prepared interactions and catalog → a bundle.

    python training/sft.py --data prepared --out bundle --config training/configs/scratch.yaml optimiser.epochs=4

Reads top to bottom in `main`; runs under `accelerate launch` as it is. Knows nothing of serving.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle, refuse_foreign
from genrec.evaluation.baselines.sasrec import fitting_dropout, fitting_length
from genrec.examples import last_item
from genrec.explaining.reviews import Library, Reviews
from genrec.indexing import build_index, extend_index
from genrec.items.text import item_texts
from genrec.model.adapters import finish
from genrec.model.base import SCRATCH
from genrec.model.shared_rows import merge_rows
from genrec.preparing import load
from genrec.progress import log_lines, watch
from genrec.prompting import load_prompts
from genrec.resources import folder
from genrec.settings import load_settings
from genrec.terminal import guarded
from genrec.tuning import watching
from genrec.tuning.card import Ran
from genrec.tuning.carrying import base_bundle, carried_model
from genrec.tuning.distilling import TrieDistillation
from genrec.tuning.learnt import cross_entropy, flattened
from genrec.tuning.mixture import answers_of, judged_examples, mixture
from genrec.tuning.model import context_of, continued_model, refuse_overlong, starting_model
from genrec.tuning.newcomers import settle
from genrec.tuning.rehearsal import briefly, peak, rehearse, shown
from genrec.tuning.result import data_hash, sample, save
from genrec.tuning.resuming import begin, forget, last_checkpoint, refuse_resuming
from genrec.tuning.sequence import sequence_prior
from genrec.tuning.settings import SftSettings
from genrec.tuning.splits import newest, split_of
from genrec.tuning.tracking import emitted, refuse_missing
from genrec.tuning.trainer import Loss, processes, trainer

log = logging.getLogger("genrec.sft")


def main() -> None:
    arguments = _arguments()
    log_lines()
    watch(arguments.quiet)
    settings = load_settings(SftSettings, arguments.config, arguments.overrides)
    run = arguments.run or arguments.out.with_name(arguments.out.name + "-run")
    refuse_foreign(arguments.out)
    refuse_resuming(settings, arguments.resume)
    refuse_missing(settings.track)
    if not arguments.dry_run:
        return train(arguments, settings, run)
    arguments.cache = arguments.resume = None
    with tempfile.TemporaryDirectory(prefix="genrec-dry-run-") as folder_of_nothing:
        train(arguments, briefly(settings), Path(folder_of_nothing))


def train(arguments: argparse.Namespace, settings: SftSettings, run: Path) -> None:
    """From data to bundle; a dry run ends before training."""
    started = time.monotonic()
    if processes().is_main_process and not arguments.resume:
        forget(run)

    # What there is to learn from: training events strictly before the validation cut.
    data = load(arguments.data)
    split = split_of(settings.split, data.interactions, data.catalog.item_ids)
    histories = split.train.histories(split.item_ids)
    log_learnt = newest(split.train, settings.split.recent)
    learnt = log_learnt.histories(split.item_ids)
    hashed = data_hash(split.train)
    log.info("%d items, %d histories, %d events to learn", len(data.catalog), len(learnt), len(learnt.times))

    # Items → vectors → semantic IDs.
    cache, parent = arguments.cache or run / "cache", Bundle.open(arguments.start) if arguments.start else None
    base = None if parent else base_bundle(settings)
    if parent is None:
        built = build_index(data.catalog, histories.items, settings.items, cache)
    else:
        built = extend_index(parent, data.catalog, settings.items, cache)
    index = built.index
    log.info("semantic IDs of %s codes, index %s, after %.0f s", index.sizes, index.version, time.monotonic() - started)

    # Prompts, vocabulary, model, examples.
    library = None if arguments.reviews is None else Library.learnt(Reviews.read(arguments.reviews))
    answers = answers_of(settings.mixture, log_learnt, parent)
    if parent is None:
        prompts = load_prompts(folder("prompts"), settings.language, settings.reasons_in)
        texts = item_texts(data.catalog, settings.items.fields)
        texts += [] if library is None else library.texts
        dropout = fitting_dropout(histories, len(index))
        if base is None:
            model, vocabulary = starting_model(settings, index, prompts, texts, dropout, answers)
        else:
            model, vocabulary = carried_model(settings, base, index, built.described, prompts, dropout, answers)
    else:
        prompts = parent.prompts
        model, vocabulary = continued_model(settings, parent, index, answers)
    window = settings.window or (fitting_length(histories) if parent is None else parent.manifest.window)
    asking = NextItemPrompt(prompts, vocabulary, index, window)
    refuse_overlong(asking, context_of(model))
    if processes().is_main_process:
        begun = settings.model_dump(mode="json", exclude={"optimiser", "window", "track"})
        begun |= {"seed": settings.optimiser.seed, "window": window}
        begin(run, begun | {"index": index.version, "data": hashed})

    # A SASRec beside it: a prior, and a teacher whose distribution the trie turns into targets for every code.
    beside = sequence_prior(settings, histories, split, asking.window, cache, parent)
    taught = settings.sequence.taught
    began = settings.base if base is None else base.manifest.base
    loss: Loss | None = cross_entropy if began == SCRATCH else None  # trl's fused head suits large vocabularies
    if beside is not None and settings.sequence.fitted and taught:
        loss = TrieDistillation(
            beside.model.to(processes().device), index.trie, index.codes, vocabulary.code_ids, taught
        )

    # Training, with early stopping on validation; checkpoints and curves in the run's folder.
    judged = judged_examples(asking, answers, log_learnt, context_of(model))
    examples = mixture(asking, data.catalog, learnt, settings.mixture, settings.optimiser.seed, library, judged)
    seen = sample(split.valid, settings.optimiser.valid_cases, settings.optimiser.seed)
    valid = last_item(seen.histories, seen.targets, asking.head, asking.semantic, asking.window)
    size = sum(weight.numel() for weight in model.parameters())
    variants = settings.mixture.variants
    tokens = len(examples.inputs.items) // variants
    log.info("%d examples, %d tokens an epoch, %d parameters", len(examples) // variants, tokens, size)
    passes = settings.optimiser.epochs / variants
    if arguments.dry_run:
        told: dict[str, Any] = {"passes": passes, "context": context_of(model), "loss": loss}
        before = time.monotonic() - started
        found = rehearse(model, vocabulary.tokenizer, examples, valid, settings.optimiser, run, **told)
        print("\n\n".join(shown(vocabulary.tokenizer, examples, settings.optimiser.seed)), end="\n\n")
        print(f"before training: {before:.0f} s, with one epoch of the sequence prior\n{found}")
        return
    sft = trainer(
        model,
        vocabulary.tokenizer,
        examples,
        valid,
        settings.optimiser,
        run,
        passes=passes,
        loss=loss,
        track=settings.track,
    )
    with flattened(model) if loss is not None else nullcontext():
        resumed = last_checkpoint(run) if arguments.resume else None
        watching.run(sft, "training", settings.optimiser.max_seconds, resumed)
    ran = Ran(sft.state.global_step, emitted(sft))
    merge_rows(model)
    finish(model)
    log.info("trained after %.0f s, at most %.2f GiB", time.monotonic() - started, peak() / 2**30)
    if built.vectors is not None:
        known = histories.chosen(len(index))
        settled = settle(model, vocabulary, index, known, built.vectors)
        log.info("%d items that nobody chose stand with the nearest that somebody did", settled)

    # The bundle: weights, index, catalog, prompts, priors fitted on training events and weighed on validation.
    if sft.is_world_process_zero():
        bundle = save(
            arguments.out, settings, model, asking, data, split, built, hashed, beside, parent, ran, base, answers
        )
        log.info("wrote %s after %.0f s", bundle.folder, time.monotonic() - started)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that genrec prepare wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle to write")
    parser.add_argument("--config", type=Path, help="YAML of settings; see training/configs")
    parser.add_argument("--start", type=Path, help="bundle to go on from: its index, prompts, vocabulary and weights")
    parser.add_argument("--reviews", type=Path, help="CSV (user, item, text) of explanations to learn, too")
    parser.add_argument("--run", type=Path, help="folder of checkpoints and logs; default: OUT-run")
    parser.add_argument(
        "--cache", type=Path, help="folder that keeps text vectors and teachers; default: in the run's folder"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    parser.add_argument("--dry-run", action="store_true", help="say what it will take, show examples, write nothing")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("overrides", nargs="*", help="settings that override the file, as section.key=value")
    return parser.parse_args()


if __name__ == "__main__":
    with guarded():
        main()
