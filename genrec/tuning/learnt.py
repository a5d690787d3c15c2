"""Only where something is learnt: a batch's hidden states in one row, so that the head reads no prompt and no padding.

transformers' `logits_to_keep` takes places of one row; flattened, a padded batch is one. Knows no task and no loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import EvalPrediction, PreTrainedModel

from genrec.examples import IGNORED

NDCG = "code_ndcg@10"
"""What `mean_gain` is called in logs, behind `eval_`."""


@dataclass(frozen=True)
class Padded:
    """Rows of token numbers → a batch, padded on the right: a causal model never looks there, so no mask is needed.

    logits_to_keep: the places before what is learnt, in reading order, for a model under `flattened`.
    virtual: learnt places that the model itself puts before every row.
    """

    pad_id: int
    virtual: int = 0

    def __call__(self, rows: Sequence[dict[str, list[int]]]) -> dict[str, Tensor]:
        labels = _padded(rows, "labels", IGNORED)
        before = torch.zeros_like(labels, dtype=torch.bool)
        before[:, :-1] = labels[:, 1:] != IGNORED
        before = nn.functional.pad(before, (self.virtual, 0))
        places = before.flatten().nonzero()[:, 0]
        return {"input_ids": _padded(rows, "input_ids", self.pad_id), "labels": labels, "logits_to_keep": places}


@contextmanager
def flattened(model: PreTrainedModel | PeftModel) -> Iterator[None]:
    """The body's states [rows, tokens, d] leave it as [1, rows · tokens, d]."""
    whole = model.get_base_model() if isinstance(model, PeftModel) else model
    body: nn.Module = whole.get_decoder()  # type: ignore[operator]
    hook = body.register_forward_hook(_one_row)
    try:
        yield
    finally:
        hook.remove()


def cross_entropy(outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
    """The plain loss over the learnt places of a batch under `flattened`, as transformers.Trainer calls it."""
    wanted = labels[:, 1:]
    truth = wanted[wanted != IGNORED]
    summed = nn.functional.cross_entropy(outputs.logits[0].float(), truth, reduction="sum")
    return summed / (len(truth) if num_items_in_batch is None else num_items_in_batch)


def gains(logits: Tensor, labels: Tensor) -> Tensor:
    """NDCG@10 of the true token at every learnt place of a batch under `flattened`, float32 [1, learnt].

    What a ranking needs of a model; its loss also asks how sure the model is, which rises with epochs whose ranking is
    better still. Of one-code semantic IDs it is the items' NDCG@10.
    """
    wanted = labels[:, 1:]
    truth = wanted[wanted != IGNORED]
    says = logits[0, : len(truth)]
    before = (says > says.gather(1, truth[:, None])).sum(1)
    return torch.where(before < 10, 1 / torch.log2(before + 2.0), 0.0)[None]


def mean_gain(found: EvalPrediction) -> dict[str, float]:
    """Their mean; what batches were padded with counts for nothing."""
    values = np.asarray(found.predictions)
    return {NDCG: float(values[values >= 0].mean())}


def _one_row(body: nn.Module, given: Any, output: Any) -> Any:
    output.last_hidden_state = output.last_hidden_state.flatten(0, 1)[None]
    return output


def _padded(rows: Sequence[dict[str, list[int]]], column: str, fill: int) -> Tensor:
    tensors = [torch.tensor(row[column]) for row in rows]
    return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=fill)
