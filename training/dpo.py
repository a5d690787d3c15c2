"""Alignment: a bundle and what people preferred → a child bundle, published only where it is better.

    python training/dpo.py --bundle bundle --data prepared --out aligned --config training/configs/align.yaml beta=0.5

What was chosen is held against what the bundle's own beam puts in its place, and against what users turned down
(--refused). Where the paired interval of the gain in NDCG@10 on validation is not above 0, or fewer hits are among the
first fifty, nothing is written. Reads top to bottom in `main`. Knows nothing of serving.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

from genrec.aligning import Aligner, Deciding, Verdict, save, separated
from genrec.bundle import Bundle, refuse_foreign
from genrec.cli.shared import child_arguments, quiet_models
from genrec.preparing import load
from genrec.progress import log_lines, watch
from genrec.recommender import Recommender
from genrec.settings import load_settings
from genrec.storage import write_json
from genrec.terminal import guarded
from genrec.tuning.align_settings import AlignSettings
from genrec.tuning.preferences import Choices
from genrec.tuning.splits import split_of

log = logging.getLogger("genrec.align")


def main() -> None:
    arguments = _arguments()
    log_lines()
    watch(arguments.quiet)
    quiet_models()
    settings = load_settings(AlignSettings, arguments.config, arguments.overrides)
    bundle = Bundle.open(arguments.bundle)
    run = arguments.run or arguments.out.with_name(arguments.out.name + "-run")
    refuse_foreign(arguments.out)
    started, cpu = time.monotonic(), time.process_time()

    # Choices of training, and who decides; the test is looked at by nobody here.
    parent, data = Recommender.open(bundle), load(arguments.data)
    split = split_of(separated(bundle, settings), data.interactions, parent.catalog.item_ids)
    refused = None if arguments.refused is None else load(arguments.refused).interactions
    choices = Choices.of(split.train, split.item_ids, settings.recent, refused)
    deciding = Deciding.of(split, settings)
    turned = int((choices.refused.lengths > 0).sum())
    log.info("%d choices, %d of them after something was turned down", len(choices), turned)

    # Rounds: candidates as the model is by then, one pass over them, a look at validation.
    aligner = Aligner(parent, settings, run)
    model, figures = aligner.aligned(choices, deciding.fit)
    log.info("learnt after %.0f s", time.monotonic() - started)

    # The priors that go with it, and the verdict.
    child = aligner.child(model, deciding.fit)
    verdict = Verdict.of(parent.fusion, child, deciding.judged, settings.lost)
    log.info("%s", verdict)
    version = bundle.version
    if verdict.better:
        version = save(arguments.out, parent, model, child, split, choices, verdict, settings).version
        log.info("published: %s, child of %s, in %s", version, bundle.version, arguments.out)
    else:
        log.info("not published: the gain is not sure, %s stays", bundle.version)
    report = {
        "published": verdict.better, "version": version, "parent": bundle.version, "method": settings.method,
        "choices": len(choices), "refused": turned, "rounds": figures, **verdict.figures(),
        "seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(time.process_time() - cpu, 1),
    }  # fmt: skip
    write_json(run / "align.json", report)


def _arguments() -> argparse.Namespace:
    parser = child_arguments(__doc__, "align.yaml")
    parser.add_argument("--refused", type=Path, help="prepared data of what users turned down")
    return parser.parse_args()


if __name__ == "__main__":
    with guarded():
        main()
