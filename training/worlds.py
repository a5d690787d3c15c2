"""Two small made-up worlds as tables, for recipes whose domain has no open data at hand: news and courses.

    python training/worlds.py news world
    genrec prepare world/log.csv prepared --catalog world/items.csv

Everything is drawn with a seed and simulated: figures on them say how a recipe works, nothing about people.
Knows no model.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

START = datetime(2024, 3, 1, tzinfo=UTC)
TOPICS = {
    "politics": "election budget parliament minister vote coalition reform treaty",
    "science": "telescope vaccine fossil climate genome reactor comet glacier",
    "sport": "final transfer marathon coach record penalty league medal",
    "economy": "inflation merger harvest wages port tariff startup bond",
    "culture": "museum novel festival premiere orchestra portrait archive theatre",
    "technology": "chip battery robot satellite browser privacy sensor cable",
}
SUBJECTS = (
    "Statistics", "Programming", "Databases", "Law", "Accounting", "Biology", "Chemistry", "History", "Design",
    "Spanish",
)  # fmt: skip
LEVELS = ("Foundations", "Practice", "Methods", "Project", "Advanced Topics", "Seminar")
Row = Sequence[str | int]


def news(out: Path, seed: int = 0, articles: int = 1200, readers: int = 900, days: int = 30) -> None:
    """Articles that live for a day or two: what is read next was mostly published after a model had learnt."""
    rng = np.random.default_rng(seed)
    names = list(TOPICS)
    topic = rng.integers(len(names), size=articles)
    words = [rng.choice(TOPICS[names[one]].split(), 3, replace=False).tolist() for one in topic]
    published = np.sort(rng.uniform(0, 24 * days, articles))  # hours
    quality = rng.normal(0, 0.7, articles)
    table = [
        (f"n{item}", f"{a.title()} and {b}: the {c}", names[topic[item]], f"{a}|{b}|{c}", _time(published[item])[:10])
        for item, (a, b, c) in enumerate(words)
    ]
    _write(out / "items.csv", ("item_id", "title", "topic", "keywords", "published"), table)
    known = {word: place for place, word in enumerate(sorted({word for three in words for word in three}))}
    about = np.zeros((articles, len(known)))
    for item, three in enumerate(words):
        about[item, [known[word] for word in three]] = 1
    log = [row for reader in range(readers) for row in _read(reader, topic, about, published, quality, days, rng)]
    _write(out / "log.csv", ("user_id", "item_id", "timestamp"), log)


def _read(
    reader: int, topic: np.ndarray, about: np.ndarray, published: np.ndarray, quality: np.ndarray, days: int,
    rng: np.random.Generator,
) -> Iterator[Row]:  # fmt: skip
    """A reader has two topics and a few words that draw them; of what is at most two days old they read what fits."""
    liked = rng.choice(len(TOPICS), 2, replace=False)
    drawn = rng.gamma(0.3, 2.0, about.shape[1])
    fit = 2.0 * np.isin(topic, liked) + about @ drawn + quality
    unread = np.ones(len(topic), dtype=bool)
    for hour in np.sort(rng.uniform(24, 24 * days, rng.poisson(14) + 4)):
        age = hour - published
        open_now = np.flatnonzero((age > 0) & (age < 48) & unread)
        if len(open_now):
            scores = fit[open_now] - age[open_now] / 18
            chance = np.exp(scores - scores.max())
            item = int(rng.choice(open_now, p=chance / chance.sum()))
            unread[item] = False
            yield f"r{reader}", f"n{item}", _time(hour)


def courses(out: Path, seed: int = 0, students: int = 1500) -> None:
    """Courses that build on each other: a student goes on in a subject, begins another, or ends."""
    rng = np.random.default_rng(seed)
    names = [(subject, level) for subject in SUBJECTS for level in range(len(LEVELS))]
    table = [
        (
            f"k{item}",
            f"{subject}: {LEVELS[level]}",
            subject,
            level + 1,
            f"{subject}: {LEVELS[level - 1]}" if level else "",
        )
        for item, (subject, level) in enumerate(names)
    ]
    _write(out / "items.csv", ("item_id", "title", "subject", "level", "builds_on"), table)
    akin = rng.gamma(0.5, 1.0, (len(SUBJECTS), len(SUBJECTS)))  # which subjects are taken together
    log = [row for student in range(students) for row in _study(student, akin, rng)]
    _write(out / "log.csv", ("user_id", "item_id", "timestamp"), log)


def _study(student: int, akin: np.ndarray, rng: np.random.Generator) -> Iterator[Row]:
    levels = np.zeros(len(SUBJECTS), dtype=int)
    subject, hour = int(rng.integers(len(SUBJECTS))), float(rng.uniform(0, 24 * 500))
    for _ in range(int(rng.integers(3, 13))):
        if rng.random() < 0.35 or levels[subject] == len(LEVELS):
            weights = akin[subject] * (levels < len(LEVELS)) + 1e-9
            subject = int(rng.choice(len(SUBJECTS), p=weights / weights.sum()))
        if levels[subject] < len(LEVELS):
            yield f"s{student}", f"k{subject * len(LEVELS) + levels[subject]}", _time(hour)
            levels[subject] += 1
        hour += float(rng.uniform(24 * 7, 24 * 40))


def _time(hour: float) -> str:
    return (START + timedelta(hours=float(hour))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(path: Path, header: Sequence[str], rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", choices=("news", "courses"), help="which world")
    parser.add_argument("out", type=Path, help="folder for log.csv and items.csv")
    parser.add_argument("--seed", type=int, default=0, help="another number: another world of the same kind")
    arguments = parser.parse_args()
    make = news if arguments.world == "news" else courses
    make(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
