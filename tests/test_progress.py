"""Bars with the time left: drawn on a terminal for a program that asked, silent everywhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from genrec.preparing import prepare
from genrec.progress import along, bar, watch
from tests.helpers.running import ROOT

SLOWLY = """
import logging, sys, time
from genrec.progress import along, bar, log_lines, watch
log_lines()
watch(quiet="--quiet" in sys.argv)
with bar("training") as at:
    for step in range(1, 9):
        time.sleep(0.25)
        at(step / 10)
        logging.info("step %d", step)
    list(along("inner", 3, 1))
print("done")
"""


def on_a_terminal(*words: str) -> tuple[str, str]:
    """Standard output, and what a terminal of 100 columns got on standard error."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *words], stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    while piece := _read(ours):
        shown += piece
    os.close(ours)
    assert process.stdout is not None
    out = process.stdout.read().decode()
    process.stdout.close()
    assert process.wait() == 0
    return out, shown.decode()


def _read(place: int) -> bytes:
    try:
        return os.read(place, 4096)
    except OSError:  # the other end is closed
        return b""


def test_a_terminal_shows_the_share_done_and_the_time_left() -> None:
    out, shown = on_a_terminal()
    assert out == "done\n"
    drawn = re.findall(r"training.*?(\d+)%.*?left.*?(\d:\d\d:\d\d)", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))
    shares = [int(share) for share, _ in drawn]
    assert shares == sorted(shares)
    assert shares[-1] == 80
    assert {left for share, left in drawn if share == "80"} <= {"0:00:00", "0:00:01"}
    assert "inner" not in shown
    assert shown.count("step 3") == 1
    assert re.search(r"\x1b\[\?25h\s*$|\x1b\[2K[^\n]*$", shown)  # the cursor is back, the bar is gone


def test_quiet_leaves_the_lines_only() -> None:
    out, shown = on_a_terminal("--quiet")
    assert out == "done\n"
    assert "training" not in shown
    assert [line.split(" ", 1)[1] for line in shown.splitlines()] == [f"step {step}" for step in range(1, 9)]


def test_no_terminal_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    watch()
    with bar("training") as at:
        at(0.5)
    assert list(along("reading", 5, 2)) == [0, 2, 4]
    assert capsys.readouterr() == ("", "")


def test_reading_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    told: list[float] = []

    @contextmanager
    def kept(what: str):
        yield told.append

    monkeypatch.setattr("genrec.formats.lines.bar", kept)
    monkeypatch.setattr("genrec.formats.lines.BLOCK", 200)
    rows = [f"u{number},i{number % 7},{number}" for number in range(100)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]), encoding="utf-8")
    prepare(tmp_path / "log.csv", tmp_path / "out")
    assert told == sorted(told)
    assert len(told) > 3
    assert told[-1] == 1.0
