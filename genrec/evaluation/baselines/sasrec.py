"""SASRec trained with cross-entropy over the whole catalog: the baseline that every table holds.

Self-attentive sequential recommendation (Kang, McAuley 2018) with the loss that makes it strong (Klenitskiy, Vasilev
2023, "Turning dross into gold loss"). Does not know text, semantic IDs or test cases.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from genrec.errors import DataError
from genrec.evaluation.baselines.full_softmax import full_softmax_loss
from genrec.evaluation.baselines.sampled_softmax import sampled_softmax_loss
from genrec.evaluation.baselines.sasrec_network import SasrecConfig, SasrecNetwork
from genrec.evaluation.baselines.tuning import validation_ndcg
from genrec.evaluation.ranker import Float32
from genrec.interactions import Histories
from genrec.machine import best_device
from genrec.ragged import Int32, Ragged
from genrec.splitting import Cases

__all__ = ["Epoch", "Sasrec", "SasrecConfig", "fitting_drawn", "fitting_dropout", "fitting_length", "training_windows"]

_SCORED = 256  # histories encoded at once


@dataclass(frozen=True)
class Epoch:
    """What one pass did. seconds: since the start of training, validation included."""

    number: int
    loss: float
    valid_ndcg: float
    seconds: float


@dataclass(frozen=True)
class Sasrec:
    """A trained SASRec. Scores are log-probabilities over the catalog; an empty history gets a flat, untrained guess.

    curve: one entry per epoch, for the record.
    """

    config: SasrecConfig
    network: SasrecNetwork
    curve: tuple[Epoch, ...] = ()
    name: str = "SASRec"

    @classmethod
    def fit(
        cls,
        train: Histories,
        valid: Cases,
        n_items: int,
        config: SasrecConfig | None = None,
        *,
        device: str | None = None,
        report: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Sasrec:
        """Trains until validation NDCG@10 stops rising and keeps the best epoch.

        device: where it trains and stays; None: the GPU where there is one. report: called after every epoch.
        Raises DataError when no history has two events.
        """
        config = config or SasrecConfig()
        place = torch.device(device or best_device())
        with torch.random.fork_rng(devices=_dice(place)), _threads(config.threads):
            torch.manual_seed(config.seed)
            network = SasrecNetwork(n_items, config).to(place)
            return _train(training_windows(train.items, config.length), valid, network, config, report)

    @property
    def n_items(self) -> int:
        return len(self.network.items)

    @property
    def item_vectors(self) -> Float32:
        """The tied item embeddings, float32 [n_items, d]."""
        vectors: Float32 = self.vectors.cpu().numpy()
        return vectors

    def user_vectors(self, histories: Ragged) -> Float32:
        """The state after the last event, float32 [cases, d]; its dot product with an item vector is the logit."""
        return self._states(histories).cpu().numpy()

    def scores(self, histories: Ragged) -> Float32:
        """log p(next item | history), float32 [cases, n_items]."""
        with torch.inference_mode():
            logits = self._states(histories) @ self.network.items.T
            return torch.log_softmax(logits, dim=1).cpu().numpy()

    @property
    def vectors(self) -> Tensor:
        """The tied item embeddings, float32 [n_items, d]."""
        return self.network.items.detach()

    @property
    def device(self) -> torch.device:
        return self.network.items.device

    def to(self, device: str | torch.device) -> Sasrec:
        """Itself, its network moved there."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def states(self, windows: Tensor) -> Tensor:
        """Of what follows every real place of left-padded windows, float32 [real places, d]."""
        return self.network(windows)[windows >= 0]  # type: ignore[no-any-return]

    def save(self, path: Path) -> None:
        """One safetensors file with the settings in its header."""
        save_file(self.network.state_dict(), path, metadata={"sasrec": self.config.model_dump_json()})

    @classmethod
    def load(cls, path: Path) -> Sasrec:
        """Raises DataError for a safetensors file that holds something else."""
        with safe_open(path, framework="pt") as file:
            settings = (file.metadata() or {}).get("sasrec")
            if settings is None:
                raise DataError("not a SASRec file", where=str(path), remedy="pass a file that Sasrec.save wrote")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        network = SasrecNetwork(len(tensors["items"]), config := SasrecConfig(**json.loads(settings)))
        network.load_state_dict(tensors)
        return cls(config, network.eval())

    @torch.inference_mode()
    def _states(self, histories: Ragged) -> Tensor:
        """float32 [cases, d]. Histories of like length are encoded together, so that little padding is computed."""
        lengths = np.clip(histories.lengths, 1, self.config.length)
        order = np.argsort(lengths, kind="stable")
        out = torch.empty(len(histories), self.config.width, device=self.device)
        for rows in np.split(order, range(_SCORED, len(order), _SCORED)):
            window = histories.take(rows).padded(int(lengths[rows].max(initial=1)))
            out[rows] = self.network(torch.from_numpy(window).long().to(self.device))[:, -1]
        return out


def fitting_dropout(train: Histories, n_items: int) -> float:
    """Dense data wants less of it: half below 20 events an item, a fifth above."""
    return 0.5 if len(train.items.items) < 20 * n_items else 0.2


def fitting_drawn(n_items: int) -> int | None:
    """The whole catalog where it is small enough for a CPU, 2,048 items a step for larger ones."""
    return None if n_items <= 16384 else 2048


def fitting_length(train: Histories) -> int:
    """As many events as 95 of 100 histories have, 10 to 50."""
    return int(np.clip(np.quantile(train.items.lengths, 0.95), 10, 50)) if len(train) else 10


def training_windows(histories: Ragged, length: int) -> Int32:
    """int32 [windows, length + 1], −1 on the left: every event but a history's first is a target exactly once.

    Inputs are `[:, :-1]`, targets `[:, 1:]`; longer histories are cut from their end into windows of `length` targets.
    """
    counts = np.maximum(-(-(histories.lengths - 1) // length), 0)
    row = np.repeat(np.arange(len(histories)), counts)
    cut = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    first = histories.offsets[row + 1] - cut * length - length - 1
    places = first[:, None] + np.arange(length + 1)
    inside = places >= histories.offsets[row, None]
    return np.where(inside, histories.items[np.where(inside, places, 0)], -1).astype(np.int32)


def _train(
    windows: Int32, valid: Cases, network: SasrecNetwork, config: SasrecConfig, report: Callable[[Epoch], None]
) -> Sasrec:
    if not len(windows):
        raise DataError("no history has two events", value=0, remedy="train on more interactions")
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
    )
    model, started, best = Sasrec(config, network), time.monotonic(), -1.0
    kept: dict[str, Tensor] = {}
    curve: list[Epoch] = []
    while not _finished(curve, config, started):
        loss = _pass(torch.from_numpy(windows).long().to(model.device), network, optimizer, config, started)
        score = validation_ndcg(model, valid, mask_seen=config.mask_seen)
        curve.append(Epoch(len(curve) + 1, loss, score, time.monotonic() - started))
        report(curve[-1])
        if score > best:
            best, kept = score, {key: value.clone() for key, value in network.state_dict().items()}
    network.load_state_dict(kept)
    return Sasrec(config, network.eval(), tuple(curve))


def _pass(
    windows: Tensor, network: SasrecNetwork, optimizer: torch.optim.Optimizer, config: SasrecConfig, started: float
) -> float:
    """One epoch in random order; the mean loss of its steps. The network is left in evaluation mode."""
    network.train()
    losses = []
    for rows in torch.split(torch.randperm(len(windows)).to(windows.device), config.batch):
        inputs, wanted = windows[rows, :-1], windows[rows, 1:]
        states = network(inputs)[inputs >= 0]
        loss = _loss(states, network.items, wanted[inputs >= 0], config.drawn)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
        if _out_of_time(config, started):
            break
    network.eval()
    return float(np.mean(losses))


def _loss(states: Tensor, items: Tensor, targets: Tensor, drawn: int | None) -> Tensor:
    if drawn is None or drawn >= len(items):
        return full_softmax_loss(states, items, targets)
    return sampled_softmax_loss(states, items, targets, drawn)


def _finished(curve: list[Epoch], config: SasrecConfig, started: float) -> bool:
    if not curve:
        return False
    best = max(curve, key=lambda epoch: (epoch.valid_ndcg, -epoch.number)).number
    stale = len(curve) - best >= config.patience
    return stale or len(curve) >= config.epochs or _out_of_time(config, started)


def _out_of_time(config: SasrecConfig, started: float) -> bool:
    return config.max_seconds is not None and time.monotonic() - started > config.max_seconds


def _dice(place: torch.device) -> list[torch.device]:
    """Of whose random numbers, beside the processor's, training takes."""
    return [place] if place.type == "cuda" else []


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
