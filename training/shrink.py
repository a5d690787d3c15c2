"""A smaller bundle: a bundle and the data that it learnt → one with fewer weights, which the bundle itself teaches.

    python training/shrink.py --bundle bundle --data prepared --out smaller way=pruned
    python training/shrink.py --bundle bundle --data prepared --out smaller way=distilled scratch.hidden=64

Semantic IDs, prompts and priors are the bundle's. Reads top to bottom in `main`. Knows nothing of serving.
"""

from __future__ import annotations

import logging
import time

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle, refuse_foreign
from genrec.cli.shared import child_arguments, quiet_models
from genrec.evaluation.baselines.sasrec import fitting_dropout
from genrec.examples import last_item
from genrec.model.base import SCRATCH
from genrec.model.exporting import whole_weights
from genrec.model.loading import vocabulary_of
from genrec.model.shared_rows import merge_rows
from genrec.preparing import load
from genrec.priors import text_vectors
from genrec.priors.stored import load_priors
from genrec.progress import log_lines, watch
from genrec.settings import load_settings
from genrec.shrinking import save, smaller
from genrec.terminal import guarded
from genrec.tuning import watching
from genrec.tuning.mixture import answers_of, judged_examples, mixture
from genrec.tuning.newcomers import settle
from genrec.tuning.result import data_hash, sample
from genrec.tuning.resuming import forget
from genrec.tuning.settings import ShrinkSettings, SplitSettings
from genrec.tuning.splits import newest, split_of
from genrec.tuning.taught import Taught
from genrec.tuning.trainer import trainer

log = logging.getLogger("genrec.shrink")


def main() -> None:
    arguments = child_arguments(__doc__, "shrink.yaml").parse_args()
    log_lines()
    watch(arguments.quiet)
    quiet_models()
    settings = load_settings(ShrinkSettings, arguments.config, arguments.overrides)
    run = arguments.run or arguments.out.with_name(arguments.out.name + "-run")
    refuse_foreign(arguments.out)
    forget(run)
    started = time.monotonic()

    # The bundle that teaches, and the part of the data that it learnt from.
    bundle, data = Bundle.open(arguments.bundle), load(arguments.data)
    cut = SplitSettings.model_validate(bundle.manifest.split_settings)
    split = split_of(cut, data.interactions, bundle.catalog.item_ids)
    if data_hash(split.train) != bundle.manifest.data_hash:
        log.warning("the bundle learnt from other events: it may have seen what decides here")
    histories = split.train.histories(split.item_ids)
    log_learnt = newest(split.train, cut.recent)
    learnt = log_learnt.histories(split.item_ids)
    vocabulary, teacher = vocabulary_of(bundle), whole_weights(bundle)
    asking = NextItemPrompt(bundle.prompts, vocabulary, bundle.index, bundle.manifest.window)

    # The smaller model.
    seed = settings.optimiser.seed
    known = answers_of(settings.mixture, log_learnt, bundle)
    answers = [one for one in known if getattr(settings.mixture, one.task)]  # what is not learnt again is lost
    judged = judged_examples(asking, answers, log_learnt, bundle.manifest.context)
    examples = mixture(asking, bundle.catalog, learnt, settings.mixture, seed, judged=judged)
    dropout = fitting_dropout(histories, len(bundle.index)) if bundle.manifest.base == SCRATCH else 0.0
    model = smaller(teacher, asking, examples, settings, dropout)
    before, after = (sum(weight.numel() for weight in one.parameters()) for one in (teacher, model))
    log.info("%s: %d parameters, the bundle has %d", settings.way, after, before)

    # Training, with early stopping on validation.
    seen = sample(split.valid, settings.optimiser.valid_cases, seed)
    valid = last_item(seen.histories, seen.targets, asking.head, asking.semantic, asking.window)
    loss = Taught(teacher, settings.taught)
    passes = settings.optimiser.epochs / settings.mixture.variants
    learner = trainer(model, vocabulary.tokenizer, examples, valid, settings.optimiser, run, passes=passes, loss=loss)
    with loss.listening(model):
        watching.run(learner, settings.way, settings.optimiser.max_seconds)
    merge_rows(model)
    vectors = text_vectors(load_priors(bundle.folder / "priors"))
    if vectors is not None:
        settle(model, vocabulary, bundle.index, histories.chosen(len(bundle.index)), vectors)
    log.info("trained after %.0f s", time.monotonic() - started)

    made = save(arguments.out, bundle, model, asking, split, settings, answers)
    log.info("wrote %s after %.0f s", made.folder, time.monotonic() - started)


if __name__ == "__main__":
    with guarded():
        main()
