"""Search for settings on validation: a space of settings → many runs of sft.py, the best as a config.

    python training/search.py --data prepared --out search --config training/configs/scratch.yaml \
        --space training/spaces/scratch.yaml --trials 20 --seconds 3600

Stopped, it goes on where it was when it is called again. The test split is not looked at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from genrec.settings import load_settings
from genrec.terminal import guarded
from genrec.tuning.search import Search, Space, best_settings, line


def main() -> None:
    arguments = _arguments()
    space = load_settings(Space, arguments.space)
    program = Path(__file__).with_name("sft.py")
    command = [sys.executable, str(program), "--data", str(arguments.data), "--cache", str(arguments.out / "cache")]
    command += ["--config", str(arguments.config)] if arguments.config else []
    search = Search(arguments.out, space, tuple(command), tuple(arguments.overrides), arguments.seed)
    study = search.run(arguments.trials, arguments.seconds)
    (arguments.out / "best.yaml").write_text(yaml.safe_dump(best_settings(study), sort_keys=False), encoding="utf-8")
    print(f"best: {line(study.best_trial)}\nwritten: {arguments.out / 'best.yaml'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that genrec prepare wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the study, its trials and best.yaml")
    parser.add_argument("--space", type=Path, required=True, help="YAML: section.key: [choices], or {low, high, log}")
    parser.add_argument("--config", type=Path, help="YAML of settings that all trials share")
    parser.add_argument("--trials", type=int, default=20, help="trials in all, earlier calls' among them")
    parser.add_argument("--seconds", type=float, help="time for this call; the trial under way is then cut off")
    parser.add_argument("--seed", type=int, default=0, help="of the proposals")
    parser.add_argument("overrides", nargs="*", help="settings that all trials share, as section.key=value")
    return parser.parse_args()


if __name__ == "__main__":
    with guarded():
        main()
