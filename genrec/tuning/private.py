"""An adapter learnt with differential privacy for people, not for events: opacus' DP-SGD over users.

Every user is one row of a step, whatever they did, so what opacus clips is what one user can move, and the ε that its
accountant names is one user's with everything they chose in (user-level, add or remove one). Without an ε the same
loop learns plainly. Does not know what else of a bundle was made of the data.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from genrec.asking import NextItemPrompt
from genrec.bundle import Bundle, Privacy
from genrec.errors import MissingExtra
from genrec.examples import IGNORED, Examples, next_item
from genrec.formats import Dataset as Prepared
from genrec.model.adapters import with_lora
from genrec.model.exporting import whole_weights
from genrec.model.loading import vocabulary_of
from genrec.ragged import Int64, Ragged
from genrec.tuning.settings import PrivateSettings, SplitSettings
from genrec.tuning.splits import split_of

_ACCOUNTANT = "rdp"


@dataclass(frozen=True)
class UserRows(Dataset[tuple[Tensor, Tensor]]):
    """A user's number → one piece of their history as tokens and labels, drawn anew whenever it is asked for.

    examples: the pieces of all users; first: int64 [users + 1], where each user's begin.
    """

    examples: Examples
    first: Int64
    pad_id: int
    dice: np.random.Generator = field(default_factory=np.random.default_rng)

    @classmethod
    def learnt(cls, bundle: Bundle, data: Prepared) -> UserRows:
        """Of what comes before validation and test, as the bundle's own settings separate them."""
        cut = SplitSettings.model_validate(bundle.manifest.split_settings)
        split = split_of(cut, data.interactions, bundle.catalog.item_ids)
        vocabulary = vocabulary_of(bundle)
        asking = NextItemPrompt(bundle.prompts, vocabulary, bundle.index, bundle.manifest.window)
        return cls.of(split.train.histories(split.item_ids).items, asking, vocabulary.pad_id)

    @classmethod
    def of(cls, histories: Ragged, asking: NextItemPrompt, pad_id: int) -> UserRows:
        """Users without an event are left out."""
        some = histories.take(np.flatnonzero(histories.lengths))
        pieces = -(-some.lengths // (asking.window + 1))
        examples = next_item(some, asking.head, asking.semantic, asking.window)
        return cls(examples, np.concatenate([[0], pieces.cumsum()]).astype(np.int64), pad_id)

    def __len__(self) -> int:
        return len(self.first) - 1

    def __getitem__(self, user: int) -> tuple[Tensor, Tensor]:
        piece = int(self.dice.integers(self.first[user], self.first[user + 1]))
        return self._wide(self.examples.inputs[piece], self.pad_id), self._wide(self.examples.labels[piece], IGNORED)

    def _wide(self, row: Any, fill: int) -> Tensor:
        wide = torch.full((int(self.examples.inputs.lengths.max()),), fill, dtype=torch.int64)
        wide[: len(row)] = torch.from_numpy(row.astype(np.int64))
        return wide


def fresh_adapter(bundle: Bundle, settings: PrivateSettings) -> PeftModel:
    """A LoRA over the bundle's weights; the same seed gives the same in every place. Rows of codes do not learn."""
    torch.manual_seed(settings.seed)
    return with_lora(whole_weights(bundle), settings.lora, [])


def user_losses(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of what is learnt of each user, float32 [users]."""
    says = model(input_ids=inputs).logits[:, :-1].float()
    wanted = labels[:, 1:]
    each = nn.functional.cross_entropy(says.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="none")
    learnt = wanted != IGNORED
    return each.view_as(wanted).sum(1) / learnt.sum(1).clamp_min(1)


def learn(model: PeftModel, rows: UserRows, settings: PrivateSettings) -> Privacy | None:
    """Trains what is trainable, in place; what it cost, or None where no ε was asked for."""
    if settings.epsilon is None:
        torch.manual_seed(settings.seed)
        rows = replace(rows, dice=np.random.default_rng(settings.seed))
    else:
        torch.seed()  # noise that a seed in a manifest gives away hides nothing
    loader: Any = DataLoader(rows, batch_size=min(settings.users, len(rows)), shuffle=True)
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    steps: Any = torch.optim.AdamW(learning, lr=settings.learning_rate, weight_decay=0.0)
    model.train()
    if settings.epsilon is None:
        for inputs, labels in _batches(loader, settings.epochs):
            steps.zero_grad()
            user_losses(model, inputs, labels).mean().backward()  # type: ignore[no-untyped-call]
            steps.step()
        return None
    delta = settings.delta or 0.1 / len(rows)
    engine = _engine()
    hooked, steps, loader = engine.make_private_with_epsilon(
        module=model, optimizer=steps, data_loader=loader, target_epsilon=settings.epsilon, target_delta=delta,
        epochs=settings.epochs, max_grad_norm=settings.clip,
    )  # fmt: skip
    for inputs, labels in _batches(loader, settings.epochs):
        steps.zero_grad()
        clipped(hooked, learning, inputs, labels)
        steps.step()
    hooked.remove_hooks()
    for weight in learning:
        for name in ("grad_sample", "summed_grad"):
            weight.__dict__.pop(name, None)
    ((noise, rate, count),) = engine.accountant.history
    return Privacy(
        epsilon=engine.get_epsilon(delta), delta=delta, noise=noise, clip=settings.clip, rate=rate, steps=count,
        users=len(rows), accountant=_ACCOUNTANT,
    )  # fmt: skip


def _engine() -> Any:
    if importlib.util.find_spec("opacus") is None:
        raise MissingExtra("an ε needs opacus", value="epsilon", remedy="pip install 'genrec[private]'")
    from opacus import PrivacyEngine

    return PrivacyEngine(accountant=_ACCOUNTANT)


def clipped(hooked: nn.Module, learning: list[nn.Parameter], inputs: Tensor, labels: Tensor) -> None:
    """Gradients by user, for the optimiser to clip. A step that drew nobody still gets its noise."""
    if len(inputs):
        user_losses(hooked, inputs, labels).mean().backward()  # type: ignore[no-untyped-call]
        return
    for weight in learning:
        weight.grad_sample = weight.new_zeros((0, *weight.shape))  # type: ignore[attr-defined]


def _batches(loader: DataLoader[tuple[Tensor, Tensor]], epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Without the columns that are padding in all rows."""
    for _ in range(epochs):
        for inputs, labels in loader:
            longest = int((labels != IGNORED).sum(1).max()) if len(labels) else 0
            first = int((labels != IGNORED).int().argmax(1).max()) if len(labels) else 0
            yield inputs[:, : first + longest], labels[:, : first + longest]
