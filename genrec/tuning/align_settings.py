"""Settings of alignment, mirrored by training/configs/align.yaml. Knows no data and no model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from genrec.tuning.settings import SplitSettings


class AlignSettings(BaseModel):
    """One run of training/dpo.py: a bundle and what people chose, and turned down, → a child of the bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["preferences", "rewards"] = "preferences"
    """`preferences`: what was chosen against what the bundle's beam, or the user, puts in its place (S-DPO, with one
    rejected item DPO); `rewards`: rollouts that are drawn from the model under the trie, and their expected reward
    (GRPO)."""
    beta: float = Field(1.0, gt=0)
    """How firmly the bundle's own opinion holds: small lets the child go far from it."""
    rejected: int = Field(20, ge=1)
    """Items beside the chosen one, in a case: the beam's best, or as many rollouts."""
    penalty: float = Field(0.5, ge=0)
    """Of `rewards`: what the wrong rollouts of a case lose together, those ranked first most; the right one gains 1."""
    priors: float = Field(0.0, ge=0)
    """Of `rewards`: how many times the bundle's priors count in a reward; at 1, with `beta` 1, the model learns to say
    alone what model and priors say together."""
    rounds: int = Field(2, ge=1)
    """Passes, before each of which candidates are drawn from what has been learnt so far; the best of them on
    validation is kept."""
    cases: int = Field(8000, ge=1)
    """Choices that a round learns from, at most, drawn with the seed."""
    recent: float = Field(0.3, gt=0, le=1)
    """Share of the training events, the newest, that they are drawn from."""
    split: SplitSettings | None = None
    """How training and validation are separated; None: as the bundle's own training did it."""
    judged: int = Field(4000, ge=4)
    """Validation cases at most; half of them choose the round and weigh the priors, the other half decide."""
    least: int = Field(100, ge=4)
    """Validation cases below which nothing is decided."""
    lost: float = Field(0.02, ge=0, lt=1)
    """Share of the hit rate among fifty that may be lost: a child that ranks better at the top and finds less below it
    is not published."""
    batch_size: int = Field(32, ge=1)
    """Cases per step."""
    learning_rate: float = Field(1e-4, gt=0)
    """Peak learning rate of a round; it warms up and falls to a tenth."""
    weight_decay: float = Field(0.05, ge=0)
    """AdamW's weight decay."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share dropped while weights from nothing learn; the bundle's opinion is asked without."""
    max_seconds: float | None = Field(None, gt=0)
    """No round begins after this time, and one that is running ends."""
    bf16: bool = False
    """Mixed precision."""
    seed: int = 0
    """Seed of cases, rollouts and order."""
