"""The training of one place in federated averaging, asked by lines on standard input (training/flower_node.py).

    begin⇥OUT        writes the adapter's first weights, the same everywhere; answers with the number of users
    learn⇥IN⇥OUT     goes on from the adapter in IN over this place's people, writes OUT; answers alike

People's data stay here: nothing but an adapter leaves, and how many users it learnt from. Knows nothing of flower.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from genrec.bundle import Bundle
from genrec.cli.shared import quiet_models
from genrec.preparing import load
from genrec.progress import log_lines
from genrec.settings import load_settings
from genrec.terminal import guarded
from genrec.tuning.private import UserRows, fresh_adapter, learn
from genrec.tuning.settings import PrivateSettings

log = logging.getLogger("genrec.federated")


def main() -> None:
    arguments = _arguments()
    log_lines()
    quiet_models()
    settings = load_settings(PrivateSettings, None, [*arguments.overrides, "epsilon=null"])
    bundle = Bundle.open(arguments.bundle)
    rows, model = UserRows.learnt(bundle, load(arguments.data)), fresh_adapter(bundle, settings)
    for round_, line in enumerate(sys.stdin):
        what, *files = line.rstrip("\n").split("\t")
        if what == "learn":
            set_peft_model_state_dict(model, load_file(files[0]))
            learn(model, rows, settings.model_copy(update={"seed": settings.seed + round_}))
            log.info("round %d: learnt from %d users", round_, len(rows))
        save_file(adapter_of(model), files[-1])
        print(len(rows), flush=True)


def adapter_of(model: PeftModel) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = get_peft_model_state_dict(model)
    return {name: weight.contiguous() for name, weight in found.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle to adapt, the same in every place")
    parser.add_argument("--data", type=Path, required=True, help="prepared data of this place")
    parser.add_argument("overrides", nargs="*", help="settings, as key=value; epochs are those of a round")
    return parser.parse_args()


if __name__ == "__main__":
    with guarded():
        main()
