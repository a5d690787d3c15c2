"""Recipes by domain: their files are settings, and the made-up worlds are what the recipes say of them."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import polars as pl
import pytest

from benchmarks._ranking_runs import PRODUCTS
from genrec import PrepareConfig, global_time, prepare
from genrec.settings import load_settings
from genrec.tuning.settings import SftSettings
from tests.helpers.running import ROOT

DOMAINS = ("films", "products", "games", "places", "news", "courses")
WORLDS = runpy.run_path(str(ROOT / "training" / "worlds.py"))


@pytest.mark.parametrize("name", DOMAINS)
def test_a_recipe_is_settings_with_its_commands_above(name: str) -> None:
    path = ROOT / "training" / "configs" / f"{name}.yaml"
    assert load_settings(SftSettings, path, ()).base == "scratch"
    head = "".join(line for line in path.read_text("utf-8").splitlines(True) if line.startswith("#"))
    assert f"--config training/configs/{name}.yaml" in head
    assert "genrec prepare" in head
    guide = (ROOT / "docs" / "guide" / "recipes.md").read_text("utf-8")
    assert f"`{name}.yaml`" in guide.partition("## Domains")[2]


def test_films_and_products_are_what_the_benchmark_measures() -> None:
    configs = ROOT / "training" / "configs"
    measured = load_settings(SftSettings, configs / "scratch.yaml", ())
    assert load_settings(SftSettings, configs / "films.yaml", ()) == measured
    measured = load_settings(SftSettings, configs / "scratch.yaml", ("split.kind=leave_last_out", *PRODUCTS))
    assert load_settings(SftSettings, configs / "products.yaml", ()) == measured


def test_news_are_read_before_anybody_could_learn_of_them(tmp_path: Path) -> None:
    WORLDS["news"](tmp_path)
    table = pl.read_csv(tmp_path / "log.csv").join(pl.read_csv(tmp_path / "items.csv"), on="item_id")
    age = pl.col("timestamp").str.head(10).str.to_date() - pl.col("published").str.to_date()
    assert table.select((age.dt.total_days() <= 2).all() & (age.dt.total_days() >= 0).all()).item()
    data = prepare(tmp_path / "log.csv", tmp_path / "data", PrepareConfig(catalog=tmp_path / "items.csv"))
    split = global_time(data.interactions, data.catalog.item_ids, valid=0.15, test=0.15)
    known = split.train.histories(split.item_ids).chosen(len(split.item_ids))
    targets = split.test.targets.items
    assert (~known[targets]).mean() > 0.9


def test_courses_build_on_each_other(tmp_path: Path) -> None:
    WORLDS["courses"](tmp_path, students=200)
    table = pl.read_csv(tmp_path / "log.csv").join(pl.read_csv(tmp_path / "items.csv"), on="item_id")
    levels = table.sort("timestamp").group_by("user_id", "subject").agg("level")["level"].to_list()
    assert len(levels) > 200
    assert all(one == list(range(1, len(one) + 1)) for one in levels)


def test_the_same_seed_makes_the_same_world(tmp_path: Path) -> None:
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        WORLDS["courses"](tmp_path / place, seed, students=30)
    logs = [(tmp_path / place / "log.csv").read_bytes() for place in "abc"]
    assert logs[0] == logs[1] != logs[2]


def test_the_guide_says_what_was_measured() -> None:
    held = json.loads((ROOT / "benchmarks" / "results" / "domains.json").read_text("utf-8"))
    runs = {one["config"]["domain"]: one["config"] for one in [*held.get("earlier", ()), held]}
    page = (ROOT / "docs" / "guide" / "recipes.md").read_text("utf-8").partition("## Domains")[2]
    systems = ("popularity", "item-kNN", "SASRec", "genrec, priors alone", "genrec")
    for name, run in runs.items():
        figures = [f"{run['systems'][system]['ndcg@10']:.3f}".lstrip("0") for system in systems]
        facts = f"{run['facts']['users']:,} users, {run['facts']['items']:,} items"
        assert f"| {name} | {facts} | {' | '.join(figures)} |" in page
