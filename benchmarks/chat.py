"""Chat: how requests are read, whether rules are met, what a conversation gains, and how people's own words fare.

    python benchmarks/chat.py --bundle demo/bundle --data demo/data --parts parse rules user

Writes benchmarks/results/chat.json; a part that is measured anew takes the place of its earlier figures, the others
stay. The bundle is the demo's, with its chat stage; CPU, no download. Held-out: families of phrasings marked `test`,
which are not learnt from, and whose misread requests were not read; docs/log.md says what was known of them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._chat_conversations import TURNS, obeyed
from benchmarks._chat_transcript import write_down
from benchmarks._chat_user import seekers, told
from genrec.benchmarking import ROOT, Claim, claim, write_results
from genrec.bundle import Bundle
from genrec.chatting.phrasing import Phrasebook, phrasebook
from genrec.chatting.request import Language
from genrec.chatting.understanding import Grammar
from genrec.evaluation.bootstrap import mean_interval
from genrec.preparing import load
from genrec.priors.sequence import Sequential
from genrec.reader import Reader
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.tuning.readtest import Case, by_family, cases, exact, readings
from genrec.tuning.settings import SplitSettings
from genrec.tuning.splits import split_of

PARTS = ("parse", "rules", "user", "opendialkg", "opendialkg_slots", "iard", "transcript")
_SEED = 20_261


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    bundle = Bundle.open(arguments.bundle)
    reader = Reader.open(bundle)
    assert reader is not None, "this bundle has not learnt to read: genrec train-chat"
    books: dict[Language, Phrasebook] = {one: phrasebook(folder("prompts"), one) for one in ("en", "zh")}
    parts: dict[str, Callable[[], tuple[list[Claim], dict[str, Any]]]] = {
        "parse": lambda: parse(reader, books, arguments.requests),
        "rules": lambda: rules(bundle, reader, books, arguments.conversations, arguments.kept),
        "user": lambda: user(bundle, reader, arguments.data, arguments.users),
    }
    if {"opendialkg", "opendialkg_slots", "iard"} & set(arguments.parts):
        from benchmarks._chat_people import iard, opendialkg, opendialkg_slots

        parts |= {
            "opendialkg": lambda: opendialkg(reader, arguments.shared / "opendialkg", arguments.opendialkg),
            "iard": lambda: iard(reader, arguments.shared, books),
            "opendialkg_slots": lambda: opendialkg_slots(reader, arguments.shared / "opendialkg", books),
        }
    for part in arguments.parts:
        if part == "transcript":
            write_down(Recommender.open(bundle), ROOT / "docs" / "chat_transcript.md")
            continue
        claims, config = parts[part]()
        about = {"part": part, "bundle": bundle.version, "load": list(os.getloadavg())}
        write_results("chat", about | config, claims, keep=True)


def parse(reader: Reader, books: dict[Language, Phrasebook], count: int) -> tuple[list[Claim], dict[str, Any]]:
    """Exact match of whole requests, message to Request; the grammar beside it."""
    grammar, found, config = Grammar.of(reader.meaning.catalog), list[Claim](), dict[str, Any]()
    for use, name, target in (("train", "templated", 0.95), ("test", "heldout", 0.85)):
        right: dict[str, list[np.ndarray[Any, Any]]] = {"": [], ".grammar": []}
        for language in books:
            asked = cases(reader, books, language, count, _SEED, use=use)  # type: ignore[arg-type]
            for suffix, understand in (("", partial(readings, reader)), (".grammar", partial(_spoken, grammar))):
                hits = exact(understand, asked)
                right[suffix].append(hits)
                found.append(_share(f"chat.parse_{name}.{language}{suffix}", hits, None if suffix else target))
                if not suffix:
                    config[f"misread {name} {language}"] = {k: v for k, v in by_family(asked, hits).items() if v[0]}
        for suffix, every in right.items():
            found.append(_share(f"chat.parse_{name}{suffix}", np.concatenate(every), None if suffix else target))
    return found, config


def _spoken(grammar: Grammar, asked: Sequence[Case]) -> Any:
    return [grammar(one.utterance.text) for one in asked]


def rules(
    bundle: Bundle, reader: Reader, books: dict[Language, Phrasebook], count: int, kept: Path
) -> tuple[list[Claim], dict[str, Any]]:
    """Hard rules as understood (and shown), by an independent verifier; as meant, where a misreading counts too."""
    tally = obeyed(Recommender.open(bundle, width=10), reader, books, count, kept / bundle.version)
    strange = tally.unknown + tally.doubled + tally.unwanted
    said = f"{count} conversations of {TURNS} turns, {tally.slates} slates, {tally.items} items"
    claims = [
        claim("chat.rules_met", 1 - tally.broken / max(1, tally.rules), "share", ">=", 1, n=tally.rules,
              note=f"{said}; rules as understood and shown, by a verifier of its own"),
        claim("chat.rules_met.as_meant", 1 - tally.meant_broken / max(1, tally.meant), "share", ">=", None,
              n=tally.meant,
              note="the same slates against the rules that were meant: misread requests count"),
        claim("chat.foreign_items", strange, "items", "<=", 0, n=tally.items,
              note=f"out of catalog {tally.unknown}, doubled {tally.doubled}, rejected or seen {tally.unwanted}"),
        claim("chat.no_match_unhelped", tally.unhelped + tally.missed, "requests", "<=", 0, n=tally.infeasible,
              note="impossible requests: without a relaxation that works and is smallest, or not impossible at all"),
    ]  # fmt: skip
    return claims, {"conversations": count, "turns": tally.turns, "broken": tally.examples[:20]}


def user(bundle: Bundle, reader: Reader, data: Path, most: int) -> tuple[list[Claim], dict[str, Any]]:
    """A simulated user; the same engine with the first request only, page by page; a SASRec under the same rules."""
    recommender, prepared = Recommender.open(bundle), load(data)
    split = split_of(SplitSettings(**bundle.manifest.split_settings), prepared.interactions, prepared.catalog.item_ids)
    sasrec = next(prior for prior in recommender.fusion.mix.priors if isinstance(prior, Sequential))
    systems = {
        "conversation": (False, None), "first request": (True, None),
        "SASRec": (True, sasrec), "SASRec, conversation": (False, sasrec),
    }  # fmt: skip
    runs = {}
    for name, (silent, rank) in systems.items():
        people = seekers(bundle.catalog, split.test, reader.mentions.links, most)
        runs[name] = told(recommender, reader, people, silent=silent, rank=rank)
    hits = {name: (np.array(turns) > 0).astype(np.float64) for name, turns in runs.items()}
    soon = {name: np.array([1 / turn if turn else 0.0 for turn in turns]) for name, turns in runs.items()}
    once, ours = np.array([float(turn == 1) for turn in runs["first request"]]), hits["conversation"]
    over = mean_interval(hits["conversation"] - hits["SASRec"])
    sooner = mean_interval(soon["conversation"] - soon["SASRec, conversation"])
    said = "; ".join(f"{name} {one.mean():.3f}" for name, one in hits.items())
    claims = [
        claim("chat.hit10_gain", ours.mean() / max(1e-9, hits["first request"].mean()), "ratio", ">=", 1.2, n=len(ours),
              note=f"Hit@10 within {TURNS} turns, over the first request and its next pages: {said}"),
        claim("chat.hit10_gain.first_slate", ours.mean() / max(1e-9, once.mean()), "ratio", ">=", 1.2, n=len(ours),
              note=f"over the first slate alone, {once.mean():.3f}"),
        claim("chat.hit10_over_sasrec_low", over.low, "Hit@10", ">=", 0, n=len(ours), low=over.low, high=over.high,
              note=f"paired difference {over.mean:+.3f} to a SASRec under the first request's filter"),
        claim("chat.sooner_than_sasrec_low", sooner.low, "1/turn", ">=", 0, n=len(ours), low=sooner.low,
              high=sooner.high, note="1 over the turn of the hit, against a SASRec in the same conversation with "
              f"all its filters: {sooner.mean:+.3f}"),
    ]  # fmt: skip
    turns = {name: np.bincount(one, minlength=TURNS + 1).tolist() for name, one in runs.items()}
    return claims, {"users": len(ours), "hits by turn, 0 for never": turns}


def _share(name: str, hits: np.ndarray[Any, Any], target: float | None) -> Claim:
    one = mean_interval(hits)
    return claim(name, one.mean, "share", ">=", target, n=len(hits), low=one.low, high=one.high)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("demo/bundle"), help="the demo's, with its chat stage")
    parser.add_argument("--data", type=Path, default=Path("demo/data"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["parse", "rules", "user"])
    parser.add_argument("--requests", type=int, default=1000, help="of each language and kind (parse)")
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=Path("runs/chat"), help="parts of conversations that are done")
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--opendialkg", type=Path, default=Path("runs/chat/opendialkg"), help="keeps its bundle; trained where missing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
