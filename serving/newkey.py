"""`python -m serving.newkey NAME --scope recommend`: makes an API key; `genrec key` starts it. Knows no server."""

from __future__ import annotations

import argparse
from pathlib import Path

from genrec.terminal import guarded
from serving.keys import add, new


def main() -> None:
    parser = argparse.ArgumentParser(prog="genrec key")
    parser.add_argument("name")
    parser.add_argument("--scope", action="append", required=True)
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--rate", type=float)
    found = parser.parse_args()
    with guarded():
        secret, key = new(found.name, found.scope, found.rate)
        add(found.keys, key)
        print(secret)


if __name__ == "__main__":
    main()
