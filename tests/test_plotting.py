"""Pictures of an evaluation: what was measured is what is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from benchmarks import _speed_plots
from genrec.interest.timeline import Segment, Timeline
from genrec.items.trie import Trie
from genrec.plotting import branching, interests, log_history, plot_all, systems, training
from tests.helpers.running import ROOT, Done, Tiny

RESULTS_OF, IMAGES = ROOT / "benchmarks" / "results", ROOT / "docs" / "images"
RESULTS = [
    {"system": name, "mask_seen": True, "cases": 10, "rank_seconds": 0.5,
     "metrics": {"ndcg@10": {"mean": mean, "low": mean - 0.1, "high": mean + 0.2}}}
    for name, mean in (("popularity", 0.2), ("genrec", 0.5))
]  # fmt: skip
CODES = np.array([[0, 0], [0, 1], [0, 2], [1, 0]])


def test_bars_are_as_long_as_the_means_and_whiskers_as_the_intervals() -> None:
    (axis,) = systems(RESULTS).axes
    assert [round(float(bar.get_width()), 3) for bar in axis.patches] == [0.2, 0.5]
    assert [word.get_text() for word in axis.get_yticklabels()] == ["popularity", "genrec"]
    segments = axis.collections[0].get_segments()
    assert np.allclose(segments[0][:, 0], [0.1, 0.4])


def test_the_trie_is_drawn_by_level() -> None:
    (axis,) = branching(Trie.build(CODES)).axes
    assert [list(map(int, line.get_ydata())) for line in axis.lines] == [[2], [3, 1]]


def test_a_run_is_drawn_from_its_newest_checkpoint(tmp_path: Path) -> None:
    for step in (90, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
        history = [{"step": step, "loss": 1.0}, {"step": step, "eval_loss": 2.0, "eval_code_ndcg@10": 0.1}]
        state = tmp_path / f"checkpoint-{step}" / "trainer_state.json"
        state.write_text(json.dumps({"log_history": history}), encoding="utf-8")
    assert log_history(tmp_path)[0]["step"] == 100
    assert [len(axis.lines) for axis in training(log_history(tmp_path)).axes] == [2, 1]
    assert log_history(tmp_path / "nothing") == []


def test_a_colour_comes_back_with_its_interest() -> None:
    stretches = [(5, "genres: Horror", None), (3, "genres: Comedy; language: fr", None), (4, "genres: Horror", 0)]
    segments = [
        Segment(start=0, end=1, choices=choices, words=words, facts=[], confidence=None, noticed=None, returns_to=back)
        for choices, words, back in stretches
    ]
    (axis,) = interests({"ann": Timeline(segments=segments, false_alarms=0.01)}).axes
    assert [(float(bar.get_x()), float(bar.get_width())) for bar in axis.patches] == [(0, 5), (5, 3), (8, 4)]
    first, second, third = (bar.get_facecolor() for bar in axis.patches)
    assert first == third != second
    assert [word.get_text() for word in axis.texts] == ["genres: Horror", "genres: Comedy", "genres: Horror"]


def test_what_is_not_there_is_not_drawn(tmp_path: Path) -> None:
    written = plot_all({"results": RESULTS}, Trie.build(CODES), tmp_path / "no-run", {}, tmp_path / "out")
    assert sorted(path.name for path in written) == ["latency.svg", "systems.svg", "trie.svg"]
    assert all(path.read_text(encoding="utf-8").startswith("<?xml") for path in written)


def test_a_bundle_is_drawn_without_an_evaluation(
    tiny: Tiny, tmp_path: Path, genrec_command: Callable[..., Done]
) -> None:
    done = genrec_command("plot", "--bundle", tiny.bundle, "--data", tiny.data, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    names = [Path(one).name for one in json.loads(done.out)["pictures"]]
    assert names == ["trie.svg", "training.svg"]  # 60 viewers are too few to calibrate a detector
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)


def test_pictures_of_speed_show_the_committed_results() -> None:
    results = {name: json.loads((RESULTS_OF / f"{name}.json").read_text("utf-8")) for name in (
        "trie", "decode_torch", "decode_vllm", "service")}  # fmt: skip
    build, room, join = _speed_plots.trie(results["trie"]).axes
    said = {one["id"]: one["value"] for one in results["trie"]["claims"]}
    for axis, claim in ((build, "trie.build_s_per_million"), (room, "trie.bytes_per_item"),
                        (join, "filter.ms_per_million")):  # fmt: skip
        assert max(bar.get_width() for bar in axis.patches) == pytest.approx(said[claim])
    ours, others = _speed_plots.decoding(results["decode_torch"], results["decode_vllm"]).axes
    assert [bar.get_width() for bar in ours.patches][1] > 10 * ours.patches[0].get_width()
    assert len(others.patches) == 6
    by_history, by_items = _speed_plots.server(results["service"]).axes
    growth = results["service"]["config"]["growth"]
    assert list(by_history.lines[0].get_ydata()) == [one["p50_ms"] for one in growth["by_history"].values()]
    assert list(by_items.lines[1].get_ydata()) == [one["p99_ms"] for one in growth["by_items"].values()]


def test_the_committed_pictures_are_those_that_are_drawn_now(tmp_path: Path) -> None:
    drawn = _speed_plots.draw(RESULTS_OF, tmp_path)
    assert {path.name for path in drawn} == {path.name for path in IMAGES.glob("speed-*.png")}
    for path in drawn:
        now, kept = (image.imread(place)[..., :3].mean() for place in (path, IMAGES / path.name))
        assert now == pytest.approx(kept, abs=0.01)  # fonts differ from machine to machine
