"""Several models on one copy of the weights that they have in common. Knows no kinds of adapters: what is equal, bit by
bit, is held once, whatever lies round it.

Adapters of one base differ in what they learnt and in the rows of the code tokens, which some kinds keep in the base
that is saved beside them: a table that differs in few rows is held as those rows over the common one. So every model
says what it would say alone.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any
from weakref import WeakValueDictionary

import torch
from peft import PeftModel
from peft.utils import TrainableTokensWrapper
from torch import Tensor, nn
from torch.nn import functional

_MOST_OWN = 0.5  # of a table's rows, above which it is held whole


class OwnRows(nn.Module):
    """An embedding or a head over a table in which some rows are its own. rows: their numbers, int64 [n]; own: what
    stands there, float [n, d]."""

    rows: Tensor
    places: Tensor

    def __init__(self, table: nn.Embedding | nn.Linear, rows: Tensor, own: Tensor) -> None:
        super().__init__()
        self.table, self.own = table, nn.Parameter(own, requires_grad=False)
        places = torch.full((len(table.weight),), -1, dtype=torch.int32, device=own.device)
        places[rows] = torch.arange(len(rows), dtype=torch.int32, device=own.device)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("places", places, persistent=False)

    @property
    def weight(self) -> Tensor:
        """The whole table, made anew."""
        return self.table.weight.index_copy(0, self.rows, self.own)

    def forward(self, given: Tensor) -> Tensor:
        """Token numbers, int64 [...] → float [..., d]; or hidden states, float [..., d] → logits, float [..., rows]."""
        found: Tensor = self.table(given)
        if isinstance(self.table, nn.Linear):
            found[..., self.rows] = functional.linear(given, self.own)
            return found
        places = self.places[given]
        return torch.where((places < 0)[..., None], found, functional.embedding(places.clamp(min=0), self.own))


class Common:
    """What the models that joined hold; a weight goes with the last model that uses it."""

    def __init__(self) -> None:
        self._held: WeakValueDictionary[bytes, nn.Parameter] = WeakValueDictionary()
        self._lock = threading.Lock()

    def join(self, model: nn.Module) -> None:
        """The model, changed in place, uses what an earlier one holds wherever it is equal, and only answers from now
        on: nothing of it is to be trained."""
        with self._lock, torch.no_grad():
            _open_rows(model)
            rows = int(getattr(getattr(model, "config", None), "vocab_size", 0))
            for name, module in list(model.named_modules()):
                for part, weight in list(module._parameters.items()):
                    if weight is not None:
                        self._hold(model, name, part, weight, rows)

    def _hold(self, model: nn.Module, name: str, part: str, weight: nn.Parameter, rows: int) -> None:
        module: Any = model.get_submodule(name)
        said = _said(weight)
        if (held := self._held.get(said)) is not None:
            module._parameters[part] = held
        elif _is_table(module, part, rows) and (near := self._near(weight)) is not None:
            self._lay(model, name, module, near)
        else:
            weight.requires_grad_(False)
            self._held[said] = weight

    def _lay(self, model: nn.Module, name: str, table: Any, near: nn.Parameter) -> None:
        """The table is what is held, but for its own rows; those that lay over it already are among them."""
        above = model.get_submodule(name.rpartition(".")[0])
        whole = above.weight if isinstance(above, OwnRows) else table.weight
        name = name.rpartition(".")[0] if isinstance(above, OwnRows) else name
        differing = (near != whole).any(dim=1).nonzero()[:, 0]
        own = whole[differing].clone()
        table.weight = near
        if not len(differing):  # what lay over it made it equal
            model.set_submodule(name, table)
            return
        laid = OwnRows(table, differing, own)
        laid.own = self._held.setdefault(_said(laid.own), laid.own)
        model.set_submodule(name, laid)

    def _near(self, weight: nn.Parameter) -> nn.Parameter | None:
        """A table that is held and differs in few rows."""
        for held in list(self._held.values()):
            alike = held.shape == weight.shape and held.dtype == weight.dtype and held.device == weight.device
            if alike and float((held != weight).any(dim=1).float().mean()) <= _MOST_OWN:
                return held
        return None


def bytes_of(*models: nn.Module) -> int:
    """What the weights of these models take together; one that several use counts once."""
    weights = {id(weight): weight for model in models for weight in model.parameters()}
    return sum(weight.nbytes for weight in weights.values())


def _is_table(module: Any, part: str, rows: int) -> bool:
    """Plain ones only: a subclass may do more with its rows."""
    plain = type(module) is nn.Embedding or (type(module) is nn.Linear and module.bias is None)
    return plain and part == "weight" and len(module.weight) == rows


def _said(weight: nn.Parameter) -> bytes:
    """A hash of shape, kind and numbers; of 4-bit weights with what they are scaled by."""
    found = hashlib.blake2b(f"{type(weight).__name__} {tuple(weight.shape)} {weight.dtype} {weight.device}".encode())
    state = getattr(weight, "quant_state", None)
    parts = {} if state is None else state.as_dict(packed=True)
    for _, part in sorted({"": weight, **parts}.items()):
        found.update(part.detach().contiguous().flatten().view(torch.uint8).cpu().numpy())
    return found.digest()


def _open_rows(model: nn.Module) -> None:
    """peft's rows of code tokens as ours: peft's own copies the whole table for every step."""
    if not isinstance(model, PeftModel):
        return
    for name, module in list(model.named_modules()):
        if isinstance(module, TrainableTokensWrapper):
            layer: Any = module.token_adapter
            table, active = layer.base_layer, module.active_adapters
            if len(active) == 1 and type(table) in (nn.Embedding, nn.Linear):
                own = layer.trainable_tokens_delta[active[0]]
                rows = torch.as_tensor(layer.token_indices[active[0]], device=own.device)
                model.set_submodule(name, OwnRows(table, rows, own.to(table.weight).data))
