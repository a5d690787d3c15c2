"""A node of federated averaging through flower: the server, or the client of one place where people's data stay.

    python training/flower_node.py serve --rounds 5 --clients 2 --address 0.0.0.0:9092 --out averaged.safetensors
    python training/flower_node.py join --address server:9092 -- python training/federated_worker.py --bundle …

Runs in an environment of its own (`make federated`), for flower and this project want different versions of the same
packages; so it knows nothing of genrec. What goes over the network is an adapter's numbers and how many users it learnt
from. A client's training is a program of the other environment, which it asks by lines (training/federated_worker.py).
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from flwr.client import NumPyClient, start_client
from flwr.common import FitRes, Parameters, parameters_to_ndarrays
from flwr.server import ServerConfig, start_server
from flwr.server.strategy import FedAvg
from safetensors.numpy import load_file, save_file

Arrays = list[np.ndarray[Any, Any]]


class Worker:
    """The training program of this place; files of adapters in a folder of its own."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._told, self._learnt = folder / "told.safetensors", folder / "learnt.safetensors"
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._ask("begin", self._learnt)
        self.names = sorted(load_file(self._learnt))

    def first(self) -> Arrays:
        return self._read()

    def learn(self, averaged: Arrays) -> tuple[Arrays, int]:
        """The adapter after a round here, and how many users it learnt from."""
        save_file(dict(zip(self.names, averaged, strict=True)), self._told)
        users = int(self._ask("learn", self._told, self._learnt))
        return self._read(), users

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> Arrays:
        found = load_file(self._learnt)
        return [found[name] for name in self.names]

    def _ask(self, *words: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*words, sep="\t", file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the training program ended with status {self._process.wait()}")
        return answer


class Place(NumPyClient):
    """A flower client whose people's data stay with its worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def get_parameters(self, config: dict[str, Any]) -> Arrays:
        return self._worker.first()

    def fit(self, parameters: Arrays, config: dict[str, Any]) -> tuple[Arrays, int, dict[str, Any]]:
        learnt, users = self._worker.learn(parameters)
        return learnt, users, {}


class Averaging(FedAvg):
    """FedAvg (McMahan et al. 2017), weighted by users, that keeps the last average."""

    latest: Arrays | None = None

    def aggregate_fit(self, server_round: int, results: list[tuple[Any, FitRes]], failures: list[Any]) -> Any:
        found: tuple[Parameters | None, dict[str, Any]] = super().aggregate_fit(server_round, results, failures)
        if found[0] is not None:
            self.latest = parameters_to_ndarrays(found[0])
        return found


def serve(arguments: argparse.Namespace) -> None:
    wanted = arguments.clients
    strategy = Averaging(
        fraction_evaluate=0.0, min_fit_clients=wanted, min_available_clients=wanted, accept_failures=False
    )  # fmt: skip
    start_server(
        server_address=arguments.address, config=ServerConfig(num_rounds=arguments.rounds), strategy=strategy
    )  # fmt: skip
    if strategy.latest is None:
        raise SystemExit("no round was finished")
    # Names stay with the places, which all sort them alike.
    save_file({f"{place:05}": array for place, array in enumerate(strategy.latest)}, arguments.out)


def join(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="genrec-federated-") as folder:
        worker = Worker(arguments.worker, Path(folder))
        start_client(server_address=arguments.address, client=Place(worker).to_client(), insecure=True)
        worker.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    roles = parser.add_subparsers(required=True)
    server = roles.add_parser("serve")
    server.add_argument("--rounds", type=int, required=True, help="averages to be made")
    server.add_argument("--clients", type=int, required=True, help="places that take part in each")
    server.add_argument("--out", type=Path, required=True, help="file of the last average")
    client = roles.add_parser("join")
    client.add_argument("worker", nargs="+", help="command of this place's training program")
    for role, what in ((server, serve), (client, join)):
        role.add_argument("--address", default="127.0.0.1:9092", help="host:port of the server")
        role.set_defaults(run=what)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
