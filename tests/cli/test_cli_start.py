"""`genrec` alone: it looks at what lies in the folder, and what it proposes can be run as it stands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from genrec.cli.start import Here
from tests.helpers.running import Done, Tiny

Command = Callable[..., Done]


def proposed(folder: Path) -> list[str]:
    return [words for words, _ in Here.of(folder).next(folder)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_in_an_empty_folder_it_shows_the_way_in(place: Path, genrec_command: Command) -> None:
    done = genrec_command()
    assert (done.code, done.err) == (0, "")
    assert "genrec demo" in done.out
    assert "genrec prepare LOG prepared" in done.out
    assert "in this folder" not in done.out
    assert len(done.out.splitlines()) < 12


def test_each_step_leads_to_the_next(place: Path, tiny: Tiny, genrec_command: Command) -> None:
    (place / "my log.csv").write_text("user_id,item_id,timestamp\nann,a,1\nbob,a,2\n", encoding="utf-8")
    check, read = proposed(place)
    assert check == "genrec validate 'my log.csv'"
    for words in (check, read):
        assert genrec_command(*shlex.split(words)[1:]).code == 0
    assert proposed(place) == ["genrec train --data prepared --out bundle"]
    shutil.copytree(tiny.bundle, place / "bundle")
    assert proposed(place) == [
        "genrec serve --bundle bundle --data prepared", "genrec evaluate --bundle bundle --data prepared",
        "genrec chat --bundle bundle",
    ]  # fmt: skip
    said = genrec_command().out
    assert re.search(r"bundle +a bundle, NDCG@10 \.?[\d.]+ on validation", said)
    assert re.search(r"prepared +prepared data, 2 interactions, 2 users, 1 items", said)


def test_the_demo_s_bundle_goes_with_the_demo_s_data(place: Path, tiny: Tiny) -> None:
    shutil.copytree(tiny.data, place / "a")
    shutil.copytree(tiny.data, place / "demo" / "data")
    shutil.copytree(tiny.bundle, place / "demo" / "bundle")
    assert proposed(place)[0] == "genrec serve --bundle demo/bundle --data demo/data"


def test_training_that_was_stopped_goes_on(place: Path, tiny: Tiny) -> None:
    shutil.copytree(tiny.data, place / "prepared")
    (place / "shop-run" / "checkpoint-7").mkdir(parents=True)
    (place / "shop-run" / "checkpoint-7" / "trainer_state.json").write_text("{}", encoding="utf-8")
    assert proposed(place) == ["genrec train --data prepared --out shop --resume"]
    shutil.copytree(tiny.bundle, place / "shop")
    assert proposed(place)[0] == "genrec serve --bundle shop --data prepared"


def test_files_of_others_are_not_taken_for_bundles(place: Path, genrec_command: Command) -> None:
    for name, text in (("app", json.dumps({"name": "a web page"})), ("torn", "{"), ("list", "[1]")):
        (place / name).mkdir()
        (place / name / "manifest.json").write_text(text, encoding="utf-8")
    assert Here.of(place).bundles == ()
    assert "genrec demo" in genrec_command().out


def test_many_files_do_not_make_it_long(place: Path, genrec_command: Command) -> None:
    for number in range(40):
        (place / f"[bold]{number}.csv").write_text("a,b\n", encoding="utf-8")
    said = genrec_command().out
    assert "[bold]0.csv" in said
    assert "and 37 more" in said
    assert len(said.splitlines()) < 16
