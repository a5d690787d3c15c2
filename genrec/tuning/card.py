"""The model card of a bundle, in Markdown. Says what was measured, nothing else."""

from __future__ import annotations

from genrec.bundle import Manifest

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
| split | {split}; data hash `{data_hash}`; seed {seed} |
| window | {window} items |
| priors | {priors} |

## Measured on validation (full ranking, seen items masked, bootstrap interval)

| metric | value | 95 % |
|---|---|---|
{metrics}

## Limits

It knows the people and the time of its training data and repeats their bias; the validation figures above were used to
choose settings, so expect a little less. Test figures come from `genrec evaluate`.
"""


def model_card(manifest: Manifest, events: int, users: int, items: int) -> str:
    rows = [
        f"| {name} | {one['value']:.4f} | {one['low']:.4f} to {one['high']:.4f} |"
        for name, one in manifest.metrics.items()
    ]
    return _CARD.format(
        events=events,
        users=users,
        items=items,
        adapter=" and `adapter/` with peft" if manifest.adapter else "",
        base=manifest.base + (f" at {manifest.revision}" if manifest.revision else ""),
        split=manifest.split,
        data_hash=manifest.data_hash,
        seed=manifest.seed,
        window=manifest.window,
        priors=_priors(manifest),
        metrics="\n".join(rows),
    )


def _priors(manifest: Manifest) -> str:
    said = ", ".join(f"{name} {weight:g}" for name, weight in manifest.prior_weights.items()) or "none"
    return said if manifest.model_ranks else f"{said}; they rank without the model, which added nothing on validation"
