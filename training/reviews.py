"""Reviews (columns user, item, text) → a bundle that recommends the items and explains them in the reviews' words.

    python training/reviews.py --reviews reviews.csv --out bundle --config training/configs/reviews.yaml

Optional columns: title (the item's name), user_text and item_text (what user and item are known for beside the texts of
the file). A fifth of the users is held out. Reads top to bottom in `main`; what it trains is training/sft.py's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from genrec.explaining.reviews import Reviews
from genrec.preparing import save
from genrec.programs import run_training
from genrec.terminal import guarded


def main() -> None:
    arguments, settings = _arguments()
    reviews = Reviews.read(arguments.reviews)
    data = arguments.data or arguments.out.with_name(arguments.out.name + "-data")
    save(reviews.dataset(), data)
    print(f"{len(reviews):,} reviews, {int(reviews.held_out.sum()):,} of them of held-out users")
    places = ["--data", str(data), "--out", str(arguments.out), "--reviews", str(arguments.reviews)]
    config = ["--config", str(arguments.config)] if arguments.config else []
    run_training("sft.py", [*places, *config, *settings])


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=Path, required=True, help="CSV file with the columns user, item, text")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle to write")
    parser.add_argument("--data", type=Path, help="folder for the prepared interactions; default: OUT-data")
    parser.add_argument("--config", type=Path, help="YAML of settings; see training/configs/reviews.yaml")
    return parser.parse_known_args()


if __name__ == "__main__":
    with guarded():
        main()
