"""A PostgreSQL of our own for the tests: a private port and data folder, never root, gone when the session ends."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ABSENT = "no PostgreSQL server: apt-get install postgresql"
_USER = "postgres"  # Debian's; PostgreSQL refuses to run as root


@dataclass(frozen=True)
class Postgres:
    """A running server; `database()` makes an empty database and returns its URL."""

    port: int
    password: str

    def database(self) -> str:
        import psycopg

        name = f"t{secrets.token_hex(6)}"
        with psycopg.connect(self._url(_USER), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://{_USER}:{self.password}@127.0.0.1:{self.port}/{database}"


def binaries() -> Path | None:
    """The folder with `postgres` and `initdb`, newest version first; None where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which("postgres")
    return next((path for path in debian if (path / "postgres").exists()), Path(found).parent if found else None)


@contextmanager
def running(where: Path) -> Iterator[Postgres]:
    """Starts the server of `binaries()` and stops it at the end."""
    home = Path(tempfile.mkdtemp(prefix="genrec-postgres-"))
    as_user: dict[str, Any] = {"user": _USER} if os.getuid() == 0 else {}
    if as_user:
        shutil.chown(home, _USER)
    try:
        server, postgres = _start(where, home, as_user)
        try:
            _wait(server, postgres, home)
            yield postgres
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nobody needs its data
            server.wait(30)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _start(where: Path, home: Path, as_user: dict[str, Any]) -> tuple[subprocess.Popen[bytes], Postgres]:
    password, port = secrets.token_hex(16), _free_port()
    secret = home / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    if as_user:
        shutil.chown(secret, _USER)
    initdb = [where / "initdb", "-D", home / "data", "-U", _USER, "-A", "scram-sha-256", f"--pwfile={secret}"]
    subprocess.run([*initdb, "-E", "UTF8", "--locale=C"], check=True, capture_output=True, cwd=home, **as_user)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", f"unix_socket_directories={home}"]
    with (home / "log").open("wb") as log:
        command = [where / "postgres", "-D", home / "data", *options]
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, **as_user)
    return server, Postgres(port, password)


def _wait(server: subprocess.Popen[bytes], postgres: Postgres, home: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended: {(home / 'log').read_text()[-2000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", postgres.port)) == 0 and "ready to accept" in (home / "log").read_text():
                return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL does not answer after 30 s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
