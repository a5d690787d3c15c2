"""From an unknown pair of CSV files to recommendations over HTTP, by the three commands of the README, timed.

    python benchmarks/own_data.py

Writes benchmarks/results/own_data.json. The files are Amazon's games (../shared/data/amazon-games) under other names of
the columns, `date,customer,sku` and `sku,name,shelf`; the set has an order of choices and no dates, so a day stands for
a place in it, and no shelf, so the first word of a title with a console in it stands for one.
"""

from __future__ import annotations

import argparse
import csv
import html
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from genrec.benchmarking import claim, write_results  # noqa: E402
from tests.helpers.server import Server  # noqa: E402

SOURCE = ROOT / ".." / "shared" / "data" / "amazon-games"
LIMIT_MINUTES = 15
CONSOLES = ("PlayStation 4", "PlayStation 3", "PlayStation 2", "Xbox One", "Xbox 360", "Nintendo DS", "Wii U", "Wii")
MAP = ("--map", "user_id=customer", "--map", "item_id=sku", "--map", "timestamp=date", "--map", "title=name")


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rows = write_pair(folder)
        seconds = {"prepare": run(folder, "prepare", "log.csv", "prepared", "--catalog", "products.csv", *MAP)}
        words = ("train", "--data", "prepared", "--out", "bundle", "--minutes", f"{arguments.minutes:g}", "--quiet")
        seconds["train"] = run(folder, *words, *arguments.overrides)
        seconds["serve"] = first_answer(folder)
    minutes = sum(seconds.values()) / 60
    config = {"rows": rows, "seconds": seconds, "minutes": arguments.minutes, "overrides": arguments.overrides}
    said = "prepare, train, and serve until the first slate of a customer of the log; wall clock"
    write_results("own_data", config, [claim("own_data.minutes", minutes, "min", "<=", LIMIT_MINUTES, note=said)])


def write_pair(folder: Path) -> dict[str, int]:
    """log.csv and products.csv; how many rows each has."""
    choices = [line.split("\t") for line in _lines("Games-6k.test.inter")]
    with (folder / "log.csv").open("w", encoding="utf-8", newline="") as file:
        log = csv.writer(file)
        log.writerow(["date", "customer", "sku"])
        events = sorted(
            (place, customer, item)
            for customer, history, last in choices
            for place, item in enumerate([*history.split(" "), last])
        )
        for place, customer, item in events:
            log.writerow([date(2014, 1, 1) + timedelta(days=place), f"c{customer}", f"sku-{item}"])
    titles = [line.split("\t", 1) for line in _lines("Games-6k.item")]
    with (folder / "products.csv").open("w", encoding="utf-8", newline="") as file:
        products = csv.writer(file)
        products.writerow(["sku", "name", "shelf"])
        for item, title in titles:
            name = html.unescape(title).strip()
            products.writerow([f"sku-{item}", name, shelf(name)])
    return {"log": len(events), "products": len(titles)}


def shelf(name: str) -> str:
    """The console that a title names."""
    plain = re.sub(r"[\s-]+", " ", name).casefold()
    return next((console for console in CONSOLES if console.casefold() in plain), "other")


def run(folder: Path, *words: str) -> float:
    """Seconds that a command took."""
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "genrec.cli", *words], check=True, cwd=folder, env=environment)
    return round(time.monotonic() - started, 1)


def first_answer(folder: Path) -> float:
    """Seconds until a customer of the log has an answer of the language model with reasons."""
    started = time.monotonic()
    settings = (f"data={folder / 'prepared'}", "drain_s=0")
    with Server(folder / "bundle", f"sqlite:///{folder}/events.db", settings, patience=600) as server:
        with server.http() as http:
            slate = http.post("/v1/recommendations", json={"user_id": "c0", "k": 5}).json()
        seconds = time.monotonic() - started
        assert not slate["degraded"], slate
        for item in slate["items"]:
            print(item["rank"], item["title"], "|", item["explanation"])
    return round(seconds, 1)


def _lines(name: str) -> Sequence[str]:
    return (SOURCE / name).read_text(encoding="utf-8").splitlines()[1:]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="what `genrec train` is told to aim at")
    parser.add_argument("--out", type=Path, help="folder that keeps files, data and bundle; default: none is kept")
    parser.add_argument("overrides", nargs="*", help="settings of training as section.key=value")
    return parser.parse_args()


if __name__ == "__main__":
    main()
