"""A process that has imported what takes long and forks engines from there, so that one that died is back in a second.

`python -m serving.engine.template FD SETTINGS`; over the socket FD comes one socket for each engine to start. It ends,
with its engines, when the server's end of FD closes. Knows no bundle: what it forks loads that.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the server decides when; its end is ours
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # engines that end leave nothing behind
    control, settings = socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])
    with ending_with(control):
        _import(settings["kind"])
    born = 0
    while True:
        word, sockets, _, _ = socket.recv_fds(control, 1, 1)
        if not word:
            break
        _end(born)
        born = os.fork()
        if not born:
            control.close()
            _work(sockets[0], settings)
        os.close(sockets[0])
    _end(born)


@contextlib.contextmanager
def ending_with(control: socket.socket) -> Iterator[None]:
    """Within, the process ends as soon as the server's end of the socket closes: imports take long where much runs, and
    servers that are killed and started again would leave one template each at that. No thread is left after it."""
    done, ours = socket.socketpair()
    ends = select.poll()
    ends.register(control, select.POLLHUP)
    ends.register(done, select.POLLIN)

    def watch() -> None:
        if any(number == control.fileno() for number, _ in ends.poll()):
            os._exit(0)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with done, ours:
        try:
            yield
        finally:
            ours.send(b".")
            watcher.join()


def _import(kind: str) -> None:
    """What an engine needs and what starts no thread of its own."""
    for name in ("genrec.recommender", "genrec.renewing", "serving.engine.worker"):
        importlib.import_module(name)
    from genrec.cli.shared import quiet_models

    quiet_models()
    if kind == "vllm":
        with contextlib.suppress(ImportError):  # the engine says it, in words
            importlib.import_module("genrec.decoding.vllm")


def _work(number: int, settings: dict[str, Any]) -> None:
    from serving.engine.worker import serve

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # a group of its own, so that what it starts ends with it
    try:
        serve(Connection(number), settings)
    finally:
        os._exit(1)


def _end(pid: int) -> None:
    """The engine before this one, if it still runs: the server has given it up."""
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
