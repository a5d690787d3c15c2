"""Refresh: a bundle and newer interactions → a child bundle, published only where it is better.

    python training/refresh.py --bundle bundle --data prepared --config training/configs/refresh.yaml strategy=evolving

Data hold old and new interactions; new is what came after the bundle had learnt. Semantic IDs are kept, new items take
free ones. The newest of the new decide: where the paired interval of the gain in NDCG@10 is not above 0, what stands
in OUT stays. Reads top to bottom in `main`. Knows nothing of serving.
"""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

import numpy as np

from genrec.bundle import Bundle, refuse_foreign
from genrec.cli.shared import child_arguments, quiet_models
from genrec.evaluation.baselines.sasrec import fitting_dropout
from genrec.examples import last_item
from genrec.model.base import SCRATCH
from genrec.model.loading import weights
from genrec.preparing import load
from genrec.priors import text_vectors
from genrec.progress import log_lines, watch
from genrec.recommender import Recommender
from genrec.refreshing import Block, Child, beginning, grown, judged, save
from genrec.settings import load_settings
from genrec.storage import write_json
from genrec.terminal import guarded
from genrec.tuning.evolving import Refresher
from genrec.tuning.newcomers import settle
from genrec.tuning.resuming import forget
from genrec.tuning.settings import RefreshSettings

log = logging.getLogger("genrec.refresh")


def main() -> None:
    arguments = child_arguments(__doc__, "refresh.yaml", in_place=True).parse_args()
    log_lines()
    watch(arguments.quiet)
    quiet_models()
    settings = load_settings(RefreshSettings, arguments.config, arguments.overrides)
    bundle = Bundle.open(arguments.bundle)
    out = arguments.out or bundle.folder
    run = arguments.run or out.with_name(out.name + "-run")
    refuse_foreign(out)
    started, cpu = time.monotonic(), time.process_time()

    # What is new, and who decides.
    data = load(arguments.data)
    parent = grown(Recommender.open(bundle), data.catalog)
    catalog, asking = parent.catalog, parent.fusion.asking
    block = Block.of(data.interactions, catalog.item_ids, beginning(bundle, settings), settings)
    added = len(catalog) - len(bundle.catalog)
    log.info("%d new interactions, %d new items, %d cases decide", len(block.fresh), added, len(block.judged))

    # The weights, by the strategy; rows of new items begin as those of their likes.
    model, vocabulary = weights(bundle, trainable=True), asking.vocabulary
    vectors = text_vectors(parent.fusion.mix.priors)
    if vectors is not None:
        known = np.arange(len(catalog)) < len(bundle.catalog)
        settle(model, vocabulary, asking.index, known, vectors)  # type: ignore[arg-type]
    valid = last_item(block.fit.histories, block.fit.targets, asking.head, asking.semantic, asking.window)
    dropout = fitting_dropout(block.histories(), len(catalog))
    forget(run)
    refresher = Refresher(
        settings, vocabulary, asking.index, valid, run, bundle.manifest.base == SCRATCH, dropout  # type: ignore[arg-type]
    )  # fmt: skip
    learnt = refresher.refreshed(model, block.taught(asking, catalog, settings))
    log.info("%s: learnt after %.0f s", settings.strategy, time.monotonic() - started)

    # The priors that go with them, and the verdict.
    child = Child.of(parent, learnt, block, settings)
    verdict = judged(parent.fusion, child.fusion, block.judged)
    log.info("%s", verdict)
    version = bundle.version
    if verdict.better:
        if out.resolve() == bundle.folder.resolve():
            keep(bundle.folder)
        version = save(out, parent, child, block, verdict, settings).version
        log.info("published: %s takes the place of %s in %s", version, bundle.version, out)
    else:
        log.info("not published: the gain is not sure, %s stays", bundle.version)
    report = {
        "published": verdict.better, "version": version, "parent": bundle.version, "strategy": settings.strategy,
        "since": block.since, "events": len(block.fresh), "new_items": added, "cases": verdict.cases,
        "before": verdict.before, "after": verdict.after, "low": verdict.difference.low,
        "high": verdict.difference.high, "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }  # fmt: skip
    write_json(run / "refresh.json", report)


def keep(folder: Path) -> None:
    """The bundle that is about to be replaced stays beside it, for `genrec refresh --undo`."""
    kept = folder.with_name(folder.name + "-before")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept)


if __name__ == "__main__":
    with guarded():
        main()
