"""`genrec shrink`: bundles with fewer weights that rank the same items, pruned and distilled."""

from collections.abc import Callable
from pathlib import Path

import pytest

from genrec.bundle import Bundle
from genrec.model.exporting import whole_weights
from genrec.recommender import Recommender
from tests.helpers.running import Done, Tiny, program_here

QUICK = ("mixture.explain=20", "mixture.variants=1", "optimiser.epochs=1", "optimiser.evaluations=1")
SMALL = (
    "way=distilled", "scratch.hidden=16", "scratch.layers=1", "scratch.heads=1", "scratch.feed_forward=16",
)  # fmt: skip


def places(tiny: Tiny, out: Path) -> list[str]:
    return ["--bundle", str(tiny.bundle), "--data", str(tiny.data), "--out", str(out)]


def numbers(bundle: Bundle) -> int:
    return sum(weight.numel() for weight in whole_weights(bundle).parameters())


@pytest.mark.parametrize("way", ["pruned", "distilled"])
def test_a_smaller_bundle_is_a_bundle(tiny: Tiny, way: str, tmp_path: Path) -> None:
    settings = SMALL if way == "distilled" else ("looked_at=40",)
    out = tmp_path / "small"
    program_here([*places(tiny, out), "--quiet", *settings, *QUICK], "shrink.py")
    parent, child = Bundle.open(tiny.bundle), Bundle.open(out)
    assert numbers(child) < numbers(parent)
    assert (child.manifest.parent, child.index.version) == (parent.version, parent.index.version)
    assert child.manifest.data_hash == parent.manifest.data_hash
    config = whole_weights(child).config
    expected = {"pruned": (32, 1, 32), "distilled": (16, 1, 16)}[way]
    assert (config.hidden_size, config.num_attention_heads, config.intermediate_size) == expected
    assert set(child.manifest.metrics) == set(parent.manifest.metrics)
    history = child.catalog.item_ids[:3]
    assert len(Recommender.open(child, width=8).recommend(history, 5).items) == 5


def test_the_command_says_what_is_wrong(tiny: Tiny, tmp_path: Path, genrec_command: Callable[..., Done]) -> None:
    done = genrec_command("shrink", *places(tiny, tmp_path / "out"), "way=shaken")
    assert done.code == 2
    assert not (tmp_path / "out").exists()
