"""Teaches a finished bundle to read requests; how it ranks stays as it is, bit by bit.

    python training/chat.py --bundle demo/bundle optimiser.max_seconds=120

Requests with their meaning are drawn from the bundle's own catalog and the phrasings of prompts/<language>/chat. Reads
top to bottom in `main`. Knows nothing of serving.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

from genrec.bundle import Bundle
from genrec.chatting.phrasing import phrasebook
from genrec.model.reading import save_reading
from genrec.progress import log_lines, watch
from genrec.reader import Reader
from genrec.resources import folder
from genrec.settings import load_settings
from genrec.terminal import guarded
from genrec.tuning.reading import ReadingSettings, lessons, reading_examples, reading_model, reading_vocabulary, teach
from genrec.tuning.readtest import measured

log = logging.getLogger("genrec.chat")


def main() -> None:
    arguments = _arguments()
    log_lines()
    watch(arguments.quiet)
    settings = load_settings(ReadingSettings, arguments.config, arguments.overrides)
    bundle, started = Bundle.open(arguments.bundle), time.monotonic()
    phrasings = arguments.phrasings or folder("prompts")
    books = {language: phrasebook(phrasings, language) for language in settings.languages}

    # Requests about this catalog, with the mentions that a reader would find and what is meant of them.
    taught = lessons(bundle.catalog, books, settings, settings.examples, settings.optimiser.seed)
    linked = sum(one.reading is not None for one in taught)
    log.info("%d requests, %d of them linked whole, after %.0f s", len(taught), linked, time.monotonic() - started)

    # A voice of its own, of the ranker's shape, under the words of requests.
    vocabulary = reading_vocabulary(bundle, settings, taught)
    examples = reading_examples(vocabulary, books[settings.languages[0]], taught)
    model = reading_model(bundle, settings, vocabulary)
    log.info("%d words, %d tokens in %d examples", len(vocabulary), len(examples.inputs.items), len(examples))
    out = arguments.out or arguments.bundle
    steps = teach(model, examples, settings, out.with_name(f"{out.name}-chat-run"))
    log.info("%d steps, after %.0f s", steps, time.monotonic() - started)

    # The bundle with the voice beside its weights; how well it reads is measured through what serving will load.
    def fill(place: Path) -> None:
        save_reading(place, model, vocabulary, phrasings, settings.languages)

    done = bundle.extended(out, fill, chat=settings.adapter)
    reader = Reader.open(done)
    assert reader is not None
    metrics = measured(reader, books, settings, arguments.tested)
    Bundle.open(out).extended(out, lambda place: None, metrics={**bundle.manifest.metrics, **metrics})
    for name, value in metrics.items():
        log.info("%s: %.3f (%.3f to %.3f)", name, value["value"], value["low"], value["high"])
    log.info("wrote %s after %.0f s", out, time.monotonic() - started)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="a finished bundle")
    parser.add_argument("--out", type=Path, help="folder to write to; default: the bundle's own")
    parser.add_argument("--config", type=Path, help="YAML of settings; see training/configs/chat.yaml")
    parser.add_argument("--phrasings", type=Path, help="folder with <language>/chat/families.yaml; default: prompts/")
    parser.add_argument("--tested", type=int, default=300, help="requests of each kind for the manifest's figures")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("overrides", nargs="*", help="settings that override the file, as section.key=value")
    return parser.parse_args()


if __name__ == "__main__":
    with guarded():
        main()
