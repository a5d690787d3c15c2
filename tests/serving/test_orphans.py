"""kill -9 of the server: nothing of it stays, whether its engine works or is still being imported."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from serving.engine.template import ending_with
from tests.helpers.running import ROOT, Tiny
from tests.helpers.server import Server

IMPORTING = """
import socket, sys, threading, time
from serving.engine.template import ending_with
control = socket.socket(fileno=int(sys.argv[1]))
with ending_with(control):
    print("importing", flush=True)
    time.sleep(float(sys.argv[2]))
print("threads", threading.active_count(), flush=True)
time.sleep(60)
"""


def test_the_engine_ends_with_the_server(tiny: Tiny, tmp_path: Path) -> None:
    with Server(tiny.bundle, f"sqlite:///{tmp_path}/events.db") as server:
        engine = server.engine()
        template = _parent(engine)
        assert template not in (1, server.process.pid)
        server.stop(signal.SIGKILL)
        assert _until(lambda: not _alive(engine) and not _alive(template), 5)


def test_an_engine_that_is_busy_ends_with_the_server(tiny: Tiny, tmp_path: Path) -> None:
    """It stands still when the server dies: its template ends it."""
    with Server(tiny.bundle, f"sqlite:///{tmp_path}/events.db") as server:
        engine = server.engine()
        os.kill(engine, signal.SIGSTOP)
        server.stop(signal.SIGKILL)
        assert _until(lambda: not _alive(engine), 5)


def test_a_template_that_still_imports_ends_with_the_server(tiny: Tiny, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "serving", "--bundle", str(tiny.bundle), "--port", "0"]
    words += ["--store", f"sqlite:///{tmp_path}/events.db"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(words, cwd=ROOT, stdout=quiet, stderr=quiet) as server:
        assert _until(lambda: bool(_templates(server.pid)), 60)
        (template,) = _templates(server.pid)
        server.kill()
    assert _until(lambda: not _alive(template), 10)


@pytest.mark.parametrize("closed", [True, False])
def test_imports_end_with_the_other_side_and_with_nothing_else(closed: bool) -> None:
    ours, theirs = socket.socketpair()
    words = [sys.executable, "-c", IMPORTING, str(theirs.fileno()), "60" if closed else "0.5"]
    pipes = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with ours, theirs, subprocess.Popen(words, pass_fds=[theirs.fileno()], **pipes) as process:  # type: ignore[call-overload]
        theirs.close()
        assert process.stdout.readline() == "importing\n"
        ours.sendall(b"+")  # an engine that is asked for early is no reason to go
        if closed:
            ours.close()
            assert process.wait(10) == 0
        else:
            assert process.stdout.readline() == "threads 1\n"
            process.kill()


def test_what_fails_inside_is_told() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ImportError, match="no such thing"), ending_with(theirs):
        raise ImportError("no such thing")


def _templates(server: int) -> list[int]:
    """Children of the server that are more than copies of it."""
    pids = [int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit()]
    return [pid for pid in pids if _alive(pid) and _parent(pid) == server and _is_template(pid)]


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(_stat(pid)[1])
    return 0


def _is_template(pid: int) -> bool:
    return b"serving.engine.template" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _alive(pid: int) -> bool:
    """Running; one that has ended and that nobody asked after yet does not count."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """State, parent …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < ends:
        time.sleep(0.05)
    return held
