"""Federated averaging of a LoRA on one machine: a server and a client process for every data folder → a bundle.

    make federated                                    # flower, in an environment of its own
    python training/federated.py --bundle bundle --data here --data there --out averaged --rounds 5 epochs=3

Across machines the parts run by themselves: `training/flower_node.py serve` on one, `join` on every other, and then
`training/federated.py --bundle bundle --averaged FILE --out averaged`. Knows nothing of serving.
"""

from __future__ import annotations

import argparse
import logging
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file

from genrec.bundle import Bundle, refuse_foreign
from genrec.cli.shared import quiet_models
from genrec.errors import ConfigError
from genrec.model.exporting import write_adapted
from genrec.progress import log_lines
from genrec.settings import load_settings
from genrec.terminal import ProgramError, guarded
from genrec.tuning.private import fresh_adapter
from genrec.tuning.settings import PrivateSettings

HERE = Path(__file__).resolve().parent
FLOWER = HERE.parent / ".venv-federated" / "bin" / "python"
log = logging.getLogger("genrec.federated")


def main() -> None:
    arguments = _arguments()
    log_lines()
    quiet_models()
    refuse_foreign(arguments.out)
    settings = load_settings(PrivateSettings, None, [*arguments.overrides, "epsilon=null"])
    with tempfile.TemporaryDirectory(prefix="genrec-federated-") as scrap:
        averaged = arguments.averaged or Path(scrap) / "averaged.safetensors"
        if arguments.averaged is None:
            average(arguments, averaged)
        bundle = Bundle.open(arguments.bundle)
        model = fresh_adapter(bundle, settings)
        names = sorted(get_peft_model_state_dict(model))
        arrays = load_file(averaged)
        set_peft_model_state_dict(model, {name: arrays[key] for name, key in zip(names, sorted(arrays), strict=True)})
    made = write_adapted(bundle, arguments.out, model, privacy=None)
    log.info("wrote %s", made.folder)


def average(arguments: argparse.Namespace, out: Path) -> None:
    """A server and its clients, each a process, on this machine."""
    if not arguments.flower.is_file():
        raise ConfigError(
            "flower has no environment here", value=str(arguments.flower), allowed="a Python that imports flwr",
            remedy="make federated, or name one by --flower",
        )  # fmt: skip
    address = f"127.0.0.1:{_free_port()}"
    node = [str(arguments.flower), str(HERE / "flower_node.py")]
    worker = [sys.executable, str(HERE / "federated_worker.py"), "--bundle", str(arguments.bundle)]
    words = ["--rounds", str(arguments.rounds), "--clients", str(len(arguments.data)), "--out", str(out)]
    running = [subprocess.Popen([*node, "serve", "--address", address, *words])]
    for data in arguments.data:
        theirs = [*worker, "--data", str(data), *arguments.overrides]
        running.append(subprocess.Popen([*node, "join", "--address", address, "--", *theirs]))
    _wait(running)


def _wait(running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ends them all where one fails."""
    try:
        failed = [one for one in reversed(running) if one.wait()]  # clients first: they fail where there is a cause
    finally:
        for one in running:
            one.terminate()
    if failed:
        raise ProgramError(
            "a node ended before its time", value=f"exit status {failed[0].returncode}", remedy="read what it said"
        )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle to adapt")
    parser.add_argument("--data", type=Path, action="append", default=[], help="prepared data of a place; repeat")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new bundle")
    parser.add_argument("--rounds", type=int, default=5, help="averages to be made")
    parser.add_argument("--averaged", type=Path, help="what a server elsewhere wrote: make the bundle of it")
    parser.add_argument("--flower", type=Path, default=FLOWER, help="Python of flower's environment")
    parser.add_argument("overrides", nargs="*", help="settings, as key=value; epochs are those of a round")
    return parser.parse_args()


if __name__ == "__main__":
    with guarded():
        main()
