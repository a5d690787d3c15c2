"""Settings of supervised fine-tuning, mirrored by training/configs/*.yaml. Knows no data and no model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from genrec.items.codes import CodesConfig
from genrec.model.adapters import Kind, LoraSettings
from genrec.model.base import SCRATCH, ScratchConfig


class ItemSettings(BaseModel):
    """How items become vectors and codes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str | None = None
    """Sentence encoder by name; None: the offline one where installed, else TF-IDF."""
    fields: list[str] | None = None
    """Catalog fields that the text is made of; None: all."""
    collaborative: float = Field(0.5, ge=0, le=1)
    """Share of who-chose-what-after-what in an item's vector; 0: text alone."""
    codes: CodesConfig = CodesConfig()
    """Levels, size and collisions of the semantic IDs."""


class SplitSettings(BaseModel):
    """What training may see."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["global_time", "leave_last_out"] = "global_time"
    """By clock time, the honest one; or each user's last two events, as in most published tables."""
    valid: float = Field(0.1, gt=0, lt=1)
    """Share of events for validation (global_time)."""
    test: float = Field(0.1, gt=0, lt=1)
    """Share of events for the test (global_time)."""
    cold: float = Field(0.0, ge=0, lt=1)
    """Share of the items, drawn with a fixed seed, that training and validation never see chosen: to measure how new
    items fare."""
    recent: float = Field(1.0, gt=0, le=1)
    """Share of the training events, the newest, that is learnt from: less than all to refresh a bundle."""


class MixtureSettings(BaseModel):
    """Tasks beside next item, which every history is trained on once an epoch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item_to_id: float = Field(1.0, ge=0)
    """Times that each item is asked for by its words, an epoch."""
    id_to_item: float = Field(0.25, ge=0)
    """Times that each item's title is asked for by its semantic ID, an epoch."""
    explain: int = Field(2000, ge=0)
    """Explanations to learn, an epoch."""
    rating: float = Field(0.0, ge=0)
    """Times that each history's ratings are learnt, an epoch, every one from those before it: the bundle then predicts
    ratings (`genrec rate`). The log's column `value`, in the steps that training events have."""
    kind: float = Field(0.0, ge=0)
    """The same of the kinds of events (view, purchase, dislike …): the bundle then says which kind an item will meet.
    A log of one kind is refused."""
    dropped: float = Field(0.0, ge=0, lt=1)
    """Share of a history's items left out at random, anew in each variant: histories with gaps teach a small model not
    to learn sequences by heart, and explaining by leaving items out asks it about just such histories."""
    variants: int = Field(4, ge=1)
    """Epochs drawn differently, which training then passes over in turn."""


class SequenceSettings(BaseModel):
    """A SASRec fitted beside the language model: a prior of the bundle, and the model's teacher through the trie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fitted: bool = True
    """Whether there is one; a run that goes on from a bundle otherwise keeps the bundle's."""
    taught: float = Field(0.5, ge=0, le=1)
    """Share of its soft targets in the loss of every code; 0: a prior only. Above 0 the logits of all that is learnt
    are held at once, which suits small vocabularies."""
    width: int = Field(128, ge=8)
    """Numbers in its item vectors."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Share of numbers dropped while it trains; None: a half for sparse data, a fifth for dense."""
    epochs: int = Field(60, ge=1)
    """Passes over the data at most; it stops when validation NDCG@10 does."""
    max_seconds: float | None = Field(None, gt=0)
    """Its training stops after this time at the latest."""


class OptimiserSettings(BaseModel):
    """How long and how fast to learn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float = Field(8.0, gt=0)
    """Passes over the data at most."""
    batch_size: int = Field(32, ge=1)
    """Sequences per step and device."""
    accumulate: int = Field(1, ge=1)
    """Steps whose gradients are added before an update."""
    learning_rate: float = Field(2e-3, gt=0)
    """Peak learning rate; it warms up, then falls to a tenth along a cosine."""
    matrices: Literal["adamw", "muon"] = "adamw"
    """What steps the blocks' matrices: AdamW as for all else, or Muon, for weights that start from nothing."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of the steps that warm up."""
    weight_decay: float = Field(0.05, ge=0)
    """AdamW's weight decay."""
    patience: int = Field(2, ge=1)
    """Evaluations without better validation before training stops; the best weights are kept."""
    evaluations: int = Field(8, ge=1)
    """Evaluations and checkpoints over the whole run."""
    valid_cases: int = Field(2000, ge=1)
    """Validation cases, drawn with the seed, that an evaluation looks at."""
    max_seconds: float | None = Field(None, gt=0)
    """Training stops after this time at the latest."""
    bf16: bool = False
    """Mixed precision."""
    seed: int = 0
    """Seed of weights, order and phrasings."""


class SftSettings(BaseModel):
    """One run of training/sft.py."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = SCRATCH
    """`scratch`, a Hugging Face causal LM by name, a folder, or a bundle of another catalog: what it has learnt of
    words and of sequences carries over and, where one sentence encoder read both catalogs, what texts meant to it. To
    go on with a bundle's own catalog, there is `--start`."""
    revision: str | None = None
    """The base model's revision on the hub."""
    scratch: ScratchConfig = ScratchConfig()
    """Shape of the scratch model."""
    adapter: Kind = "full"
    """Train all weights, or an adapter and the code tokens' rows: `lora`, `qlora` (over weights in 4 bits), `adalora`
    (ranks go where they help), `ia3` (scales), `prefix` (keys and values before every prompt) or `prompt` (tokens)."""
    lora: LoraSettings = LoraSettings()
    """Shape of the adapter, of lora, qlora and adalora."""
    virtual: int = Field(20, ge=1)
    """Learnt places before every prompt, of prefix and prompt."""
    language: str = "en"
    """Language of the prompts."""
    reasons_in: tuple[str, ...] = ()
    """Further languages that reasons are given in, where a request asks for them; their words are learnt, too."""
    window: int | None = Field(None, ge=2)
    """Items of a history that a prompt shows; None: as many as 95 of 100 histories have, 10 to 50."""
    follow: bool = True
    """Whether the bundle gets a detector of changes of interest, for timelines, where the log is large enough and
    the catalog not too large."""
    track: Literal["tensorboard", "wandb", "trackio"] = "tensorboard"
    """Where the curves go: TensorBoard's files in the run's folder, Weights & Biases or trackio."""
    items: ItemSettings = ItemSettings()
    split: SplitSettings = SplitSettings()
    sequence: SequenceSettings = SequenceSettings()
    mixture: MixtureSettings = MixtureSettings()
    optimiser: OptimiserSettings = OptimiserSettings()


def time_limits(seconds: float) -> tuple[str, str]:
    """Overrides of a run that is to take about so long: half for the model, a fifth for the sequence prior; what is
    left goes to the item index, the priors and their weights, which take as long as they take."""
    return f"optimiser.max_seconds={0.5 * seconds:.0f}", f"sequence.max_seconds={0.22 * seconds:.0f}"


class ProximalSettings(BaseModel):
    """How firmly an evolving adapter is held near what it was (PESO: Yoo et al. 2026)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["l2", "kl"] = "l2"
    """Half the squared distance of all trainable weights, or module by module the divergence of their softmax."""
    weight: float = Field(0.01, ge=0)
    """Times the distance in the loss; 0: nothing holds it."""


class RefreshSettings(BaseModel):
    """One run of training/refresh.py: new interactions → a child of the bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Literal["evolving", "two", "continued", "cumulative"] = "evolving"
    """`evolving`: one adapter that goes on, held near what it was; `two`: a long-term adapter, merged, that learns what
    came before, and a short-term one anew for what is new; `continued`: all weights learn on; `cumulative`: weights
    from nothing (of a pretrained base: a fresh adapter) over all interactions."""
    since: int | None = Field(None, ge=0)
    """UTC seconds from which interactions are new; None: after the last that the bundle has learnt."""
    valid: float = Field(0.3, gt=0, lt=1)
    """Share of the new interactions, the newest, that nothing is learnt from: they decide."""
    least: int = Field(100, ge=4)
    """Cases below which nothing is decided."""
    cases: int = Field(2000, ge=4)
    """Cases looked at, at most; half of them weigh the priors, the other half decide."""
    replay: float = Field(0.5, ge=0)
    """Old examples learnt again beside every new one, drawn with the seed."""
    explain: int = Field(100, ge=0)
    """Explanations among the examples, so that the words are not forgotten."""
    priors: Literal["kept", "counts", "fitted"] = "counts"
    """Kept as they are; popularity and recent popularity counted anew; or all fitted anew but the sequence prior
    (EASE's time grows with the cube of the number of items). They are weighed anew except where kept."""
    proximal: ProximalSettings = ProximalSettings()
    lora: LoraSettings = LoraSettings()
    """Shape of a new adapter."""
    optimiser: OptimiserSettings = OptimiserSettings(
        epochs=4, batch_size=32, learning_rate=1e-3, evaluations=4, patience=2, max_seconds=300
    )


class PrivateSettings(BaseModel):
    """One run of training/private.py: a bundle and people's histories → an adapter that hides each of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epsilon: float | None = Field(8.0, gt=0)
    """ε that one user may cost at most, with all they chose; None: learn plainly, to see what hiding costs."""
    delta: float | None = Field(None, gt=0, lt=1)
    """δ that goes with it; None: a tenth of one in the number of users."""
    clip: float = Field(1.0, gt=0)
    """Most that one user's gradient counts, in its Euclidean norm."""
    users: int = Field(128, ge=1)
    """Users of a step, on average: each is drawn by chance."""
    epochs: int = Field(20, ge=1)
    """Passes over the users."""
    learning_rate: float = Field(1e-3, gt=0)
    """Of AdamW, constant."""
    lora: LoraSettings = LoraSettings(rank=8, alpha=16, dropout=0.0)
    """Shape of the adapter. Rows of codes stay the bundle's."""
    seed: int = 0
    """Seed of the adapter's first weights, and of the order where epsilon is none. Noise has none."""


class ShrinkSettings(BaseModel):
    """One run of training/shrink.py: a bundle → a smaller one that it teaches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    way: Literal["pruned", "distilled"] = "pruned"
    """`pruned`: the bundle's own weights without the heads and channels that matter least, then trained a little;
    `distilled`: a small model from nothing."""
    heads: float = Field(0.5, gt=0, le=1)
    """Share of every block's key-value heads that pruning keeps, with the query heads that share them."""
    channels: float = Field(0.5, gt=0, le=1)
    """Share of every block's feed-forward channels that pruning keeps."""
    looked_at: int = Field(512, ge=1)
    """Training examples that tell pruning what matters."""
    scratch: ScratchConfig = ScratchConfig(hidden=64, layers=1, heads=2, feed_forward=128)
    """Shape of the distilled model; its words are the bundle's."""
    taught: float = Field(0.7, ge=0, le=1)
    """Share of the bundle's chances among the targets; 0: it learns from the data alone."""
    mixture: MixtureSettings = MixtureSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
