"""The real server in a process of its own, for tests and benchmarks: starts, waits until it is ready, and ends it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Server:
    """`with Server(bundle, store) as server:`; url and key are known once it is ready."""

    bundle: Path
    store: str
    settings: Sequence[str] = ()
    keys: Path | None = None
    patience: float = 120
    """Seconds until it must be ready."""
    url: str = ""
    key: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What it logged."""
    said: list[str] = field(default_factory=list)
    """What it printed."""

    def __enter__(self) -> Server:
        words = [sys.executable, "-m", "serving", "--bundle", str(self.bundle), "--store", self.store, "--port", "0"]
        words += ["--keys", str(self.keys)] if self.keys else []
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [*words, "--", *self.settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._listen)]
        for thread in self._threads:
            thread.start()
        try:
            self._wait(self.patience)
        except BaseException:  # without this nobody would end it
            self.stop(signal.SIGKILL)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 20)):
            if self.url:
                return
            assert self.process.poll() is None, f"the server ended: {self.said[-20:]} {self.lines[-5:]}"
            time.sleep(0.05)
        raise AssertionError(f"the server does not come up: {self.lines[-5:]}")

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.said.append(line.rstrip("\n"))
            if found := re.search(r"key: (gk_\S+)", line):
                self.key = found[1]
            if found := re.search(r"^try: .*?(http://[\w.:]+)/", line):
                self.url = found[1]

    def _listen(self) -> None:
        for line in self.process.stderr or ():
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.said.append(line.rstrip("\n"))

    def http(self, key: str | None = None, **more: Any) -> httpx.Client:
        """A client with the run's key, or this one."""
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **more)

    def engine(self) -> int:
        """The process number of the engine that runs now."""
        return int(next(line["pid"] for line in reversed(self.lines) if line["event"] == "the engine is up"))

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        with self.http() as http:
            text = http.get("/metrics").text
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, flags=re.MULTILINE)
        return sum(map(float, found))

    def stop(self, sign: int = signal.SIGTERM) -> int:
        """Ends it; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        try:
            status = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        for thread in self._threads:
            thread.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return status
