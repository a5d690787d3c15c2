"""`make serve` as a newcomer runs it: what it prints works when pasted."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.running import ROOT, Tiny


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_serve(tiny: Tiny, tmp_path: Path) -> None:
    words = ["make", "serve", f"BUNDLE={tiny.bundle}", f"STORE=sqlite:///{tmp_path}/events.db", "PORT=0"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = []
        for line in server.stdout:
            said.append(line.rstrip())
            if line.startswith("try: "):
                break
        try:
            assert any(re.search(r"key: gk_\S+", line) for line in said)
            pasted = said[-1].removeprefix("try: ")
            done = subprocess.run(["bash", "-c", pasted], capture_output=True, text=True, check=True)
            assert len(json.loads(done.stdout)["items"]) == 3
        finally:
            server.send_signal(signal.SIGTERM)
            server.stdout.read()  # until the server, too, has ended
