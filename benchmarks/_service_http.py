"""The server's event routes as a target of _service_kill: the whole application but the engine's process, which has no
part in events. A process that has imported it all forks a server for each life, so that 200 lives take minutes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._service_kill import Batch, Gone  # noqa: E402


@dataclass
class Life:
    """A forked server, as subprocess.Popen would hold it."""

    pid: int
    stdin: None = None
    stdout: None = None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        while Path(f"/proc/{self.pid}").exists():
            time.sleep(0.002)


@dataclass
class HttpTarget:
    """Batches go to POST /v1/events/bulk."""

    bundle: Path
    url: str
    _nursery: subprocess.Popen[str] | None = None
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))
    _base: str = ""

    def start(self) -> Any:
        if self._nursery is None:
            words = [sys.executable, __file__, str(self.bundle), self.url]
            self._nursery = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._nursery.stdin.write(f"{port}\n")
        self._base = f"http://127.0.0.1:{port}"
        return Life(int(self._nursery.stdout.readline()))

    def ready(self) -> None:
        for _ in range(2000):
            with suppress(httpx.TransportError):
                if self._http.get(f"{self._base}/healthz").status_code == 200:
                    return
            time.sleep(0.01)
        raise RuntimeError("the server does not come up")

    def send(self, batch: Batch) -> None:
        try:
            answer = self._http.post(
                f"{self._base}/v1/events/bulk", json={"events": batch}, headers={"Authorization": "Bearer benchmark"}
            )
        except httpx.TransportError:
            raise Gone from None
        if answer.status_code != 200:
            raise RuntimeError(answer.text)

    def close(self) -> None:
        self._http.close()
        if self._nursery is not None and self._nursery.stdin is not None:
            self._nursery.stdin.close()
            self._nursery.wait(10)


def serve(bundle: str, url: str, port: int) -> None:
    """One life: everything real but the engine's process."""
    from serving.engine.room import EngineRoom
    from serving.keys import Key, Keys, hashed
    from serving.run import run
    from serving.service import Service
    from serving.settings import LimitSettings, ServeSettings

    class Quiet(EngineRoom):
        def start(self) -> None:
            self.settled.set()

    limits = LimitSettings(rate=1e6, burst=1_000_000)
    settings = ServeSettings(bundle=Path(bundle), store=url, port=port, limits=limits)
    service = Service.open(settings, Keys.of([Key(name="benchmark", sha256=hashed("benchmark"), scopes=("events",))]))
    service.room = Quiet(settings, service.metrics)
    run(service, lambda _: None)


def main() -> None:
    import serving.run  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            try:
                serve(sys.argv[1], sys.argv[2], int(line))
            finally:
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
