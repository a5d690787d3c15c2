"""`--json` on every command: what is on standard output is JSON, whole, and nothing else is there."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from genrec.bundle import Bundle
from genrec.cli.app import application
from tests.helpers.running import ROOT, TINY, Done, Tiny

Command = Callable[..., Done]


def flags() -> dict[str, set[str]]:
    root = typer.main.get_command(application())
    found = {name: getattr(one, "commands", {name: one}) for name, one in root.commands.items()}  # type: ignore[attr-defined]
    return {
        name: {word for option in one.params for word in option.opts}
        for inner in found.values() for name, one in inner.items()
    }  # fmt: skip


def test_every_command_has_it() -> None:
    assert len(flags()) > 15
    assert [name for name, words in flags().items() if "--json" not in words] == []


def test_bundles_on_the_move(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    said = json.loads(genrec_command("copy", tiny.bundle, tmp_path / "copy", "--json").out)
    assert said["version"] == Bundle.open(tmp_path / "copy").version
    assert said["items"] == 80
    said = json.loads(genrec_command("push", "--bundle", tiny.bundle, tmp_path / "published", "--json").out)
    assert said == {"to": "folder", "at": str(tmp_path / "published")}
    words = ("export", "--bundle", tiny.bundle, "--out", tmp_path / "merged", "--merged", "--json")
    assert json.loads(genrec_command(*words).out)["bundle"] == str(tmp_path / "merged")


def test_training_says_what_it_made(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    words = ("train", "--data", tiny.data, "--out", tmp_path / "bundle", "--json", *TINY)
    done = genrec_command(*words, "optimiser.epochs=1", "optimiser.evaluations=1")
    said = json.loads(done.out)
    made = Bundle.open(tmp_path / "bundle")
    assert (said["version"], said["metrics"]) == (made.version, made.manifest.metrics)
    assert "validation ndcg@10" in said["metrics"]
    assert "step" in done.err
    assert "loss" in done.err


def test_an_evaluation_on_standard_output(tiny: Tiny, genrec_command: Command) -> None:
    words = ("evaluate", "--bundle", tiny.bundle, "--data", tiny.data, "--sasrec-seconds", "0", "--cases", "9")
    done = genrec_command(*words, "--json", "-")
    assert {one["system"] for one in json.loads(done.out)["results"]} >= {"popularity", "genrec"}
    assert "baselines" in done.err


def test_a_key_in_a_document(tmp_path: Path, genrec_command: Command) -> None:
    words = ("key", "shop", "--scope", "recommend", "--keys", tmp_path / "keys.json")
    said = json.loads(genrec_command(*words, "--json").out)
    assert (said["name"], said["scopes"]) == ("shop", ["recommend"])
    plain = genrec_command(*words[:1], "other", *words[2:]).out
    assert len(plain.split()) == 1
    assert len(plain.strip()) == len(said["key"])


def test_a_conversation_line_by_line(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, genrec_command: Command) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Recommend me 3 dramas\n\nonly from before 1980\n"))
    first, second = map(json.loads, genrec_command("chat", "--bundle", tiny.bundle, "--json").out.splitlines())
    catalog = Bundle.open(tiny.bundle).catalog
    years = dict(zip(catalog.item_ids, catalog.table["year"].to_list(), strict=True))
    assert len(first["items"]) == 3
    assert all(one["title"] in first["reply"] for one in first["items"])
    assert second["items"]
    assert all(years[one["id"]] < 1980 for one in second["items"])


def test_a_refresh_that_is_not_due_and_one_that_is_undone(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    store = f"sqlite:///{tmp_path}/events.db"
    words = ("refresh", "--bundle", tiny.bundle, "--data", tiny.data, "--store", store, "--events", "5", "--json")
    said = json.loads(genrec_command(*words, "--run", tmp_path / "run").out)
    assert (said["due"], said["events"]) == (False, 0)
    for name in ("bundle", "bundle-before"):
        shutil.copytree(tiny.bundle, tmp_path / name)
    said = json.loads(genrec_command("refresh", "--bundle", tmp_path / "bundle", "--undo", "--json").out)
    assert said == {"version": Bundle.open(tiny.bundle).version}


@pytest.mark.timeout(300)
def test_a_server_tells_its_address_and_ends_when_it_is_stopped(tiny: Tiny, tmp_path: Path) -> None:
    words = ["serve", "--bundle", str(tiny.bundle), "--port", "0", "--json", "drain_s=0"]
    words += ["--store", f"sqlite:///{tmp_path}/events.db"]
    with started(words) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"{said['url']}/readyz", timeout=60) as answer:
            assert answer.status == 200
        assert said["version"] == Bundle.open(tiny.bundle).version
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stdout.read() == ""


@pytest.mark.timeout(300)
def test_control_c_ends_training_with_130(tiny: Tiny, tmp_path: Path) -> None:
    words = ["train", "--data", str(tiny.data), "--out", str(tmp_path / "bundle"), *TINY, "optimiser.epochs=2000"]
    with started(words) as process:
        deadline = time.monotonic() + 100
        while not list((tmp_path / "bundle-run").glob("tensorboard")) and time.monotonic() < deadline:
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the command and to what it runs
        assert process.wait(60) == 130
    assert not (tmp_path / "bundle").exists()


@contextmanager
def started(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """`genrec …` as a process with a group of its own, which is gone afterwards whatever happened."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "genrec.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=environment, start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
