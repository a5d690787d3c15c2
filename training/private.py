"""An adapter that hides whom it learnt from: a bundle and people's histories → the bundle with a LoRA by DP-SGD.

    python training/private.py --bundle bundle --data prepared --out private epsilon=4

Differential privacy for users: every user is one row of a step and is clipped as one. All else stays the bundle's, so
that must not have been made of the same people. No validation chooses anything, for it would have to be paid for. Reads
top to bottom in `main`. Knows nothing of serving.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

from genrec.bundle import Bundle, refuse_foreign
from genrec.cli.shared import quiet_models
from genrec.errors import ConfigError
from genrec.model.exporting import write_adapted
from genrec.preparing import load
from genrec.progress import log_lines
from genrec.settings import load_settings
from genrec.terminal import guarded
from genrec.tuning.card import privacy_card
from genrec.tuning.private import UserRows, fresh_adapter, learn
from genrec.tuning.settings import PrivateSettings

log = logging.getLogger("genrec.private")


def main() -> None:
    arguments = _arguments()
    log_lines()
    quiet_models()
    settings = load_settings(PrivateSettings, arguments.config, arguments.overrides)
    refuse_foreign(arguments.out)
    started = time.monotonic()

    # Whose histories, and the adapter. Its first weights hang on the seed; the noise cannot be repeated.
    bundle, data = Bundle.open(arguments.bundle), load(arguments.data)
    refuse_twice(bundle)
    rows = UserRows.learnt(bundle, data)
    model = fresh_adapter(bundle, settings)
    privacy = learn(model, rows, settings)
    log.info("%d users learnt after %.0f s: %s", len(rows), time.monotonic() - started, privacy or "nobody is hidden")

    # The bundle, with nothing else of theirs in it.
    more = privacy_card(privacy) if privacy else ""
    made = write_adapted(bundle, arguments.out, model, more, privacy=privacy)
    log.info("wrote %s", made.folder)


def refuse_twice(bundle: Bundle) -> None:
    if bundle.manifest.privacy is not None:
        raise ConfigError(
            "the bundle has learnt privately before", value=f"epsilon {bundle.manifest.privacy.epsilon:.2f}",
            allowed="a bundle that has not", remedy="start from the one before: what two runs cost is not added up",
        )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle to adapt, made of other people's data")
    parser.add_argument("--data", type=Path, required=True, help="prepared data of the people to hide")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new bundle")
    parser.add_argument("--config", type=Path, help="YAML of settings")
    parser.add_argument("overrides", nargs="*", help="settings that override the file, as section.key=value")
    return parser.parse_args()


if __name__ == "__main__":
    with guarded():
        main()
