"""The model card of a bundle, in Markdown. Says what was measured and how it was trained, nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from genrec.bundle import Manifest, Privacy

_CARD = """---
library_name: transformers
tags: [recommendation, semantic-ids, genrec]
---
# A genrec bundle

Writes the next item of a history as a semantic ID. Made by genrec from {events:,} interactions of {users:,} users with
a catalog of {items:,} items; `model/` loads with transformers{adapter}, the whole folder with `genrec`.

| what | value |
|---|---|
| base | {base} |
| data | hash `{data_hash}` of the training interactions, which are no part of the bundle |
| split | {split}{shares}; seed {seed} |
| window | {window} items |
| priors | {priors} |
{run}
## Measured on validation (full ranking, seen items masked, 95 % bootstrap interval{cases})

| metric | value | 95 % |
|---|---|---|
{metrics}

## Limits

- It knows the people and the time of its training data and repeats their bias: what few chose is recommended little.
- It ranks the items of its catalog and no others; one that came later is placed by its text alone.
- The validation figures above were used to choose settings, so expect a little less. Test figures come from
  `genrec evaluate`; nothing was measured for groups of people apart from each other.
- Its words are for reasons and requests about this catalog, in {languages}; it is no assistant.
{settings}"""


_PRIVACY = """
## Privacy

`adapter/` was learnt from {users:,} further users with differential privacy for users: what one user does, all of it,
moves the chance of any adapter by a factor of at most exp(ε) but for a chance of δ.
**ε = {epsilon:.2f} at δ = {delta:.1e}**, by opacus' {accountant} accountant ({steps} steps, each user in one with
chance {rate:.3g}, gradient clipped to {clip:g}, noise {noise:.3g} times that).

Nothing else in this bundle comes from them: semantic IDs, words, priors and their weights are the earlier bundle's.
The random numbers are a computer's ordinary ones, of no secure generator; how many users there are, and the settings,
are not hidden.
"""


def privacy_card(privacy: Privacy) -> str:
    """What follows the card of the bundle that an adapter was learnt on."""
    return _PRIVACY.format(**privacy.model_dump())


@dataclass(frozen=True)
class Ran:
    """A training run: steps, kilograms of CO₂ equivalents where they were estimated. Time and memory are in the run's
    log: in the card they would give each of two runs with one seed a version of its own."""

    steps: int
    carbon: float | None = None


def model_card(
    manifest: Manifest,
    events: int,
    users: int,
    items: int,
    *,
    cases: int | None = None,
    settings: BaseModel | None = None,
    ran: Ran | None = None,
) -> str:
    """cases: that the metrics stand on; settings: of the run, of which those are told that differ from the defaults."""
    rows = [
        f"| {name} | {one['value']:.4f} | {one['low']:.4f} to {one['high']:.4f} |"
        for name, one in manifest.metrics.items()
    ]
    shares = ", ".join(f"{name} {value}" for name, value in manifest.split_settings.items() if name != "kind")
    return _CARD.format(
        events=events,
        users=users,
        items=items,
        adapter=" and `adapter/` with peft" if manifest.adapter else "",
        base=manifest.base + (f" at {manifest.revision}" if manifest.revision else ""),
        split=manifest.split,
        shares=f" ({shares})" if shares else "",
        data_hash=manifest.data_hash,
        seed=manifest.seed,
        window=manifest.window,
        priors=_priors(manifest),
        metrics="\n".join(rows),
        cases="" if cases is None else f", {cases:,} cases",
        languages=" and ".join([manifest.language, *manifest.reasons_in]),
        run="" if ran is None else "".join(f"| {name} | {value} |\n" for name, value in _ran(ran)),
        settings="" if settings is None else _settings(settings),
    )


def _priors(manifest: Manifest) -> str:
    said = ", ".join(f"{name} {weight:g}" for name, weight in manifest.prior_weights.items()) or "none"
    return said if manifest.model_ranks else f"{said}; they rank without the model, which added nothing on validation"


def _ran(ran: Ran) -> Iterator[tuple[str, str]]:
    yield "training", f"{ran.steps:,} steps"
    if ran.carbon is not None:
        yield "carbon", f"{1000 * ran.carbon:.2f} g CO₂ equivalents, estimated by codecarbon"


def _settings(settings: BaseModel) -> str:
    told = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in _changed(settings)]
    listed = "\n".join(told or ["(none)"])
    return f"\n## Settings that differ from the defaults\n\n```text\n{listed}\n```\n"


def _changed(settings: BaseModel, path: str = "") -> Iterator[tuple[str, Any]]:
    """section.key and value, as the command line takes them."""
    for name, field in type(settings).model_fields.items():
        value, usual = getattr(settings, name), field.get_default(call_default_factory=True)
        if isinstance(value, BaseModel):
            yield from _changed(value, f"{path}{name}.")
        elif value != usual:
            yield f"{path}{name}", value
